/** The three date forms of RFC 9110 §5.6.7; Date.parse alone would take almost any text for a date. */
const HTTP_DATES = [
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

const NUMBER = /^\d+(?:\.\d+)?$/;

/**
 * How long the far side asks us to wait, in milliseconds from now; null when it does not say or cannot be understood.
 * `retry-after-ms` (OpenAI and its family) is the more exact one and wins; `Retry-After` is seconds or an HTTP date
 * (RFC 9110 §10.2.3). A date in the past is 0. No ceiling: what to do with a very long wait is the caller's policy.
 * @param headers names in lower case
 * @param nowMs this machine's time, milliseconds since the epoch
 */
export function parseRetryAfter(
  headers: Readonly<Record<string, string | undefined>>,
  nowMs: number,
): number | null {
  return (
    numberOf(headers['retry-after-ms'], 1) ??
    numberOf(headers['retry-after'], 1000) ??
    untilDate(headers['retry-after'], headers.date, nowMs)
  );
}

function numberOf(text: string | undefined, unitMs: number): number | null {
  const trimmed = text?.trim() ?? '';
  if (!NUMBER.test(trimmed)) return null;
  const ms = Math.ceil(Number(trimmed) * unitMs);
  return Number.isSafeInteger(ms) ? ms : null;
}

/** The answer's own `Date` is the clock the far side meant; ours may be minutes off. */
function untilDate(text: string | undefined, sentAt: string | undefined, nowMs: number): number | null {
  const dateMs = httpDateMs(text);
  return dateMs === null ? null : Math.max(0, dateMs - (httpDateMs(sentAt) ?? nowMs));
}

function httpDateMs(text: string | undefined): number | null {
  const trimmed = text?.trim() ?? '';
  if (!HTTP_DATES.some((form) => form.test(trimmed))) return null;
  const ms = Date.parse(trimmed.endsWith('GMT') ? trimmed : `${trimmed} GMT`);
  return Number.isNaN(ms) ? null : ms;
}

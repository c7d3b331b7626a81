import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { HttpClient } from '../../platform/http/http-client.ts';
import { formatDuration } from '../../platform/units.ts';
import { type Finding, ok, problem, warning } from './doctor-finding.ts';

const PATIENCE_MS = 10_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** A `Date` header has whole seconds. */
const RESOLUTION_MS = 1_000;
/** Signatures with a time in them are refused beyond some minutes; half of one says that the clock is not kept. */
const MAX_DRIFT_MS = 30_000;

/** This machine's clock against the `Date` of the destination's answer to a bare GET of its front page. */
export async function examineClock(
  { name, url, signer }: DestinationDefinition,
  http: Pick<HttpClient, 'send'>,
  now: () => number,
): Promise<Finding> {
  const about = { check: 'clock', subject: name } as const;
  const { origin } = new URL(url);
  let date: number;
  let beganMs: number;
  let endedMs: number;
  try {
    beganMs = now();
    const answer = await http.send({
      method: 'GET',
      url: `${origin}/`,
      headers: {},
      body: null,
      contentLength: 0,
      signal: AbortSignal.timeout(PATIENCE_MS),
      maxResponseBytes: MAX_ANSWER_BYTES,
    });
    endedMs = now();
    date = Date.parse(answer.headers.date ?? '');
  } catch (error) {
    return warning(
      about,
      `${origin} cannot be reached (${reasonOf(error)}): the clock could not be compared`,
    );
  }
  if (Number.isNaN(date))
    return warning(about, `${origin} does not tell the time: the clock could not be compared`);
  // The header is cut to whole seconds, so the truth lies up to one second later.
  const driftMs = Math.max(0, beganMs - (date + RESOLUTION_MS)) - Math.max(0, date - endedMs);
  const size = formatDuration(Math.abs(driftMs));
  if (Math.abs(driftMs) <= MAX_DRIFT_MS) return ok(about, `the clock agrees with ${origin} (within ${size})`);
  const message = `the clock of this machine is ${size} ${driftMs > 0 ? 'ahead of' : 'behind'} ${origin}: switch on time synchronisation (timedatectl set-ntp true)`;
  return signer.kind === 'none'
    ? warning(about, message)
    : problem(about, new SlipwayError('usage', { problem: message }), message);
}

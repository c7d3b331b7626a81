import type { AcceptedFile, UploadFailure } from '../../domain/attempt.ts';
import { ERRORS, type ErrorCode, errorMessage, type UploadErrorKind } from '../../domain/errors.ts';
import { boundedRemote, MAX_REMOTE_BYTES } from '../../domain/receipt.ts';
import { parseRetryAfter } from '../../pacing/retry-after.ts';
import { atPointer, formatPointer } from '../../platform/files/json-pointer.ts';
import type { DestinationDefinition, ErrorRule } from '../definition/definition.ts';
import type { Answer, Verdict } from '../destination.ts';
import { readinessIn } from '../readiness.ts';
import { isFilled, parseAnswer, textAt, textsAt } from './answer-body.ts';
import { wordsOfFramework } from './error-words.ts';
import { failureDetail } from './failure-detail.ts';
import { publicUrl } from './public-url.ts';
import { redactAnswer, type Secrets } from './redact-secrets.ts';
import { redirectMeaning, statusMeaning } from './status-meaning.ts';

/** What judging needs besides the answer. */
export interface JudgeContext {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** The address that answered; left out: that of uploads. */
  readonly sentTo?: string;
  /** Our credentials: they never reach a message or `remote`, even when the far side echoes them (G5). */
  readonly secrets: Secrets;
}

/**
 * What an answer means. Pure.
 * Success is what the definition's test says and holds a URL or an id. Otherwise the error table decides, then the
 * HTTP status; what nobody knows is an outage, never a refusal (G6).
 */
export function judgeAnswer(
  definition: DestinationDefinition,
  answer: Answer,
  context: JudgeContext,
): Verdict {
  const body = parseAnswer(answer.body);
  if (passes(definition, answer.status, body)) {
    const accepted = acceptedFile(definition, answer, body, context);
    if (accepted === null) {
      return failed(definition, answer, body, context, 'bad_answer', missingHint(definition));
    }
    if (definition.readiness !== null && readinessIn(definition.readiness, body) === 'failed') {
      return failed(definition, answer, body, context, 'rejected', 'stored, but it cannot be processed');
    }
    return { kind: 'uploaded', accepted, remoteBytes: remoteBytes(definition, body) };
  }
  const status = statusIn(definition, answer, body);
  const rule = definition.errors.find((candidate) => matches(candidate, definition, status, body));
  if (rule !== undefined) {
    return failed(definition, answer, body, context, rule.clock ? 'clock_drift' : rule.kind, rule.hint);
  }
  const meaning =
    status === null
      ? null
      : (redirectMeaning(status, answer.headers.location, context.sentTo ?? definition.url) ??
        statusMeaning(status, isRecognised(definition, body)));
  const code = meaning?.code ?? 'bad_answer';
  const hint = meaning?.hint ?? (code === 'bad_answer' ? unknownHint(definition, answer.status, body) : null);
  return failed(definition, answer, body, context, code, hint);
}

/** For whoever is writing a definition: which pointers found nothing. */
function missingHint({ answer: { url, id } }: DestinationDefinition): string {
  return `a success, but neither URL nor id at ${[...url, ...id].map(formatPointer).join(' or ')}`;
}

/** Likewise: an answer that no rule knows. */
function unknownHint({ answer }: DestinationDefinition, status: number, body: unknown): string | null {
  if (body === undefined) return null;
  if (textAt(body, answer.code) !== null) return 'no rule in errors says what this code means';
  return status >= 200 && status <= 299 ? 'the success test did not hold' : null;
}

function passes({ success }: DestinationDefinition, status: number, body: unknown): boolean {
  if (body === undefined) return false;
  const expected =
    success.status === 'any' ||
    (success.status === '2xx' ? status >= 200 && status <= 299 : success.status.includes(status));
  return (
    expected &&
    success.equals.every(([pointer, value]) => atPointer(body, pointer) === value) &&
    success.nonEmpty.every((pointer) => isFilled(body, pointer))
  );
}

function acceptedFile(
  definition: DestinationDefinition,
  answer: Answer,
  body: unknown,
  { secrets }: JudgeContext,
): AcceptedFile | null {
  const pointers = definition.answer;
  const fileId = textAt(body, pointers.id);
  const rawUrl = textAt(body, pointers.url);
  const url = rawUrl === null ? null : publicUrl(rawUrl, textAt(body, pointers.urlTail), definition.url);
  // A URL that is none is not a success with a smaller receipt: nobody could use the file.
  if (rawUrl !== null ? url === null : fileId === null) return null;
  // Text far beyond the bound cannot fit it: not worth walking through.
  const tooLarge = answer.body.length > 8 * MAX_REMOTE_BYTES;
  return {
    url,
    fileId,
    ref: refOf(definition.ref, { url, id: fileId }),
    expiresAt: isoTime(pointers.expiresAt.map((pointer) => atPointer(body, pointer)).find(isTime)),
    remote: tooLarge
      ? { truncated: true }
      : boundedRemote(redactAnswer(answer.body, body, secrets), answer.body.length),
  };
}

function refOf(
  template: string | null,
  values: { readonly url: string | null; readonly id: string | null },
): string | null {
  if (template === null) return null;
  let complete = true;
  const ref = template.replace(/\{(url|id)\}/g, (_whole, key: 'url' | 'id') => {
    const value = values[key];
    complete &&= value !== null;
    return value ?? '';
  });
  return complete ? ref : null;
}

function isTime(value: unknown): value is string | number {
  return (typeof value === 'number' && value > 0) || (typeof value === 'string' && value !== '');
}

/** In seconds this is the year 5138, in milliseconds 1973. */
const LEAST_MS = 1e11;

/** ISO form of Unix seconds or milliseconds, as a number or as text, or of a date text; null when it is none of those. */
function isoTime(value: string | number | undefined): string | null {
  if (value === undefined) return null;
  const unix = typeof value === 'number' || /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : null;
  const date = unix === null ? new Date(value) : new Date(unix < LEAST_MS ? unix * 1000 : unix);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function remoteBytes({ answer }: DestinationDefinition, body: unknown): number | null {
  const text = textAt(body, answer.bytes)?.trim() ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The status that counts: of the answer, or the one its body carries. null: the body carries something else. */
function statusIn(
  { answer: { codeIsHttpStatus, code } }: DestinationDefinition,
  answer: Answer,
  body: unknown,
): number | null {
  const inBody = codeIsHttpStatus ? textAt(body, code) : null;
  if (inBody === null) return answer.status;
  return /^[1-5]\d\d$/.test(inBody) ? Number(inBody) : null;
}

/** An object with a message or a code where this API puts them, or where its web framework does. */
function isRecognised({ answer }: DestinationDefinition, body: unknown): boolean {
  return (
    textAt(body, answer.message) !== null ||
    textAt(body, answer.code) !== null ||
    wordsOfFramework(body) !== null
  );
}

function matches(
  rule: ErrorRule,
  { answer }: DestinationDefinition,
  status: number | null,
  body: unknown,
): boolean {
  const found = (test: RegExp | null, texts: () => readonly string[]): boolean =>
    test === null || texts().some((text) => test.test(text));
  return (
    (rule.status === null || (status !== null && rule.status.includes(status))) &&
    (rule.code === null || textsAt(body, answer.code).some((code) => rule.code?.includes(code))) &&
    found(rule.codePattern, () => textsAt(body, answer.code)) &&
    found(rule.typePattern, () => textsAt(body, answer.type)) &&
    found(rule.messagePattern, () => textsAt(body, answer.message))
  );
}

function failed(
  definition: DestinationDefinition,
  answer: Answer,
  body: unknown,
  { nowMs, secrets }: JudgeContext,
  code: Extract<ErrorCode, UploadErrorKind | 'bad_answer' | 'clock_drift'>,
  hint: string | null,
): Verdict {
  const detail = failureDetail(definition, answer, body, hint, secrets);
  const failure: UploadFailure = {
    kind: ERRORS[code].kind,
    code,
    message: code === 'clock_drift' ? detail : errorMessage(code, { detail }),
    httpStatus: answer.status,
    retryAfterMs: parseRetryAfter(answer.headers, nowMs),
  };
  return { kind: 'failed', failure };
}

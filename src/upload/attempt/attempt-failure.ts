import type { AttemptResult, UploadFailure } from '../../domain/attempt.ts';
import { errorMessage, reasonOf, SlipwayError, type UploadErrorKind } from '../../domain/errors.ts';

/**
 * What ended an attempt by being thrown, as its result.
 * @param requests uploads put on the wire so far
 */
export function resultOfError(error: unknown, requests: number): AttemptResult {
  if (!(error instanceof SlipwayError)) {
    return {
      kind: 'failed',
      failure: failureOf('internal', 'unavailable', errorMessage('internal', { reason: reasonOf(error) })),
      requests,
    };
  }
  const { code, message } = error;
  if (code === 'file_changed') return { kind: 'skipped', code: 'changed', message, requests };
  if (code === 'file_vanished') return { kind: 'skipped', code: 'vanished', message, requests };
  if (code === 'file_unreadable' || code === 'file_unsized')
    return { kind: 'unreadable', code, message, requests };
  return { kind: 'failed', failure: failureOf(code, uploadKindOf(error), message), requests };
}

function failureOf(code: string, kind: UploadErrorKind, message: string): UploadFailure {
  return { kind, code, message: message.replace(/\s+/g, ' '), httpStatus: null, retryAfterMs: null };
}

/** Trouble of this machine is nothing a file is refused for: it waits. A wrong setting stops the destination. */
function uploadKindOf({ kind }: SlipwayError): UploadErrorKind {
  if (kind === 'local' || kind === 'internal') return 'unavailable';
  return kind === 'config' || kind === 'usage' ? 'misconfigured' : kind;
}

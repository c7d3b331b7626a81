import type { FileVersion } from '../../domain/file-version.ts';
import type { Outcome, Receipt } from '../../domain/receipt.ts';
import type { SeenTimes } from '../../domain/sight.ts';
import { emptyOutcome, unsentOutcome } from '../../domain/unsent-outcome.ts';
import type { Decision } from './decision.ts';

/** When it was found, and now; milliseconds since the epoch. */
export interface OwnTimes {
  readonly sight: SeenTimes;
  readonly nowMs: number;
}

/** The receipt-to-be of a version that gets one without a job. */
export function refusedOutcome(
  version: FileVersion,
  ruling: Extract<Decision, { kind: 'skip' | 'fail' }>,
  times: OwnTimes,
): Outcome {
  const { kind, gen, code, message } = ruling;
  const end =
    kind === 'skip'
      ? ({ status: 'skipped', kind: 'skipped' } as const)
      : ({ status: 'failed', kind: 'local' } as const);
  return unsentOutcome(version, { ...end, code, message }, { gen, batch: null, ...times });
}

/**
 * The receipt-to-be of a version for which an earlier upload stands: nothing is sent.
 * @param upload receipt of that upload, or of another version for which it stands
 */
export function reusedOutcome(version: FileVersion, gen: number, upload: Receipt, times: OwnTimes): Outcome {
  const { url, fileId, ref, sha256, contentType, expiresAt, remote } = upload;
  const at = new Date(times.nowMs).toISOString();
  return {
    ...emptyOutcome(version, { gen, batch: null, ...times }),
    status: 'uploaded',
    url,
    fileId,
    ref,
    sha256,
    contentType,
    expiresAt,
    // From when on it could be used under this name; the upload itself has a receipt of its own.
    uploadedAt: at,
    remote,
    reusedFrom: upload.reusedFrom ?? upload.id,
  };
}

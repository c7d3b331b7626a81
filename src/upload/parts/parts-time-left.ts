import type { UploadFailure } from '../../domain/attempt.ts';
import { errorMessage, SlipwayError } from '../../domain/errors.ts';
import { formatDuration } from '../../platform/units.ts';

/** The time that the far side keeps an unfinished upload. */
export interface PartsTimeLeft {
  /** @throws SlipwayError `parts_expired` */
  check(): void;
  /** A refusal after that time is no refusal of the file. */
  blame(failure: UploadFailure): UploadFailure;
}

/**
 * @param lifetimeMs null: no end known
 * @param elapsedMs since before the upload was announced
 */
export function partsTimeLeft(lifetimeMs: number | null, elapsedMs: () => number): PartsTimeLeft {
  if (lifetimeMs === null) return { check: () => {}, blame: (failure) => failure };
  const details = { lifetime: formatDuration(lifetimeMs) };
  const expired = (): boolean => elapsedMs() >= lifetimeMs;
  return {
    check() {
      if (expired()) throw new SlipwayError('parts_expired', details);
    },
    blame: (failure) =>
      failure.kind === 'rejected' && expired()
        ? {
            ...failure,
            kind: 'unavailable',
            code: 'parts_expired',
            message: errorMessage('parts_expired', details),
          }
        : failure,
  };
}

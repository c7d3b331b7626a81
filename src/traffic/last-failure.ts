import type { AttemptResult, UploadFailure } from '../domain/attempt.ts';

/** Why files are failing for now, in one line, and since when: the first failure since the last success. */
export interface Trouble {
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** What goes well at a destination in this process, and why not. */
export interface LastFailure {
  attempted(result: AttemptResult): void;
  /** A look at an accepted file: why it told nothing, null when it did. */
  looked(failure: UploadFailure | null): void;
  lastProgressAtMs(): number | null;
  /** null since the last success. */
  now(): Trouble | null;
}

/** @param now milliseconds since the epoch */
export function createLastFailure(now: () => number): LastFailure {
  let lastSuccessAtMs: number | null = null;
  let lastLookAtMs: number | null = null;
  let uploadTrouble: string | null = null;
  let lookTrouble: string | null = null;
  let sinceMs: number | null = null;

  function note(): void {
    if (uploadTrouble === null && lookTrouble === null) sinceMs = null;
    else sinceMs ??= now();
  }

  return {
    attempted(result) {
      if (result.kind === 'uploaded') {
        lastSuccessAtMs = now();
        uploadTrouble = null;
      } else if (result.kind === 'failed' && isTemporary(result.failure)) {
        uploadTrouble = result.failure.message;
      }
      note();
    },
    looked(failure) {
      lookTrouble = failure?.message ?? null;
      if (failure === null) lastLookAtMs = now();
      note();
    },
    lastProgressAtMs: () =>
      lastSuccessAtMs === null || lastLookAtMs === null
        ? (lastSuccessAtMs ?? lastLookAtMs)
        : Math.max(lastSuccessAtMs, lastLookAtMs),
    now() {
      const message = uploadTrouble ?? lookTrouble;
      return message === null || sinceMs === null ? null : { message, sinceMs };
    },
  };
}

function isTemporary({ kind }: UploadFailure): boolean {
  return kind === 'throttled' || kind === 'unavailable';
}

/**
 * Which uploads are under way and moving: a large file that takes its time is no failure, however long nothing else
 * has succeeded.
 */
export interface UploadsInProgress {
  started(): UploadInProgress;
  /** When the oldest upload began whose bytes moved lately, milliseconds since the epoch; null: none moves. */
  movingSinceMs(): number | null;
}

export interface UploadInProgress {
  /** Some of its bytes have been taken by the connection. */
  moved(): void;
  ended(): void;
}

/** Longer than a slow link needs for one chunk. */
const LATELY_MS = 5_000;

/** @param now milliseconds since the epoch */
export function createUploadsInProgress(now: () => number): UploadsInProgress {
  const underWay = new Set<{ readonly startedAtMs: number; movedAtMs: number }>();
  return {
    started() {
      const upload = { startedAtMs: now(), movedAtMs: Number.NEGATIVE_INFINITY };
      underWay.add(upload);
      return {
        moved() {
          upload.movedAtMs = now();
        },
        ended: () => void underWay.delete(upload),
      };
    },
    movingSinceMs() {
      const moving = [...underWay].filter(({ movedAtMs }) => now() - movedAtMs < LATELY_MS);
      return moving.length === 0 ? null : Math.min(...moving.map(({ startedAtMs }) => startedAtMs));
    },
  };
}

/** Tells of every chunk that the connection takes. */
export async function* tellingOfChunks(
  body: AsyncIterable<Buffer>,
  moved: () => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    yield chunk;
    moved();
  }
}

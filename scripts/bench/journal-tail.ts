import { closeSync, existsSync, openSync, readSync } from 'node:fs';

export interface TailedReceipt {
  readonly path: string;
  readonly status: string;
  /** Milliseconds since the epoch; NaN when it was not uploaded. */
  readonly uploadedAtMs: number;
}

const CHUNK_BYTES = 1024 * 1024;

/** Follows a journal as it grows. */
export class JournalTail {
  readonly #file: string;
  #offset = 0;
  #rest = '';
  /** The latest receipt of every path. */
  readonly latest = new Map<string, TailedReceipt>();
  /** Receipts that say `uploaded`. */
  uploaded = 0;
  lines = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** Takes what has been appended since. */
  read(): void {
    if (!existsSync(this.#file)) return;
    const fd = openSync(this.#file, 'r');
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (;;) {
        const bytes = readSync(fd, chunk, 0, CHUNK_BYTES, this.#offset);
        if (bytes === 0) break;
        this.#offset += bytes;
        // latin1 keeps every byte, also where a chunk ends within a character.
        const lines = (this.#rest + chunk.toString('latin1', 0, bytes)).split('\n');
        this.#rest = lines.pop() ?? '';
        for (const line of lines) this.#take(Buffer.from(line, 'latin1').toString('utf8'));
      }
    } finally {
      closeSync(fd);
    }
  }

  #take(line: string): void {
    const { path, status, uploadedAt } = JSON.parse(line) as Record<'path' | 'status' | 'uploadedAt', string>;
    this.lines += 1;
    if (status === 'uploaded') this.uploaded += 1;
    this.latest.set(path, { path, status, uploadedAtMs: Date.parse(uploadedAt) });
  }
}

/**
 * Reads until so many paths are uploaded, or until nothing has been recorded for a while.
 * @param patienceMs without any new line
 */
export async function untilRecorded(tail: JournalTail, files: number, patienceMs: number): Promise<void> {
  let lines = -1;
  let movedAtMs = performance.now();
  for (;;) {
    tail.read();
    if (tail.latest.size >= files) return;
    if (tail.lines !== lines) {
      lines = tail.lines;
      movedAtMs = performance.now();
    }
    if (performance.now() - movedAtMs > patienceMs) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

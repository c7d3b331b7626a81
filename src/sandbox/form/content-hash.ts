import { createHash, type Hash, hash } from 'node:crypto';

/** SHA-256 and length of content that comes in pieces. One piece, the case of small files, takes the cheaper one-shot call. */
export class ContentHash {
  bytes = 0;
  #only: Buffer | null = null;
  #running: Hash | null = null;

  update(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.#running !== null) {
      this.#running.update(piece);
    } else if (this.#only === null) {
      this.#only = piece;
    } else {
      this.#running = createHash('sha256').update(this.#only).update(piece);
      this.#only = null;
    }
  }

  /** Hex; call once, at the end. */
  hex(): string {
    return this.#running?.digest('hex') ?? hash('sha256', this.#only ?? '', 'hex');
  }
}

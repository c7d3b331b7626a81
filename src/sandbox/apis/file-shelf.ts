/** A file an OpenAI-style account holds. */
export interface ShelvedFile {
  readonly id: string;
  readonly bytes: number;
  readonly createdAtSeconds: number;
  readonly filename: string;
  readonly purpose: string;
  /** null: kept until deleted. */
  readonly expiresAtSeconds: number | null;
  /** Until then it is being processed, in milliseconds since the epoch. */
  readonly readyAtMs: number;
}

export interface ShelfQuery {
  readonly after: string | null;
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly accepts: (file: ShelvedFile) => boolean;
}

export interface ShelfPage {
  readonly files: readonly ShelvedFile[];
  readonly hasMore: boolean;
}

/** Content of small files for GET …/content; beyond this the oldest is forgotten. */
const MAX_CONTENT_BYTES = 16 * 1024 * 1024;

/** The files of one account, oldest first; beyond `maxFiles` the oldest is forgotten, as memory is bounded. */
export class FileShelf {
  readonly #maxFiles: number;
  readonly #now: () => number;
  readonly #files = new Map<string, ShelvedFile>();
  readonly #contents = new Map<string, Buffer>();
  #contentBytes = 0;

  constructor(maxFiles: number, now: () => number) {
    this.#maxFiles = maxFiles;
    this.#now = now;
  }

  get size(): number {
    return this.#files.size;
  }

  put(file: ShelvedFile, content: Buffer | null): void {
    this.#files.set(file.id, file);
    if (this.#files.size > this.#maxFiles) this.delete(oldestKey(this.#files));
    if (content === null) return;
    this.#contents.set(file.id, content);
    this.#contentBytes += content.length;
    while (this.#contentBytes > MAX_CONTENT_BYTES) this.#dropContent(oldestKey(this.#contents));
  }

  get(id: string): ShelvedFile | null {
    const file = this.#files.get(id);
    return file === undefined || this.#hasExpired(file) ? null : file;
  }

  content(id: string): Buffer | null {
    return this.#contents.get(id) ?? null;
  }

  delete(id: string): void {
    this.#files.delete(id);
    this.#dropContent(id);
  }

  /** null when `after` names no file. */
  list({ after, limit, order, accepts }: ShelfQuery): ShelfPage | null {
    const all = [...this.#files.values()].filter((file) => !this.#hasExpired(file));
    if (order === 'desc') all.reverse();
    const cursor = after === null ? -1 : all.findIndex((file) => file.id === after);
    if (after !== null && cursor === -1) return null;
    const matching = all.slice(cursor + 1).filter(accepts);
    return { files: matching.slice(0, limit), hasMore: matching.length > limit };
  }

  #hasExpired({ expiresAtSeconds }: ShelvedFile): boolean {
    return expiresAtSeconds !== null && expiresAtSeconds * 1_000 <= this.#now();
  }

  #dropContent(id: string): void {
    this.#contentBytes -= this.#contents.get(id)?.length ?? 0;
    this.#contents.delete(id);
  }
}

function oldestKey(map: ReadonlyMap<string, unknown>): string {
  const oldest = map.keys().next();
  return oldest.done === true ? '' : oldest.value;
}

import type { IncomingMessage } from 'node:http';
import type { FilePart } from './form/read-form.ts';
import type { ReceivedFile, ReceivedSummary } from './form/received-file.ts';
import type { ApiName } from './trouble/fault-rule.ts';

/** Told of a stored file by the API that took it. */
export interface StoredFile {
  readonly api: ApiName;
  readonly id: string;
  readonly url: string | null;
  readonly file: FilePart;
  readonly fields: Readonly<Record<string, string>>;
  readonly attempt: number;
}

/** Signature and timestamp spelling are fixed by apis; the rest helps to see what a client really sent. */
const HEADERS_KEPT = [
  'content-type',
  'content-length',
  'transfer-encoding',
  'user-agent',
  'x-auth-appid',
  'x-auth-timestamp',
];

/** Arrivals are told apart by half of the hash: enough to be unique, half the memory. */
const KEY_CHARACTERS = 32;

/** What the sandbox received. Counts are exact; files and hashes beyond `maxFiles` are forgotten, the oldest first. */
export class ReceivedLog {
  readonly #maxFiles: number;
  readonly #now: () => number;
  #seq = 0;
  #files: ReceivedFile[] = [];
  #arrivals = new Map<string, { times: number; stored: boolean }>();
  #counts = noCounts();
  #uploadsInFlight = 0;

  constructor(maxFiles: number, now: () => number) {
    this.#maxFiles = maxFiles;
    this.#now = now;
  }

  /** Counts one whole arrival of this content; its number. */
  arrived(api: ApiName, sha256: string): number {
    const key = arrivalKey(api, sha256);
    const known = this.#arrivals.get(key);
    if (known !== undefined) {
      known.times += 1;
      return known.times;
    }
    this.#arrivals.set(key, { times: 1, stored: false });
    if (this.#arrivals.size > this.#maxFiles) this.#forgetOldestArrival();
    return 1;
  }

  stored(req: IncomingMessage, { api, id, url, file, fields, attempt }: StoredFile): void {
    this.#seq += 1;
    const { name: field, filename, contentType, bytes, sha256 } = file;
    const receivedAt = new Date(this.#now()).toISOString();
    const headers = headersThatMatter(req);
    this.#files.push({
      seq: this.#seq,
      api,
      id,
      url,
      field,
      filename,
      contentType,
      bytes,
      sha256,
      fields,
      headers,
      receivedAt,
      attempt,
    });
    // Trimmed now and then, not at every file: shifting a long list each time would cost more than the upload.
    if (this.#files.length >= this.#maxFiles + Math.max(1_000, this.#maxFiles / 4))
      this.#files = this.#files.slice(-this.#maxFiles);
    this.#count(api, bytes);
    const arrival = this.#arrivals.get(arrivalKey(api, sha256));
    if (arrival?.stored === true) this.#counts.repeated += 1;
    else if (arrival !== undefined) arrival.stored = true;
  }

  requestBegan(isUpload: boolean): void {
    this.#counts.requests += 1;
    if (!isUpload) return;
    this.#uploadsInFlight += 1;
    this.#counts.maxUploadsInFlight = Math.max(this.#counts.maxUploadsInFlight, this.#uploadsInFlight);
  }

  requestEnded(isUpload: boolean): void {
    if (isUpload) this.#uploadsInFlight -= 1;
  }

  brokenOff(): void {
    this.#counts.brokenOff += 1;
  }

  struck(action: string): void {
    this.#counts.faults.set(action, (this.#counts.faults.get(action) ?? 0) + 1);
  }

  refused(api: ApiName, reason: string): void {
    const key = `${api} ${reason}`;
    this.#counts.refused.set(key, (this.#counts.refused.get(key) ?? 0) + 1);
  }

  get uploadsInFlight(): number {
    return this.#uploadsInFlight;
  }

  /**
   * The remembered files, oldest first.
   * @param since only those after this sequence number, or received at or after this ISO time
   */
  files(since: number | string = 0): readonly ReceivedFile[] {
    const remembered = this.#files.slice(-this.#maxFiles);
    if (since === 0) return remembered;
    return remembered.filter((file) =>
      typeof since === 'number' ? file.seq > since : file.receivedAt >= since,
    );
  }

  summary(): ReceivedSummary {
    const { faults, refused, byApi, ...counts } = this.#counts;
    return {
      ...counts,
      uploadsInFlight: this.#uploadsInFlight,
      faults: Object.fromEntries(faults),
      refused: Object.fromEntries(refused),
      byApi: Object.fromEntries(byApi),
    };
  }

  reset(): void {
    this.#files = [];
    this.#arrivals = new Map();
    this.#counts = noCounts();
    this.#counts.maxUploadsInFlight = this.#uploadsInFlight;
  }

  #count(api: ApiName, bytes: number): void {
    this.#counts.count += 1;
    this.#counts.bytes += bytes;
    const before = this.#counts.byApi.get(api) ?? { count: 0, bytes: 0 };
    this.#counts.byApi.set(api, { count: before.count + 1, bytes: before.bytes + bytes });
  }

  #forgetOldestArrival(): void {
    const oldest = this.#arrivals.keys().next();
    if (oldest.done !== true) this.#arrivals.delete(oldest.value);
  }
}

function noCounts() {
  return {
    count: 0,
    bytes: 0,
    repeated: 0,
    requests: 0,
    maxUploadsInFlight: 0,
    brokenOff: 0,
    faults: new Map<string, number>(),
    refused: new Map<string, number>(),
    byApi: new Map<string, { count: number; bytes: number }>(),
  };
}

function arrivalKey(api: ApiName, sha256: string): string {
  return `${api} ${sha256.slice(0, KEY_CHARACTERS)}`;
}

function headersThatMatter(req: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of HEADERS_KEPT) {
    const value = req.headers[name];
    if (typeof value === 'string') kept[name] = value;
  }
  const { authorization } = req.headers;
  if (authorization !== undefined) kept.authorization = authorization.split(' ', 1)[0] ?? '';
  if (req.headers['x-auth-sign'] !== undefined) kept['x-auth-sign'] = 'present';
  return kept;
}

import type { Destination } from '../../destinations/destination.ts';
import type { FileMeta } from '../../domain/file-meta.ts';
import type { Receipt } from '../../domain/receipt.ts';

/** A file as it lay on disk when it was named. */
export interface DirectFile {
  /** Absolute path of its folder, and its name in it. */
  readonly folder: string;
  readonly fileName: Buffer;
  /** As the user wrote it; goes into the receipt. */
  readonly shown: Buffer;
  readonly size: number;
  readonly mtimeNs: string;
  /** Its name on disk, where that is not `fileName`. */
  readonly stored?: string;
  /** Its bytes, where it never lay on a disk. */
  readonly content?: { readonly bytes: Buffer; readonly sha256: string };
  /** Hex, where it is known of these very bytes (FileToSend). */
  readonly sha256?: string;
  /** Of the file part, instead of the one its extension tells. */
  readonly contentType?: string;
  /** The uploader's destination with the text fields of this file. */
  readonly destination?: Destination;
  /** What its receipt carries besides. */
  readonly meta?: FileMeta;
}

/** How one file ended, and whether the destination itself is to blame. */
export interface DirectResult {
  readonly receipt: Receipt;
  /** The destination is stopped (credentials, clock, account): nobody else need try. */
  readonly stopped: boolean;
  /** When the far side, or the pause it asked for, lets another try begin; null: it did not say. */
  readonly retryAfterMs: number | null;
  /** The API's own answer to the last request; null when there was none. */
  readonly answer: DirectAnswer | null;
}

export interface DirectAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As it came: what is shown of it has to be cleaned. */
  readonly body: string;
  /** Takes our credentials out of a text, should the far side have sent them back (G5). */
  clean(text: string): string;
}

import type { Receipt } from '../../domain/receipt.ts';
import type { SeenFile } from '../scan/seen-file.ts';

/** Uploads that are recorded and may stand for a file that has not been sent. */
export interface EarlierUploads {
  /** Which file on disk a pending job, or a receipt to come, is about: kept until it is recorded. No I/O. */
  remember(jobId: string, file: SeenFile): void;
  /** The version that was uploaded from this very file on disk, unchanged since; null: none. Microseconds. */
  ofInode(file: SeenFile): string | null;
  /** A version that was uploaded with these bytes (hex); null: none is known. Microseconds. */
  ofContent(sha256: string): string | null;
  /** Its receipt, when that upload can still stand for a file of so many bytes; null: it cannot. */
  standIn(id: string, size: number): Promise<Receipt | null>;
  /** Hash (hex) of the bytes that the newest receipt of a version is of; null: not known. */
  sha256Of(id: string): Promise<string | null>;
  /** Resolves when a job has left Redis; rejects when the signal fires. */
  untilRecorded(jobId: string, signal: AbortSignal): Promise<void>;
}

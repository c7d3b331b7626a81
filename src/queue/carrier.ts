import { randomUUID } from 'node:crypto';
import type { UploadJob } from '../domain/upload-job.ts';
import { decodeJob } from './codec.ts';

/** Measured: 8 files a job cost Redis 1.6 times as much a file as 16, 32 and 64 hardly less. */
export const CARRIER_FILES = 16;
/** Larger files travel alone: what a job costs is little beside what they do. */
const SMALL_BYTES = 64 * 1024;

/** A file that travels with others. */
export interface CarriedFile {
  readonly jobId: string;
  readonly job: UploadJob;
}

/** What the job of a carrier holds, for people too. */
interface CarrierData {
  readonly v: 1;
  readonly files: readonly (UploadJob & { readonly id: string })[];
}

export function isSmall({ size }: Pick<UploadJob, 'size'>): boolean {
  return size <= SMALL_BYTES;
}

/** New every time: the same files may be added again while an earlier carrier is still held. */
export function newCarrierId(): string {
  return `c-${randomUUID()}`;
}

/** As BullMQ adds it. */
export function newCarrier(jobId: string, files: readonly CarriedFile[]) {
  const data: CarrierData = { v: 1, files: files.map(({ jobId: id, job }) => ({ id, ...job })) };
  return { name: 'carrier', data, opts: { jobId } };
}

/** Files by the carriers they fit in. */
export function inCarriers(files: readonly CarriedFile[]): CarriedFile[][] {
  const count = Math.ceil(files.length / CARRIER_FILES);
  return Array.from({ length: count }, (_, index) =>
    files.slice(index * CARRIER_FILES, (index + 1) * CARRIER_FILES),
  );
}

/** @returns null: nothing is left of it, or another version of Slipway wrote it */
export function decodeCarrier(data: unknown): CarriedFile[] | null {
  const { files } = (data ?? {}) as Partial<CarrierData>;
  if (!Array.isArray(files)) return null;
  try {
    return files.map(({ id, ...job }: { id: string }) => ({ jobId: id, job: decodeJob(job) }));
  } catch {
    return null;
  }
}

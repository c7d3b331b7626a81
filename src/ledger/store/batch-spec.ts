import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { BatchInput } from '../../intake/batch/batch-sink.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import type { GivenMeta } from '../../runtime/owner/attachments.ts';

/** What of a batch belongs to one source. */
export interface BatchSource {
  readonly batch: string;
  readonly source: string;
  readonly destination: string;
  /** Absolute path of the source's folder. */
  readonly root: string;
  /**
   * Which folder lay there when the batch was asked for, with something in it; left out: none did, or an older Slipway
   * asked.
   */
  readonly rootIdentity?: string;
  /** Absolute path of the source's own manifest; the journal lies beside it. */
  readonly sourceManifest: string;
  /** Absolute path of the manifest of this part of the batch. */
  readonly manifest: string;
  /** ISO time. */
  readonly startedAt: string;
  readonly inputs: readonly BatchInput[];
  /** What is attached to its files; left out: nothing. */
  readonly meta?: GivenMeta;
}

/** A batch as it was asked for: all that a later process needs to go on with it. Nothing secret. */
export interface BatchSpec {
  readonly v: 1;
  readonly batch: string;
  readonly startedAt: string;
  readonly parts: readonly BatchSource[];
}

const ID = /^b\d{8}T\d{6}Z-[0-9a-f]{6}$/;

/** `b` + UTC time + random: sorts by time. */
export function newBatchId(nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  return `b${stamp}-${randomBytes(3).toString('hex')}`;
}

/** The folder of every batch's spec, list and manifest. */
export function batchFolder(dataDir: string): string {
  return join(dataDir, 'batches');
}

/** Durable when it returns. */
export async function writeBatchSpec(dataDir: string, spec: BatchSpec): Promise<void> {
  await mkdir(batchFolder(dataDir), { recursive: true, mode: 0o700 });
  const text = `${JSON.stringify(spec, null, 2)}\n`;
  await writeAtomic(join(batchFolder(dataDir), `${spec.batch}.json`), text, { mode: 0o600 });
}

/** @throws SlipwayError `batch_unknown` */
export async function readBatchSpec(dataDir: string, batch: string): Promise<BatchSpec> {
  const path = batchFolder(dataDir);
  if (!ID.test(batch)) throw new SlipwayError('batch_unknown', { batch, path });
  try {
    const spec = JSON.parse(await readFile(join(path, `${batch}.json`), 'utf8')) as Partial<BatchSpec> | null;
    if (spec?.v === 1 && Array.isArray(spec.parts)) return spec as BatchSpec;
    throw new Error('it is of another version');
  } catch (error) {
    throw new SlipwayError(
      'batch_unknown',
      { batch, path: `${path} (${reasonOf(error)})` },
      { cause: error },
    );
  }
}

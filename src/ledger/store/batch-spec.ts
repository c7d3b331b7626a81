import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchSpec } from '../../domain/batch-source.ts';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { rememberOddManifest } from './odd-manifests.ts';

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
  for (const { manifest } of spec.parts) await rememberOddManifest(dataDir, manifest);
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

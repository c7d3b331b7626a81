/** A batch of a source of `runRig`, for a run of its own or for a live owner. */

import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BatchInput, BatchSource } from '../../src/domain/batch-source.ts';
import { writeBatchSpec } from '../../src/ledger/store/batch-spec.ts';
import { openSourceStore } from '../../src/ledger/store/source-store.ts';
import { type HandedParts, handToOwners } from '../../src/operations/ingest/owner-links.ts';
import { openBatchBook } from '../../src/record/batches/batch-book.ts';
import type { Run, RunFacts } from '../../src/runtime/run.ts';
import type { RunRig } from './run-rig.ts';

export const BATCH = 'b20261122T010203Z-abcdef';

/** All of the source's folder. */
export const ALL: BatchInput = { kind: 'folder', path: '' };

export function partOf(rig: RunRig, ...inputs: BatchInput[]): BatchSource {
  const { name, root, destination, manifest } = rig.plan();
  return {
    ...{ batch: BATCH, source: name, destination, root, sourceManifest: manifest, inputs },
    manifest: join(rig.dataDir, 'batches', `${BATCH}.manifest.json`),
    startedAt: '2026-11-22T01:02:03.000Z',
  };
}

/** A process found one file for it, and was killed before that had a job or a receipt. */
export async function foundBefore(rig: RunRig, part: BatchSource): Promise<void> {
  const store = await openSourceStore({
    ...{ dataDir: rig.dataDir, source: 'inbox', manifest: rig.plan().manifest, log: rig.log },
  });
  const batches = openBatchBook({ ...store, source: 'inbox', onEnded() {}, now: Date.now, log: rig.log });
  batches.open(part);
  batches.add(part.batch, [{ id: `f${'0'.repeat(32)}`, gen: 0 }]);
  await batches.stop();
  await store.close();
}

export function startBatch(rig: RunRig, part: BatchSource, more: Partial<RunFacts> = {}): Promise<Run> {
  return rig.start({ batches: [part], spoolMaxBytes: 1_000_000, ...more });
}

/** To the owner that works on the source now. */
export async function handOver(rig: RunRig, part: BatchSource): Promise<HandedParts> {
  const { batch, startedAt } = part;
  await writeBatchSpec(rig.dataDir, { v: 1, batch, startedAt, parts: [part] });
  const redis = { url: rig.redis.socketPath, prefix: 'slipway' };
  const handed = await handToOwners([part], { dataDir: rig.dataDir, redis, log: rig.log });
  onTestFinished(() => handed.close());
  return handed;
}

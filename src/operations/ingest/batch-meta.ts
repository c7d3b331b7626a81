import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { batchFolder } from '../../ledger/store/batch-spec.ts';
import type { GivenMeta } from '../../runtime/owner/attachments.ts';
import type { IngestPlan } from './ingest-plan.ts';

/**
 * The batch with what is attached to its files. A list is kept with it: it may be another one when the batch goes on.
 * @param given its list looked through
 */
export async function withMeta(plan: IngestPlan, given: GivenMeta, dataDir: string): Promise<IngestPlan> {
  if (given.all === null && given.list === null) return plan;
  const { spec } = plan;
  const meta: GivenMeta = { ...given, list: await keptList(given.list, spec.batch, dataDir) };
  return { ...plan, spec: { ...spec, parts: spec.parts.map((part) => ({ ...part, meta })) } };
}

async function keptList(list: string | null, batch: string, dataDir: string): Promise<string | null> {
  if (list === null) return null;
  const kept = join(batchFolder(dataDir), `${batch}.meta.jsonl`);
  await mkdir(batchFolder(dataDir), { recursive: true, mode: 0o700 });
  await pipeline(createReadStream(list), createWriteStream(kept, { mode: 0o600, flush: true }));
  return kept;
}

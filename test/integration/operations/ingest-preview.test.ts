import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { DestinationLimits } from '../../../src/destinations/destination.ts';
import { backlogOf } from '../../../src/operations/ingest/ingest-preview.ts';
import type { SourcePlan } from '../../../src/runtime/plans/source-plan.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { pacedDefinition } from '../../support/paced-api.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';

const GIVE_UP_MS = 30_000;
const NO_LIMITS: DestinationLimits = { maxBytes: null, minBytes: null, extensions: null };

async function openRig(source: Partial<SourcePlan> = {}): Promise<RunRig> {
  const server = await startHttpServer(async (visit) => {
    await visit.body();
    visit.json(200, { id: 'file-1' });
  });
  const definition = pacedDefinition({ server } as Parameters<typeof pacedDefinition>[0]);
  return await runRig({ definition, source: { ignore: ['*.log'], ...source } });
}

function backlog(rig: RunRig, change: Partial<SourcePlan> = {}, limits = NO_LIMITS) {
  return backlogOf([{ ...rig.plan(), ...change }], [], rig.dataDir, limits);
}

test('the count before a start is of the files that the start then sends, and of none once they are recorded', async () => {
  const rig = await openRig();
  for (const name of ['a', 'bb', '.hidden', 'c.tmp', 'd.log', 'sub/ccc'])
    rig.file(name, 'x'.repeat(name.length));
  expect(await backlog(rig)).toEqual({ files: 3, bytes: 10 });
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, new AbortController().signal)).toEqual(['drained']);
  expect(
    rig
      .receipts()
      .map(({ path }) => path)
      .toSorted(),
  ).toEqual(['a', 'bb', 'sub/ccc']);
  expect(await backlog(rig)).toEqual({ files: 0, bytes: 0 });
  rig.file('bb', 'again');
  expect(await backlog(rig)).toEqual({ files: 1, bytes: 5 });
  await run.stop(2_000);
});

test('what would get a receipt without being sent becomes readable by nobody, and is not counted', async () => {
  const rig = await openRig();
  rig.file('small', 'x');
  rig.file('large', 'xxx');
  expect(await backlog(rig, { maxBytes: 1 })).toEqual({ files: 1, bytes: 1 });
  expect(await backlog(rig, {}, { ...NO_LIMITS, maxBytes: 1 })).toEqual({ files: 1, bytes: 1 });
  expect(await backlog(rig, { existing: 'skip' })).toEqual({ files: 0, bytes: 0 });
});

test('a folder that is not there counts for nothing', async () => {
  const rig = await openRig();
  await rm(rig.root(), { recursive: true });
  expect(await backlog(rig)).toEqual({ files: 0, bytes: 0 });
});

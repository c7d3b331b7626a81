/** What a batch is given to read, where it lies a little off. */

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { emptyTally } from '../../../src/domain/batch-progress.ts';
import { openBatchDiscovery } from '../../../src/intake/batch/batch-discovery.ts';
import type { BatchSink } from '../../../src/intake/batch/batch-sink.ts';
import { createLeftOutNames } from '../../../src/intake/batch/left-out-names.ts';
import { intakeOptionsSchema } from '../../../src/intake/options.ts';
import { deadLetterKinds } from '../../../src/operations/failed/dead-letters.ts';
import { anyFolder } from '../../support/batch-root.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { rememberingLog, testFolder } from '../../support/record-rig.ts';
import { runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

const AT = '2026-11-22T01:02:03.000Z';
const never = new AbortController().signal;

async function discover(
  root: string,
  input: Parameters<Discovery>[0][number],
  {
    ownPaths = [],
    log = rememberingLog(),
  }: { ownPaths?: string[]; log?: ReturnType<typeof rememberingLog> } = {},
) {
  const found: string[] = [];
  const refused: string[] = [];
  const sink: BatchSink = {
    files: async (files) => void found.push(...files.map(({ name }) => name.path)),
    entry: async (name) => void found.push(name.path),
    refused: async (name, _facts, { code }) => void refused.push(`${name.path} ${code}`),
  };
  const tally = emptyTally();
  const leftOut = createLeftOutNames(tally, 'inbox', log);
  const now = () => ({ wallMs: Date.now(), monotonicMs: performance.now() });
  const options = {
    ...intakeOptionsSchema.parse({ path: root }),
    settle: 0,
    source: 'inbox',
    root,
    ownPaths,
    now,
    rootFolder: anyFolder(root),
  };
  const discovery = await openBatchDiscovery({ ...options, log }, sink, { tally, leftOut });
  await discovery.discover([input], never);
  return { found: found.sort(), refused, tally, leftOut: leftOut.list() };
}

type Discovery = Awaited<ReturnType<typeof openBatchDiscovery>>['discover'];

test('a list that was made through a symlink to the folder names its files, and none beside it', async () => {
  const folder = testFolder();
  mkdirSync(join(folder, 'real/sub'), { recursive: true });
  mkdirSync(join(folder, 'beside'));
  for (const name of ['real/a.txt', 'real/sub/b.txt', 'beside/c.txt'])
    writeFileSync(join(folder, name), name);
  symlinkSync('real', join(folder, 'link'));
  symlinkSync('../beside', join(folder, 'real/out'));
  const lines = ['link/a.txt', 'link/sub/b.txt', 'beside/c.txt', 'link/out/c.txt', 'real/out/c.txt'];
  const file = join(folder, 'list');
  writeFileSync(file, lines.map((line) => `${join(folder, line)}\n`).join(''));
  const { found, tally } = await discover(join(folder, 'real'), {
    kind: 'list',
    file,
    nul: false,
    base: folder,
  });
  expect(found).toEqual(['a.txt', 'sub/b.txt']);
  expect(tally).toMatchObject({ unusable: 2, ignored: { symlink: 1 } });
});

test('an archive that the system cannot read is no broken one: it has no receipt, and the batch stays open', async () => {
  const folder = testFolder();
  mkdirSync(join(folder, 'pack.tar'));
  const input = { kind: 'archive', path: join(folder, 'pack.tar') } as const;
  await expect(discover(folder, input)).rejects.toMatchObject({ code: 'archive_unreadable' });
  writeFileSync(join(folder, 'other.tar'), 'no archive at all');
  const other = await discover(folder, { kind: 'archive', path: join(folder, 'other.tar') });
  expect(other.refused).toEqual(['other.tar archive_broken']);
});

test('what is named like a file of Slipway in an archive is the user’s, wherever the archive lies', async () => {
  const folder = testFolder();
  const names = ['in.manifest.json', 'data/a.txt', 'sub/in.manifest.jsonl', 'b.txt'];
  const path = join(folder, 'in.zip');
  writeFileSync(path, zipBytes(names.map((name) => ({ name, content: name }))));
  const ownPaths = ['in.manifest.json', 'in.manifest.jsonl', 'data', 'b.txt'].map((name) =>
    join(folder, name),
  );
  const { found, tally } = await discover(folder, { kind: 'archive', path }, { ownPaths });
  expect(found).toEqual(names.map((name) => `in.zip!/${name}`).sort());
  expect(tally.ignored).toEqual({});
});

test('of two entries of one name the last one goes, which is said, as is a guess at names', async () => {
  const folder = testFolder();
  const path = join(folder, 'in.zip');
  const sjis = Buffer.from('955c2e747874', 'hex');
  const entries = ['first', 'second'].map((content) => ({ name: 'a.txt', content }));
  writeFileSync(path, zipBytes([...entries, { name: sjis, content: 'x' }]));
  const log = rememberingLog();
  const { found, tally } = await discover(folder, { kind: 'archive', path }, { log });
  expect(found).toEqual(['in.zip!/a.txt', 'in.zip!/表.txt']);
  expect(tally).toMatchObject({ files: 2, ignored: { replaced: 1 } });
  expect(log.lines.filter(({ fields }) => fields.path === 'in.zip!/a.txt')).toHaveLength(1);
  expect(log.lines.filter(({ fields }) => fields.names === 'shift_jis')).toHaveLength(1);
});

test('a failed file of an archive goes again when the archive is given again, and the retry says so', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', action: 'code', code: 400001, filename: 'bad.txt', times: 1 }],
  });
  const { autoglmUrl, tokenUrl } = sandbox;
  const rig = await runRig({
    definition: definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } }),
  });
  const path = join(testFolder(), 'pack.zip');
  writeFileSync(
    path,
    zipBytes([
      { name: 'bad.txt', content: 'bad' },
      { name: 'good.txt', content: 'good' },
    ]),
  );
  const ingest = async (batch: string) => {
    const { name: source, root, destination, manifest: sourceManifest } = rig.plan();
    const manifest = join(rig.dataDir, 'batches', `${batch}.manifest.json`);
    const part = { ...{ batch, source, destination, root, sourceManifest, manifest }, startedAt: AT };
    const inputs = [{ kind: 'archive', path } as const];
    const run = await rig.start({ batches: [{ ...part, inputs }], spoolMaxBytes: 1_000_000 });
    await run.once(60_000, never);
    return run;
  };
  const first = await ingest('b20261122T010203Z-aaaaaa');
  expect(first.batch('b20261122T010203Z-aaaaaa')[0]?.end?.counts).toMatchObject({ uploaded: 1, failed: 1 });
  const redis = { url: rig.redis.socketPath, prefix: 'slipway' };
  const [uploads] = deadLetterKinds({
    config: { dataDir: rig.dataDir, redis, webhooks: [], sources: {} },
    ...{ sources: [{ name: 'inbox', plan: rig.plan() }], dataDir: rig.dataDir, redis, log: rig.log },
  });
  expect(await uploads?.retry({ match: [], codes: [] })).toMatchObject([
    { letters: 1, examples: [{ reason: 'it is in an archive: repeat slipway ingest with pack.zip' }] },
  ]);
  await first.stop(2_000);
  const second = await ingest('b20261122T010203Z-bbbbbb');
  expect(second.batch('b20261122T010203Z-bbbbbb')[0]?.end?.counts).toMatchObject({ uploaded: 2, failed: 0 });
});

/** Archives that were made anew under the same name: what has the same name, size and time may have other bytes. */
import { createHash } from 'node:crypto';
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { definitionOf } from '../../support/destination-definitions.ts';
import { testFolder } from '../../support/record-rig.ts';
import { runRig } from '../../support/run-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { tarBytes } from '../../support/tar-bytes.ts';
import { zipBytes } from '../../support/zip-bytes.ts';

const never = new AbortController().signal;
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Ingests one archive, again and again, and says what the sandbox got. */
async function place(name: string) {
  const sandbox = await sandboxForTest();
  const { autoglmUrl, tokenUrl } = sandbox;
  const rig = await runRig({
    definition: definitionOf('autoglm', { url: autoglmUrl, token: { url: tokenUrl } }),
  });
  const path = join(testFolder(), name);
  let batches = 0;
  /** Uploads that are new, by their hashes, and how the batch ended. */
  const ingest = async () => {
    batches += 1;
    const before = sandbox.summary().count;
    const batch = `b20261122T010203Z-aaaaa${batches}`;
    const { name: source, root, destination, manifest: sourceManifest } = rig.plan();
    const manifest = join(rig.dataDir, 'batches', `${batch}.manifest.json`);
    const part = { batch, source, destination, root, sourceManifest, manifest };
    const run = await rig.start({
      batches: [{ ...part, startedAt: '2026-11-22T01:02:03.000Z', inputs: [{ kind: 'archive', path }] }],
      spoolMaxBytes: 1_000_000,
    });
    await run.once(60_000, never);
    const counts = run.batch(batch)[0]?.end?.counts;
    await run.stop(2_000);
    return { sent: sandbox.summary().count - before, uploaded: counts?.uploaded, failed: counts?.failed };
  };
  const latest = () =>
    Object.fromEntries(rig.receipts().map(({ path: of, gen, sha256 }) => [of, `${gen} ${sha256}`]));
  return { path, ingest, latest };
}

/** As download tools and packers do: another file in its place. */
function replace(path: string, bytes: Buffer): void {
  writeFileSync(`${path}.new`, bytes);
  renameSync(`${path}.new`, path);
}

const entries = (a: string, b: string) => [
  { name: 'a.txt', content: a },
  { name: 'b.txt', content: b },
];

test.each([
  ['pack.zip', (a: string, b: string) => zipBytes(entries(a, b))],
  ['pack.tar', (a: string, b: string) => tarBytes(entries(a, b))],
  ['pack.tar.gz', (a: string, b: string) => gzipSync(tarBytes(entries(a, b)))],
])(
  '%s: other bytes of the same size and time go as the next generation, equal ones do not',
  async (name, pack) => {
    const { path, ingest, latest } = await place(name);
    writeFileSync(path, pack('first!', 'stays'));
    expect(await ingest()).toEqual({ sent: 2, uploaded: 2, failed: 0 });
    expect(await ingest()).toEqual({ sent: 0, uploaded: 2, failed: 0 });

    replace(path, pack('second', 'stays'));
    expect(await ingest()).toEqual({ sent: 1, uploaded: 2, failed: 0 });
    expect(latest()).toEqual({
      [`${name}!/a.txt`]: `1 ${hash('second')}`,
      [`${name}!/b.txt`]: `0 ${hash('stays')}`,
    });

    // A copy: another file with what is recorded, which is looked at and not sent.
    copyFileSync(path, `${path}.copy`);
    renameSync(`${path}.copy`, path);
    expect(await ingest()).toEqual({ sent: 0, uploaded: 2, failed: 0 });
    replace(path, pack('first!', 'other'));
    expect(await ingest()).toEqual({ sent: 2, uploaded: 2, failed: 0 });
  },
);

test('what could not be unpacked goes once the archive is got again, although nothing but its bytes differs', async () => {
  const { path, ingest, latest } = await place('pack.tar');
  const whole = tarBytes([
    { name: 'a.txt', content: 'whole' },
    { name: 'b.txt', content: 'x'.repeat(3_000) },
    { name: 'c.txt', content: 'behind' },
  ]);
  writeFileSync(path, whole.subarray(0, 2_500));
  expect(await ingest()).toMatchObject({ sent: 1, uploaded: 1, failed: 2 });
  replace(path, whole);
  expect(await ingest()).toMatchObject({ sent: 2, uploaded: 3, failed: 0 });
  expect(latest()['pack.tar!/b.txt']).toBe(`1 ${hash('x'.repeat(3_000))}`);
});

/**
 * Archives as the tools of other people make them, each unpacked by a tool too: what a server of its own received of
 * them is the same, by name, size and SHA-256.
 */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { bytesOf } from '../../src/domain/path-bytes.ts';
import { type ArchiveCase, TAR_CASES, ZIP_CASES } from '../support/archive-cases.ts';
import { filesBelow, makeTree, missingTool, printOf } from '../support/archive-tools.ts';
import { startHttpServer } from '../support/http-server.ts';
import { batchOf, spooled } from '../support/ingest-place.ts';
import { readMultipart } from '../support/multipart-reader.ts';
import { inboxConfig, newWorkplace, type Workplace } from '../support/workplace.ts';

/** What it got, each as `SIZE HASH NAME`. */
async function independentServer(): Promise<{ readonly url: string; readonly received: string[] }> {
  const received: string[] = [];
  const { origin } = await startHttpServer(async (visit) => {
    const [part] = readMultipart(await visit.body(), visit.request.headers['content-type']);
    if (part === undefined) return visit.json(400, { error: 'no file' });
    const [, name = ''] = /filename="([^"]*)"/.exec(Buffer.from(part.head, 'latin1').toString('utf8')) ?? [];
    received.push(`${printOf(part.content)} ${name}`);
    visit.json(200, { id: `file-${received.length}` });
  });
  return { url: `${origin}/files`, received };
}

function ownDestination(url: string): object {
  return { url, answer: { id: '/id' }, visibility: 'private', token: { value: 'none' } };
}

async function ingested(place: Workplace, archives: readonly string[]) {
  const result = await place.run(['ingest', ...archives, '--to', 'demo', '--json', '--log-level', 'warn']);
  const batch = batchOf(result);
  const read = await Promise.all(
    archives.map(async (archive) => {
      const receipts = await place.receipts(place.path(`${archive}.manifest.jsonl`));
      const files = receipts.map((receipt) => {
        const name = bytesOf(receipt).toString('latin1');
        const print =
          receipt.status === 'uploaded' ? `${receipt.bytes} ${receipt.sha256}` : receipt.error?.code;
        return [name.slice(name.indexOf('!/') + 2), print];
      });
      return [archive, Object.fromEntries(files)];
    }),
  );
  return { result, batch, read: Object.fromEntries(read) as Record<string, Record<string, string>> };
}

test.each([
  ['zip', ZIP_CASES],
  ['tar', TAR_CASES],
] as const)(
  'every kind of %s that a tool makes is read as a tool reads it',
  async (_kind, cases: readonly ArchiveCase[]) => {
    const place = await newWorkplace();
    const { url, received } = await independentServer();
    await place.config(inboxConfig(ownDestination(url), { source: {} }));
    makeTree(place.path('tree'));
    const expected: Record<string, Record<string, string>> = {};
    for (const { archive, make, unpack, tools } of cases) {
      const reason = missingTool(tools);
      if (reason !== null) {
        console.warn(`${archive} is left out: ${reason}`);
        continue;
      }
      make(place.folder, archive);
      const out = join(place.folder, 'out', archive);
      mkdirSync(out, { recursive: true });
      unpack(out, join(place.folder, archive));
      expected[archive] = filesBelow(out);
      expect(Object.keys(expected[archive] ?? {}), archive).not.toEqual([]);
    }

    const { result, batch, read } = await ingested(place, Object.keys(expected));

    expect(read).toEqual(expected);
    expect({ code: result.code, failed: batch.counts.failed }).toEqual({ code: 0, failed: 0 });
    const sent = Object.values(expected).flatMap((files) =>
      Object.entries(files).map(
        ([name, print]) => `${print} ${basename(Buffer.from(name, 'latin1').toString('utf8'))}`,
      ),
    );
    expect(received.toSorted()).toEqual(sent.toSorted());
    expect(spooled(place)).toEqual([]);
  },
);

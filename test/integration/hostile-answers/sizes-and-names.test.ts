/** What the far side says of an accepted file's size, and what it is told of its name. */
import { expect, test } from 'vitest';
import { definitionFrom } from '../../support/destination-definitions.ts';
import { startHttpServer } from '../../support/http-server.ts';
import { runRig } from '../../support/run-rig.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;

/** An API that stores what it gets and says another size of some files. */
async function countingApi(lies: (name: string) => boolean) {
  const names: string[] = [];
  const dispositions: string[] = [];
  const server = await startHttpServer(async (visit) => {
    const body = (await visit.body()).toString();
    const disposition = /Content-Disposition: (.*)\r\n/.exec(body)?.[1] ?? '';
    const name = /; filename="([^"]*)"/.exec(disposition)?.[1] ?? '';
    names.push(name);
    dispositions.push(disposition);
    const [, content = ''] = /\r\n\r\n([\s\S]*)\r\n--/.exec(body) ?? [];
    visit.json(200, { id: `id-${names.length}`, bytes: lies(name) ? 1 : Buffer.byteLength(content) });
  });
  const definition = (more: object = {}) =>
    definitionFrom({
      ...{ url: `${server.origin}/files`, visibility: 'private' },
      ...{ answer: { id: '/id', bytes: '/bytes' }, ...more },
    });
  return { names, dispositions, definition };
}

const retry = { baseDelay: 2, maxDelay: 4 };

test('an API that counts otherwise stops after twenty, with no file failed and the way out in its words', async () => {
  const api = await countingApi(() => true);
  const rig = await runRig({ definition: api.definition(), atOnce: 4, retry });
  rig.files(60);
  const run = await rig.start();
  expect(await run.once(GIVE_UP_MS, never)).toEqual(['stopped']);
  const [destination] = (await run.report()).destinations;
  expect(destination?.failure).toMatch(
    /20 files in a row were stored with another size.*\d+ bytes were sent.*stored 1\).*set `answer\.bytes: null` if this API counts otherwise/,
  );
  expect(rig.receipts()).toEqual([]);
  // Each may have left a copy.
  expect(api.names.length).toBeLessThanOrEqual(20 + 4);
});

test('with answer.bytes: null nothing is compared', async () => {
  const api = await countingApi(() => true);
  const definition = api.definition({ answer: { id: '/id', bytes: null } });
  const rig = await runRig({ definition, atOnce: 4, retry });
  rig.files(10);
  expect(await (await rig.start()).once(GIVE_UP_MS, never)).toEqual(['drained']);
  expect(rig.receipts().every(({ status }) => status === 'uploaded')).toBe(true);
  expect(api.names).toHaveLength(10);
});

test('one file stored with another size is sent once more and fails for itself, with both numbers', async () => {
  const api = await countingApi((name) => name === '7.txt');
  const rig = await runRig({ definition: api.definition(), atOnce: 2, retry });
  rig.files(40);
  expect(await (await rig.start()).once(GIVE_UP_MS, never)).toEqual(['drained']);
  const failed = rig.receipts().filter(({ status }) => status !== 'uploaded');
  expect(failed).toMatchObject([
    {
      path: '7.txt',
      attempts: 2,
      error: { code: 'size_mismatch', message: expect.stringMatching(/18 bytes were sent.*stored 1/) },
    },
  ]);
  expect(api.names.filter((name) => name === '7.txt')).toHaveLength(2);
});

test.each([
  ['as-is', '课 "a".txt', 'filename="课 %22a%22.txt"', '课 %22a%22.txt'],
  ['ascii', '课 "a".txt', 'filename="_ _a_.txt"', '_ _a_.txt'],
  ['extended', '课 "a".txt', `filename="_ _a_.txt"; filename*=UTF-8''%E8%AF%BE%20%22a%22.txt`, undefined],
  ['ascii', 'plain.txt', 'filename="plain.txt"', undefined],
])(
  'fileNames %s: %s travels as told, and the receipt says what was sent where it is another',
  async (fileNames, name, sent, said) => {
    const api = await countingApi(() => false);
    const rig = await runRig({ definition: api.definition({ fileNames }), atOnce: 1, retry });
    rig.file(name);
    expect(await (await rig.start()).once(GIVE_UP_MS, never)).toEqual(['drained']);
    expect(api.dispositions).toEqual([`form-data; name="file"; ${sent}`]);
    expect(rig.receipts()).toMatchObject([{ path: name, status: 'uploaded' }]);
    expect(rig.receipts()[0]?.sentName).toBe(said);
  },
);

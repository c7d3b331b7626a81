import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import { openDestination } from '../../../src/destinations/open-destination.ts';
import { type Log, silentLog } from '../../../src/domain/log.ts';
import {
  type DirectFile,
  type DirectUploader,
  directUploader,
} from '../../../src/operations/upload/direct-upload.ts';
import { concurrencySchema } from '../../../src/pacing/options.ts';
import { retrySchema } from '../../../src/upload/options.ts';
import { definitionOf } from '../../support/destination-definitions.ts';
import { pacedDefinition, startPacedApi } from '../../support/paced-api.ts';
import { processingDefinition, startProcessingApi } from '../../support/processing-api.ts';
import { rememberingLog } from '../../support/record-rig.ts';
import { sandboxForTest } from '../../support/sandbox.ts';
import { testClient, uploadFolder } from '../../support/upload-fixture.ts';

const never = new AbortController().signal;

function uploader(
  definition: DestinationDefinition,
  more: { readonly giveUpMs?: number; readonly log?: Log } = {},
): DirectUploader {
  const client = testClient();
  const destination = openDestination(definition, {
    fetchText: client.fetchText,
    log: silentLog,
    now: Date.now,
    random: Math.random,
    env: {},
  });
  const direct = directUploader({
    destination,
    concurrency: concurrencySchema.parse({ initial: 1, max: 1 }),
    retry: { ...retrySchema.parse(undefined), baseDelay: 10, maxDelay: 20 },
    send: client.send,
    log: silentLog,
    ...more,
  });
  onTestFinished(() => direct.close());
  return direct;
}

function fileCalled(name: string): DirectFile {
  const folder = uploadFolder();
  writeFileSync(join(folder, name), `content of ${name}`);
  const { size, mtimeNs } = lstatSync(join(folder, name), { bigint: true });
  const fileName = Buffer.from(name);
  return { folder, fileName, shown: fileName, size: Number(size), mtimeNs: String(mtimeNs) };
}

test('an upload waits until its file can be used, and lets the next one go meanwhile', async () => {
  const api = await startProcessingApi();
  const direct = uploader(processingDefinition(api));
  const results = [direct.upload(fileCalled('a.txt'), never), direct.upload(fileCalled('b.txt'), never)];
  await expect.poll(() => api.looks().size).toBe(2);
  api.state = 'processed';
  for (const { receipt } of await Promise.all(results))
    expect(receipt).toMatchObject({
      status: 'uploaded',
      attempts: 1,
      ref: expect.stringMatching(/^fileid:/),
    });
  expect(api.uploads()).toBe(2);
});

test('the deadline of the destination ends the wait, whether looks get through or not', async () => {
  for (const state of ['processing', 'reset']) {
    const api = await startProcessingApi(state);
    const { receipt } = await uploader(processingDefinition(api, { deadline: '200ms' })).upload(
      fileCalled('a.txt'),
      never,
    );
    expect(receipt).toMatchObject({ status: 'failed', attempts: 1, error: { code: 'not_ready' } });
    expect(api.uploads()).toBe(1);
  }
});

test('an abort ends the wait', async () => {
  const api = await startProcessingApi();
  const stop = new AbortController();
  const result = uploader(processingDefinition(api)).upload(fileCalled('a.txt'), stop.signal);
  await expect.poll(() => api.looks().size).toBe(1);
  stop.abort();
  await expect(result).rejects.toThrow();
});

test('receipts count attempts as the daemon does: a 429 and a token service that is down are none', async () => {
  const sandbox = await sandboxForTest({
    faults: [{ api: 'autoglm', operation: 'upload', action: '429', retryAfter: 0, times: 2 }],
  });
  const autoglm = (tokenUrl: string) =>
    definitionOf('autoglm', { url: sandbox.autoglmUrl, token: { url: tokenUrl } });
  const sent = await uploader(autoglm(sandbox.tokenUrl)).upload(fileCalled('a.txt'), never);
  expect(sent.receipt).toMatchObject({ status: 'uploaded', attempts: 1 });
  const tries = sent.receipt.attemptLog?.map(({ httpStatus, attempted }) => [httpStatus, attempted]);
  expect(tries).toEqual([
    [429, false],
    [429, false],
  ]);
  // Nobody watched for it.
  expect(sent.receipt).not.toHaveProperty('seenMs');
  const unsent = await uploader(autoglm('http://127.0.0.1:1/get_token')).upload(fileCalled('b.txt'), never);
  expect(unsent.receipt).toMatchObject({
    status: 'failed',
    attempts: 0,
    error: { code: 'token_service_unreachable' },
    attemptLog: [1, 2, 3].map(() => expect.objectContaining({ code: 'token_service_unreachable' })),
  });
});

test('when the far side is down every file is tried in its own time and tells how it ended: nobody waits for a probe', async () => {
  const api = await startPacedApi();
  api.answer = () => ({ status: 503 });
  const direct = uploader(pacedDefinition(api));
  const names = Array.from({ length: 8 }, (_, index) => `${index}.txt`);
  const results = await Promise.all(names.map((name) => direct.upload(fileCalled(name), never)));
  for (const { receipt } of results) {
    expect(receipt).toMatchObject({ status: 'failed', attempts: 8 });
    // The one that ended it too.
    expect(receipt.attemptLog).toHaveLength(8);
  }
  expect(api.requests).toHaveLength(64);
});

test('a quota holds for uploads without a queue as well', async () => {
  const api = await startPacedApi();
  const direct = uploader(pacedDefinition(api, { rate: { perMinute: 6 } }));
  const first = await direct.upload(fileCalled('a.txt'), never);
  expect(first.receipt.status).toBe('uploaded');
  const stop = new AbortController();
  const second = direct.upload(fileCalled('b.txt'), stop.signal);
  second.catch(() => undefined);
  // The next slot is ten seconds away.
  await expect.poll(() => api.requests.length, { interval: 50 }).toBe(1);
  stop.abort();
  await expect(second).rejects.toThrow();
  expect(api.requests).toHaveLength(1);
});

test.each([
  ['429', 3],
  ['503', 1],
])(
  'a %s with Retry-After says for how long it waits, shows it running, and goes on',
  async (status, seconds) => {
    const api = await startPacedApi();
    const log = rememberingLog();
    let refused = false;
    api.answer = () => {
      if (refused) return undefined;
      refused = true;
      return { status: Number(status), retryAfter: String(seconds) };
    };
    const direct = uploader(pacedDefinition(api), { giveUpMs: 60_000, log });
    const result = direct.upload(fileCalled('a.txt'), never);
    await expect
      .poll(() => direct.waiting()?.message, { interval: 20 })
      .toMatch(/asks to be left alone until|503/);
    const leftMs = (direct.waiting()?.untilMs ?? 0) - Date.now();
    expect(leftMs).toBeLessThanOrEqual(seconds * 1_100);
    expect((await result).receipt.status).toBe('uploaded');
    expect(direct.waiting()).toBeNull();
    expect(log.lines.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^a\.txt: .*; trying again in \d/),
    ]);
  },
);

test.each([429, 503])(
  'what is asked to wait longer than --give-up ends at once, with the time and the way out: %i',
  async (status) => {
    const api = await startPacedApi();
    api.answer = () => ({ status, retryAfter: '3600' });
    const direct = uploader(pacedDefinition(api), { giveUpMs: 60_000 });
    const results = await Promise.all(
      ['a.txt', 'b.txt'].map((name) => direct.upload(fileCalled(name), never)),
    );
    for (const { receipt, stopped } of results) {
      expect(stopped).toBe(false);
      expect(receipt.error).toMatchObject({
        kind: status === 429 ? 'throttled' : 'unavailable',
        message: expect.stringMatching(/the next try would be in 1h.*--give-up is 1m/),
      });
    }
    // The second found the destination asking to be left alone, or asked as well.
    expect(api.requests.length).toBeLessThanOrEqual(2);
  },
);

test('429 for ever ends when nothing has succeeded for --give-up', async () => {
  const api = await startPacedApi();
  api.answer = () => ({ status: 429 });
  const { receipt } = await uploader(pacedDefinition(api), { giveUpMs: 2_500 }).upload(
    fileCalled('a.txt'),
    never,
  );
  expect(receipt.status).toBe('failed');
  expect(['throttled', 'unavailable']).toContain(receipt.error?.kind);
  expect(receipt.error?.message).toMatch(/--give-up/);
  expect(api.requests.length).toBeGreaterThan(1);
});

/** Every row of hostile-rows.ts on the ways without a queue: what was asked, what the receipt says, how it ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { EXIT, type ExitCode, exitCodeOfKind } from '../../../src/cli/exit-codes.ts';
import type { DestinationDefinition } from '../../../src/destinations/definition/definition.ts';
import { openDestination } from '../../../src/destinations/open-destination.ts';
import { silentLog } from '../../../src/domain/log.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { type DirectResult, directUploader } from '../../../src/operations/upload/direct-upload.ts';
import { concurrencySchema } from '../../../src/pacing/options.ts';
import { retrySchema } from '../../../src/upload/options.ts';
import {
  type Call,
  hostileDefinition,
  PARTS_ABOVE,
  startHostileApi,
  waitingDefinition,
} from '../../support/hostile-api.ts';
import { EXIT_OF_FAULT, HOSTILE_ROWS, type HostileRow } from '../../support/hostile-rows.ts';
import { taskOf, testClient, uploadFolder } from '../../support/upload-fixture.ts';

const never = new AbortController().signal;
/** Between tries: a test need not wait as long as a server would like. */
const MOST_WAIT_MS = 5;
vi.mock('../../../src/platform/waiting/abort.ts', async (original) => {
  const actual = await original<typeof import('../../../src/platform/waiting/abort.ts')>();
  return {
    ...actual,
    sleep: (ms: number, signal: AbortSignal) => actual.sleep(Math.min(ms, MOST_WAIT_MS), signal),
  };
});

/** An answer that drips is cut off after this; nobody else is to be hurried, on whatever machine. */
const responseMs = ({ what }: Pick<HostileRow, 'what'>): number => (/drips/.test(what) ? 300 : 30_000);
const ATTEMPTS = 2;
const retry = { ...retrySchema.parse(undefined), attempts: ATTEMPTS, baseDelay: 2, maxDelay: 4 };

/** One file straight to the destination, as `slipway upload` does. */
async function sendDirectly(
  row: HostileRow,
  definition: DestinationDefinition,
  size: number,
): Promise<DirectResult> {
  const root = uploadFolder();
  writeFileSync(join(root, 'a.txt'), Buffer.alloc(size, 'x'));
  const client = testClient({ responseTimeoutMs: responseMs(row) });
  const destination = openDestination(definition, {
    ...{ fetchText: client.fetchText, log: silentLog, now: Date.now, random: Math.random, env: {} },
  });
  const uploader = directUploader({
    ...{ destination, retry, send: client.send, log: silentLog, giveUpMs: 1_500 },
    concurrency: concurrencySchema.parse({ initial: 1, max: 1 }),
  });
  onTestFinished(() => uploader.close());
  const { mtimeNs } = taskOf(root, 'a.txt');
  const fileName = Buffer.from('a.txt');
  return await uploader.upload({ folder: root, fileName, shown: fileName, size, mtimeNs }, never);
}

function exitOf({ receipt, stopped }: DirectResult): ExitCode {
  if (receipt.status === 'uploaded') return EXIT.ok;
  return stopped ? EXIT.stopped : exitCodeOfKind(receipt.error?.kind ?? 'internal');
}

const wordsOf = ({ error }: Receipt): string => error?.message ?? '';

describe('slipway upload', () => {
  test.for(HOSTILE_ROWS)('$what', async (row) => {
    const api = await startHostileApi('upload', row);
    const result = await sendDirectly(row, hostileDefinition(api), 10);
    expect(exitOf(result), wordsOf(result.receipt)).toBe(EXIT_OF_FAULT[row.fault]);
    expect(wordsOf(result.receipt)).toMatch(row.says);
    expect(result.receipt.status).toBe(row.fault === 'nobody' ? 'uploaded' : 'failed');
    if (row.fault === 'outage') expect(api.calls.upload).toBe(ATTEMPTS);
    else if (row.fault === 'throttled') expect(api.calls.upload).toBeGreaterThanOrEqual(1);
    else expect(api.calls.upload).toBe(row.tries ?? 1);
  });
});

describe.each<Call>(['create', 'part', 'complete'])('a file in parts, at its call %s', (call) => {
  test.for(HOSTILE_ROWS)('$what', async (row) => {
    const api = await startHostileApi(call, row);
    const result = await sendDirectly(row, hostileDefinition(api), PARTS_ABOVE + 1);
    // A server without that call: only what needs it fails.
    const lacksParts = call === 'create' && /^40[45]$/.test(row.what);
    const fault = lacksParts ? 'file' : row.fault;
    expect(exitOf(result), wordsOf(result.receipt)).toBe(EXIT_OF_FAULT[fault]);
    expect(wordsOf(result.receipt)).toMatch(
      lacksParts ? /no call for uploads in parts.*set `parts: null`.*upload files up to 100 B/ : row.says,
    );
    // What was begun and did not end is taken back.
    expect(api.calls.cancel > 0).toBe(fault !== 'nobody' && call !== 'create');
    expect(api.calls.upload).toBe(0);
  });
});

describe('a look at an accepted file', () => {
  test.for(HOSTILE_ROWS)('$what', async (row) => {
    const api = await startHostileApi('look', row);
    const result = await sendDirectly(row, waitingDefinition(api, '400ms'), 10);
    const { receipt } = result;
    // Never sent again, whatever a look says.
    expect(api.calls.upload).toBe(1);
    expect(api.calls.look).toBeGreaterThan(0);
    if (row.fault === 'nobody') {
      expect(receipt.status).toBe('uploaded');
      return;
    }
    expect(receipt.status).toBe('failed');
    expect(wordsOf(receipt)).not.toMatch(/still being processed/);
    expect(wordsOf(receipt)).toMatch(row.says);
  });
});

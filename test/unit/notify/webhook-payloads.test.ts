import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { encodeReceipt } from '../../../src/ledger/journal/receipt-codec.ts';
import { buildDeliveries, type JournaledReceipt } from '../../../src/notify/event/build-deliveries.ts';
import { batchBody, receiptBody, windowBody } from '../../../src/notify/event/event-body.ts';
import { createSigner } from '../../../src/notify/send/signature.ts';
import { batchEndOf, receiptFor } from '../../support/notify-rig.ts';
import { SECRET } from '../../support/webhook-receiver.ts';

const SCHEMAS = new URL('../../../config/schemas/', import.meta.url);
const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });

function expectValid(text: string): void {
  const { type } = JSON.parse(text) as { type: string };
  const validate = ajv.compile(JSON.parse(readFileSync(new URL(`${type}.json`, SCHEMAS), 'utf8')) as object);
  validate(JSON.parse(text));
  expect(validate.errors).toBeNull();
}

const error = {
  code: 'too_large',
  kind: 'skipped',
  message: 'no',
  httpStatus: null,
  at: '2026-11-22T01:02:05.000Z',
};
const uploaded = receiptFor('a b/报告.pdf', { remote: { code: 0, data: ['x'] } });
const failed = receiptFor('f.pdf', {
  ...{
    status: 'failed',
    url: null,
    fileId: null,
    ref: null,
    sha256: null,
    uploadedAt: null,
    durationMs: null,
  },
  error: { ...error, kind: 'rejected', httpStatus: 400 },
  ...{ seenMs: 2_004, settledMs: 4 },
  attemptLog: [
    { at: error.at, code: 'http_429', kind: 'throttled', httpStatus: 429, counted: false, attempted: false },
    { at: error.at, code: 'http_400', kind: 'rejected', httpStatus: 400, counted: true },
  ],
});
const skipped: Receipt = { ...failed, status: 'skipped', error, meta: { order: '7' }, pathBytes: '/w==' };

describe('payloads fit the schemas that are published for them', () => {
  test.each([uploaded, failed, skipped])('file.$status', (receipt) => {
    const text = receiptBody(receipt, encodeReceipt(receipt));
    expectValid(text);
    expect(JSON.parse(text)).toEqual({
      type: `file.${receipt.status}`,
      timestamp: receipt.recordedAt,
      data: JSON.parse(encodeReceipt(receipt)) as unknown,
    });
  });

  test('files.settled, without `remote` and failed tries', () => {
    const text = windowBody([uploaded, failed, skipped]);
    expectValid(text);
    const { data } = JSON.parse(text) as { data: { receipts: object[] } };
    expect(data.receipts).toHaveLength(3);
    for (const receipt of data.receipts) {
      expect(receipt).not.toHaveProperty('remote');
      expect(receipt).not.toHaveProperty('attemptLog');
    }
  });

  test('batch.completed', () => {
    const end = batchEndOf('b1');
    const text = batchBody(end);
    expectValid(text);
    expect(JSON.parse(text)).toEqual({
      type: 'batch.completed',
      timestamp: end.completedAt,
      data: { ...end, durationMs: 7_500 },
    });
  });

  test('batch.completed of a dropped folder has its name', () => {
    const end = { ...batchEndOf('b1'), folder: '报告 7' };
    const text = batchBody(end);
    expectValid(text);
    expect(JSON.parse(text)).toMatchObject({ data: { ...end, durationMs: 7_500 } });
  });

  test('and a schema refuses what is none of ours', () => {
    const validate = ajv.compile(
      JSON.parse(readFileSync(new URL('file.uploaded.json', SCHEMAS), 'utf8')) as object,
    );
    expect(validate(JSON.parse(receiptBody(failed, encodeReceipt(failed))))).toBe(false);
    expect(validate({ type: 'file.uploaded', timestamp: '2026-11-22T01:02:05.000Z', data: {} })).toBe(false);
  });

  test('there is one for every type', () => {
    expect(readdirSync(SCHEMAS).sort()).toEqual([
      'batch.completed.json',
      'file.failed.json',
      'file.skipped.json',
      'file.uploaded.json',
      'files.settled.json',
    ]);
  });
});

test('a signature is what the standard’s own library expects, for every secret', () => {
  const other = 'whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=';
  const body = receiptBody(uploaded, encodeReceipt(uploaded));
  const headers = createSigner([other, SECRET]).headers('msg_1', Date.now(), body);
  for (const secret of [SECRET, other]) expect(new Webhook(secret).verify(body, headers)).toBeTruthy();
  expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
  expect(() => new Webhook(SECRET).verify(`${body} `, headers)).toThrow('No matching signature');
});

describe('making deliveries out of the journal', () => {
  const NOW = Date.parse('2026-11-22T02:00:00.000Z');

  function lines(receipts: readonly Receipt[]): JournaledReceipt[] {
    let from = 0;
    return receipts.map((receipt) => {
      const line = encodeReceipt(receipt);
      const place = { from, to: from + Buffer.byteLength(line) + 1, receipt, line };
      from = place.to;
      return place;
    });
  }

  const at = (path: string, secondsAgo: number, status: Receipt['status'] = 'uploaded'): Receipt =>
    receiptFor(path, { status, recordedAt: new Date(NOW - secondsAgo * 1_000).toISOString() });
  const endpoint = { name: 'p', events: ['file.uploaded'] as const, batch: null };
  const windows = { ...endpoint, batch: { maxItems: 2, maxWait: 1_000 } };
  const open = { from: 0, room: 10, now: NOW, close: false };

  test('what is of no interest is passed over, and no more is made than there is room for', () => {
    const all = lines([at('s', 9, 'skipped'), at('a', 9), at('t', 9, 'skipped'), at('b', 9), at('c', 9)]);
    const made = buildDeliveries(all, endpoint, { ...open, room: 2 });
    expect(made.deliveries.map(({ content }) => content)).toEqual([
      { kind: 'receipt', from: all[1]?.from, to: all[1]?.to },
      { kind: 'receipt', from: all[3]?.from, to: all[3]?.to },
    ]);
    expect(made.at).toBe(all[3]?.to);
    expect(buildDeliveries(all.slice(0, 1), endpoint, open)).toEqual({
      deliveries: [],
      at: all[0]?.to,
      waitMs: null,
    });
  });

  test('a window closes when it is full, or its first receipt has waited for `maxWait`', () => {
    const all = lines([at('a', 0.4), at('b', 0.3), at('c', 0.2), at('s', 0.1, 'skipped')]);
    const made = buildDeliveries(all, windows, open);
    expect(made.deliveries).toMatchObject([
      { events: 2, content: { kind: 'receipts', from: 0, to: all[1]?.to } },
    ]);
    expect(made).toMatchObject({ at: all[1]?.to, waitMs: 800 });
    expect(buildDeliveries(all, windows, { ...open, now: NOW + 800 }).deliveries).toHaveLength(2);
    expect(buildDeliveries(all, windows, { ...open, close: true }).deliveries).toHaveLength(2);
  });

  test('a clock that was set back does not make a window wait for longer', () => {
    expect(buildDeliveries(lines([at('a', -3_600)]), windows, open).waitMs).toBe(1_000);
  });

  test('ids hang on the endpoint’s name and on what is told, and on nothing else', () => {
    const [a] = buildDeliveries(lines([at('a', 1)]), endpoint, open).deliveries;
    const [again] = buildDeliveries(lines([at('z', 9), at('a', 1)]), endpoint, open).deliveries.slice(1);
    const [other] = buildDeliveries(lines([at('a', 1)]), { ...endpoint, name: 'q' }, open).deliveries;
    expect(again?.id).toBe(a?.id);
    expect(other?.id).not.toBe(a?.id);
    expect(a?.id).toMatch(/^msg_[0-9a-f]{32}$/);
  });
});

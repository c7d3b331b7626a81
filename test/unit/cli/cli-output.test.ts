import { expect, test } from 'vitest';
import { EXIT, exitCodeOf, exitCodeOfKind, worstExit } from '../../../src/cli/exit-codes.ts';
import { printed } from '../../../src/cli/screen/print-forms.ts';
import { progressLine } from '../../../src/cli/screen/progress-line.ts';
import { paintFor, printable } from '../../../src/cli/screen/terminal.ts';
import { type ErrorCode, SlipwayError } from '../../../src/domain/errors.ts';
import { etaSeconds, type LiveReport } from '../../../src/domain/live-report.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { createRateMeter } from '../../../src/pacing/rate-meter.ts';
import { uploadedOutcome } from '../../support/upload-job.ts';

const receipt = (changes: Partial<Receipt> = {}): Receipt => ({
  ...uploadedOutcome('a/会议.pdf'),
  recordedAt: '2026-11-22T01:02:06.000Z',
  ...changes,
});

test.each([
  ['usage', EXIT.usage],
  ['config_invalid', EXIT.usage],
  ['redis_binary_missing', EXIT.usage],
  ['redis_unreachable', EXIT.temporary],
  ['token_service_unreachable', EXIT.temporary],
  ['token_service_refused', EXIT.stopped],
  ['token_refused', EXIT.stopped],
  ['clock_drift', EXIT.stopped],
  ['exhausted', EXIT.stopped],
  ['rejected', EXIT.permanent],
  ['internal', EXIT.internal],
] as const)('an error %s ends a command with exit code %i', (code: ErrorCode, exit) => {
  expect(exitCodeOf(new SlipwayError(code))).toBe(exit);
});

test('an error that is none of ours is internal, and a skipped file is as final as a refused one', () => {
  expect(exitCodeOf(new TypeError('x'))).toBe(EXIT.internal);
  expect(exitCodeOfKind('skipped')).toBe(EXIT.permanent);
});

test('of several outcomes a stopped destination weighs most, then lost files, then files that may still go', () => {
  expect(worstExit([EXIT.ok, EXIT.temporary, EXIT.permanent])).toBe(EXIT.permanent);
  expect(worstExit([EXIT.permanent, EXIT.stopped, EXIT.temporary])).toBe(EXIT.stopped);
  expect(worstExit([])).toBe(EXIT.ok);
});

test('raw prints the answer as the original script does: two spaces, non-ASCII as it is', () => {
  const remote = { code: 0, msg: '成功', data: { oss_info: [{ filename: '会议.pdf' }] } };
  expect(printed(receipt({ remote }), 'raw')).toBe(
    '{\n  "code": 0,\n  "msg": "成功",\n  "data": {\n    "oss_info": [\n      {\n        "filename": "会议.pdf"\n      }\n    ]\n  }\n}',
  );
});

test('a file known by its id becomes a message file object, from a VectorX or an OpenAI answer', () => {
  const object = {
    id: 'file-fe-1',
    bytes: 7,
    created_at: 1_729_065_448,
    filename: 'safe.pdf',
    purpose: 'file-extract',
  };
  const known = { fileId: 'file-fe-1', url: null, ref: 'fileid://file-fe-1' };
  const expected = { ...object, fileSource: 'openai' };
  const inParts = { id: 'upload_1', object: 'upload', created_at: 1, file: object };
  for (const remote of [object, { code: 0, msg: 'success', data: object }, inParts]) {
    expect(JSON.parse(printed(receipt({ ...known, remote }), 'message-file') ?? '')).toEqual(expected);
  }
  const bare = JSON.parse(printed(receipt({ ...known, remote: { truncated: true } }), 'message-file') ?? '');
  expect(bare).toEqual({
    id: 'file-fe-1',
    filename: '会议.pdf',
    purpose: 'file-extract',
    bytes: 10,
    fileSource: 'openai',
    created_at: 1_795_309_325,
  });
});

test('a file known by its URL becomes a doc_url part', () => {
  const url = 'https://files.example/x';
  expect(printed(receipt({ url, ref: url }), 'message-file')).toBe(`{"type":"doc_url","doc_url":["${url}"]}`);
});

test('a failed file has a receipt and no other form', () => {
  const failed = receipt({ status: 'failed', url: null, fileId: null, ref: null });
  expect(JSON.parse(printed(failed, 'receipt') ?? '')).toMatchObject({ status: 'failed' });
  for (const form of ['raw', 'url', 'id', 'ref', 'message-file'] as const)
    expect(printed(failed, form)).toBeNull();
});

test('control characters of a file name never reach a terminal', () => {
  expect(printable('a\u001b[2Jb\nc\u009b')).toBe('a\\x1b[2Jb\\x0ac\\x9b');
  expect(printable('plain 会议 é 🙂')).toBe('plain 会议 é 🙂');
});

test('colour needs a terminal and the consent of NO_COLOR', () => {
  const stream = (isTTY: boolean): NodeJS.WriteStream => ({ isTTY }) as NodeJS.WriteStream;
  expect(paintFor(stream(true), {}).good('x')).toBe('\u001b[32mx\u001b[0m');
  expect(paintFor(stream(true), { NO_COLOR: '' }).good('x')).toContain('\u001b');
  expect(paintFor(stream(true), { NO_COLOR: '1' }).good('x')).toBe('x');
  expect(paintFor(stream(false), {}).good('x')).toBe('x');
});

const source = {
  name: 'inbox',
  path: '/in',
  destination: 'd',
  manifest: '/in.manifest.json',
  discovered: 60,
  uploaded: 10,
  failed: 0,
  skipped: 0,
  dead: 0,
  pending: 50,
  unsettled: 0,
  unreadable: 0,
  waiting: 46,
  active: 4,
  delayed: 0,
  oldestWaiting: null,
  trouble: null,
  webhooks: [],
};
const destination = {
  name: 'd',
  origin: 'http://127.0.0.1',
  health: 'running',
  failure: null,
  lastTrouble: null,
  limit: 4,
  inFlight: 4,
  waitingHere: 0,
  circuit: 'closed',
  probeAt: null,
  resumesAt: null,
  pausedSince: null,
  roundTripMs: 120,
  quotaPerSecond: null,
  sentPerSecond: 5,
  throttledShare: 0,
} as const;
const live: LiveReport = {
  v: 1,
  at: '2026-11-22T01:02:06.000Z',
  host: 'h',
  pid: 1,
  roles: ['intake', 'worker'],
  serves: ['inbox'],
  filesPerSecond: 5,
  bytesPerSecond: 2_000_000,
  etaSeconds: 10,
  sources: [source],
  destinations: [destination],
};

test('the progress line tells counts, rates and the time left', () => {
  expect(progressLine(live, 200)).toBe(
    '10 uploaded · 50 to go · 4 in flight · 5.0 files/s · 2 MB/s · ETA 10s',
  );
});

test('an idle run says that it waits, without a rate that only fades', () => {
  const idle = {
    ...live,
    sources: [{ ...source, pending: 0 }],
    destinations: [{ ...destination, inFlight: 0 }],
    etaSeconds: 0,
  };
  expect(progressLine(idle, 200)).toBe('10 uploaded · waiting for files');
});

const times = { since: live.at, until: null };

test('trouble is on the line, and the line fits the terminal', () => {
  const stopped = {
    ...live,
    sources: [{ ...source, failed: 2, skipped: 1, trouble: 'no space left' }],
    destinations: [
      { ...destination, blockers: [{ reason: 'stopped', message: 'log in', ...times } as const] },
    ],
  };
  const line = progressLine(stopped, 200);
  for (const part of ['2 failed', '1 skipped', 'd is stopped: log in', 'no space left'])
    expect(line).toContain(part);
  expect(progressLine(stopped, 30).length).toBeLessThan(30);
});

test('the time left is unknown while nothing moves and nothing when nothing waits', () => {
  expect(etaSeconds(10, 0)).toBeNull();
  expect(etaSeconds(10, 4)).toBe(3);
  expect(etaSeconds(0, 0)).toBe(0);
});

test('a rate follows what happens and fades when nothing does', () => {
  let now = 0;
  const meter = createRateMeter(() => now);
  for (let second = 0; second < 20; second += 1) {
    now += 1_000;
    meter.add(10, 1_000);
  }
  now += 1_000;
  expect(meter.read().filesPerSecond).toBeGreaterThan(9);
  expect(meter.read().filesPerSecond).toBeLessThan(10.5);
  now += 20_000;
  expect(meter.read().filesPerSecond).toBeLessThan(0.2);
});

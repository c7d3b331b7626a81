import { expect, test } from 'vitest';
import { TokenBucket } from '../../src/sandbox/trouble/token-bucket.ts';
import { sandboxForTest, uploadText } from '../support/sandbox.ts';

const codeOf = ({ body }: { body: string }): number => JSON.parse(body).code;

test('a bucket allows its burst at once and its rate on average', () => {
  const bucket = new TokenBucket(20, 4);
  const taken = [0, 0, 0, 0, 0, 49, 50, 51, 100, 10_000, 10_000, 10_000, 10_000, 10_000].map((ms) =>
    bucket.take(ms),
  );
  expect(taken).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
    true,
    false,
    true,
    true,
    true,
    true,
    true,
    false,
  ]);
});

test('above its quota AutoGLM answers 400005 and takes the next one when the second has passed', async () => {
  let nowMs = Date.now();
  const sandbox = await sandboxForTest({ now: () => nowMs, capacity: { quotaPerSecond: 2 } });
  const codes: number[] = [];
  for (let nth = 1; nth <= 3; nth += 1) codes.push(codeOf(await uploadText(sandbox)));
  nowMs += 1_000;
  codes.push(codeOf(await uploadText(sandbox)));
  expect(codes).toEqual([0, 0, 400005, 0]);
});

test('above its limit in flight it answers 503', async () => {
  const sandbox = await sandboxForTest({ capacity: { rejectAbove: 2, serviceMs: 600_000 } });
  const served = [uploadText(sandbox), uploadText(sandbox)].map((upload) => expect(upload).rejects.toThrow());
  await expect.poll(() => sandbox.summary().uploadsInFlight).toBe(2);
  expect((await uploadText(sandbox)).status).toBe(503);
  expect(sandbox.summary()).toMatchObject({ count: 0, maxUploadsInFlight: 3, refused: { 'autoglm 503': 1 } });
  await sandbox.close();
  await Promise.all(served);
});

test('beyond the knee uploads wait their turn, and all are served', async () => {
  const sandbox = await sandboxForTest({ capacity: { knee: 1, serviceMs: 40 } });
  const begun = performance.now();
  const answers = await Promise.all([1, 2, 3].map(() => uploadText(sandbox)));
  // A lower bound: three turns of 40 ms one after the other, less the rounding of timers.
  expect(performance.now() - begun).toBeGreaterThan(115);
  expect(answers.map(codeOf)).toEqual([0, 0, 0]);
});

test('closing ends uploads that are being served', async () => {
  const sandbox = await sandboxForTest({ capacity: { knee: 1, serviceMs: 600_000 } });
  const failing = [uploadText(sandbox), uploadText(sandbox)].map((upload) =>
    expect(upload).rejects.toThrow(),
  );
  await expect.poll(() => sandbox.summary().uploadsInFlight).toBe(2);
  await sandbox.close();
  await Promise.all(failing);
  expect(sandbox.summary().count).toBe(0);
});

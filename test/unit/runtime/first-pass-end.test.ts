import { expect, test, vi } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { silentLog } from '../../../src/domain/log.ts';
import type { FirstPass } from '../../../src/ledger/tables/first-pass.ts';
import { endFirstPass } from '../../../src/runtime/owner/first-pass-end.ts';

function firstPass(): FirstPass & { isOver(): boolean } {
  let over = false;
  return {
    startedMs: () => (over ? null : 1),
    complete() {
      over = true;
    },
    isOver: () => over,
  };
}

test('the first pass is over once the folder has been looked through, however late it appears', async () => {
  vi.useFakeTimers();
  try {
    const pass = firstPass();
    let tries = 0;
    const ended = endFirstPass(
      {
        async caughtUp() {
          tries += 1;
          if (tries < 3) throw new SlipwayError('source_missing', { source: 's', path: '/s' });
          return [];
        },
      },
      pass,
      new AbortController().signal,
      silentLog,
    );
    await vi.advanceTimersByTimeAsync(1_000);
    expect([tries, pass.isOver()]).toEqual([2, false]);
    await vi.advanceTimersByTimeAsync(1_000);
    await ended;
    expect([tries, pass.isOver()]).toEqual([3, true]);
  } finally {
    vi.useRealTimers();
  }
});

test('a stop leaves it open, and one that is over is not looked at again', async () => {
  const stop = new AbortController();
  const pass = firstPass();
  const stopped = endFirstPass(
    {
      async caughtUp() {
        stop.abort();
        throw stop.signal.reason;
      },
    },
    pass,
    stop.signal,
    silentLog,
  );
  await stopped;
  expect(pass.isOver()).toBe(false);
  pass.complete();
  const untouched = { caughtUp: () => Promise.reject(new Error('asked')) };
  await endFirstPass(untouched, pass, new AbortController().signal, silentLog);
});

import { expect, test, vi } from 'vitest';
import { createGatheredReceipts } from '../../../src/cli/screen/gathered-receipts.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';

function receipt(path: string, code: string | null): Receipt {
  const error = code === null ? null : { code, kind: 'local', message: code, httpStatus: null, at: '' };
  return { source: 'inbox', path, error } as unknown as Receipt;
}

test('files that end together for one reason are one line; few of them, and all others, have their own', () => {
  vi.useFakeTimers();
  try {
    const said: string[] = [];
    const gathered = createGatheredReceipts(
      (line) => void said.push(line),
      ({ path }) => void said.push(path),
    );
    for (let batch = 0; batch < 20; batch += 1) {
      const skipped = Array.from({ length: 100 }, (_, index) => receipt(`${batch}-${index}`, 'existing'));
      expect(gathered.take([...skipped, receipt('up.txt', null)]).map(({ path }) => path)).toEqual([
        'up.txt',
      ]);
      vi.advanceTimersByTime(900);
    }
    expect(said).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(said).toEqual(['2000 files lay there before the first start: skipped (existing: skip)']);

    said.length = 0;
    gathered.take(Array.from({ length: 43 }, (_, index) => receipt(`old/sub/${index}`, 'vanished')));
    gathered.take([receipt('other/a', 'vanished'), receipt('b', 'vanished')]);
    gathered.flush();
    expect(said).toEqual(['43 files of old went away before they were sent: skipped', 'other/a', 'b']);
    gathered.flush();
    expect(said).toHaveLength(3);
  } finally {
    vi.useRealTimers();
  }
});

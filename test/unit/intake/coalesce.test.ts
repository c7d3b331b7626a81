import { expect, test } from 'vitest';
import { coalesce } from '../../../src/intake/admit/coalesce.ts';

const signal = new AbortController().signal;

test('what comes while a piece is under way goes together in the next; each is told of its own', async () => {
  const pieces: { items: readonly number[]; end: () => void; fail: (error: Error) => void }[] = [];
  const send = coalesce<number>((items) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    pieces.push({ items, end: resolve, fail: reject });
    return promise;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const first = send(1, signal);
  await turn();
  const others = [send(2, signal), send(3, signal)];
  await turn();
  expect(pieces.map(({ items }) => items)).toEqual([[1]]);
  pieces[0]?.fail(new Error('full'));
  await expect(first).rejects.toThrow('full');
  await turn();
  const last = send(4, signal);
  pieces[1]?.end();
  await Promise.all(others);
  await turn();
  pieces[2]?.end();
  await last;
  expect(pieces.map(({ items }) => items)).toEqual([[1], [2, 3], [4]]);
});

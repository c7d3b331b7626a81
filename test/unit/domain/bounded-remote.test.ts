import { expect, test } from 'vitest';
import { boundedRemote, MAX_REMOTE_BYTES } from '../../../src/domain/receipt.ts';

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

test('whatever a short answer holds, what is kept of it stays within the bound', () => {
  const chars = Math.floor(MAX_REMOTE_BYTES / 7);
  const fillings = ['9E20,', '1e-6,', '"\\ud800",', '"\u2028",', '"会",', '"\\u0001",', '{"a":9E20},'];
  for (const filling of fillings) {
    const text = `[${filling.repeat(Math.floor((chars - 2) / filling.length)).slice(0, -1)}]`;
    expect(text.length).toBeLessThanOrEqual(chars);
    expect(bytesOf(boundedRemote(JSON.parse(text), text.length))).toBeLessThanOrEqual(MAX_REMOTE_BYTES);
  }
});

test('a long answer is measured, whatever length it was read from', () => {
  const fits = { text: 'x'.repeat(MAX_REMOTE_BYTES - 11) };
  expect(bytesOf(fits)).toBe(MAX_REMOTE_BYTES);
  expect(boundedRemote(fits, 100_000)).toBe(fits);
  expect(boundedRemote({ text: `${fits.text}x` }, 100_000)).toEqual({ truncated: true });
  expect(boundedRemote({ text: `${fits.text}x` })).toEqual({ truncated: true });
});

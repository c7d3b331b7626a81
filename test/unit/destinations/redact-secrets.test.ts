import { expect, test } from 'vitest';
import { orderedSecrets, redactData } from '../../../src/destinations/answer/redact-secrets.ts';

const secrets = orderedSecrets(['Bearer abcdef123', 'abcdef123']);

test('data without a secret comes back as it is', () => {
  const data = { code: 0, list: ['a', { b: null }], text: 'nothing here' };
  expect(redactData(data, secrets)).toBe(data);
});

test('a secret is taken out of values and keys wherever it stands, and the rest stays', () => {
  const data = { list: ['x', { deep: 'sent Bearer abcdef123!' }], 'key abcdef123': 1, same: { ok: true } };
  const clean = redactData(data, secrets);
  expect(clean).toEqual({ list: ['x', { deep: 'sent [secret]!' }], 'key [secret]': 1, same: { ok: true } });
  expect(data.list[1]).toEqual({ deep: 'sent Bearer abcdef123!' });
});

test('a key named __proto__ stays a key, changed or not', () => {
  const plain: unknown = JSON.parse('{"__proto__":{"a":1}}');
  const echoed: unknown = JSON.parse('{"__proto__":{"a":"abcdef123"}}');
  expect(JSON.stringify(redactData(plain, secrets))).toBe('{"__proto__":{"a":1}}');
  expect(JSON.stringify(redactData(echoed, secrets))).toBe('{"__proto__":{"a":"[secret]"}}');
});

test('what is nested too deep is left out even where nothing else changes', () => {
  const deep: unknown = JSON.parse('['.repeat(40) + ']'.repeat(40));
  expect(JSON.stringify(redactData(deep, secrets))).toContain('[too deep]');
});

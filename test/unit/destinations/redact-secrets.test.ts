import { expect, test } from 'vitest';
import {
  orderedSecrets,
  redactAnswer,
  redactData,
  redactText,
} from '../../../src/destinations/answer/redact-secrets.ts';

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

test.each([
  ['as it is', (text: string) => text],
  ['percent-encoded', encodeURIComponent],
  ['percent-encoded, small letters', (text: string) => encodeURIComponent(text).toLowerCase()],
  ['as RFC 3986 has it', (text: string) => encodeURIComponent(text).replace('!', '%21')],
  ['as a form has it', (text: string) => new URLSearchParams({ a: text }).toString()],
  ['every byte encoded', (text: string) => Buffer.from(text).toString('hex').replace(/../g, '%$&')],
  ['in JSON in a text', (text: string) => JSON.stringify({ text })],
  ['in base64', (text: string) => Buffer.from(text).toString('base64')],
  ['in base64 for URLs', (text: string) => Buffer.from(text).toString('base64url')],
  ['in base64 behind 1 byte', (text: string) => Buffer.from(`a${text}bc`).toString('base64')],
  ['in base64 behind 2 bytes', (text: string) => Buffer.from(`ab${text}`).toString('base64')],
  ['in base64 behind a user', (text: string) => Buffer.from(`me:${text}`).toString('base64')],
])('a secret is found %s', (_how, encode) => {
  const secret = 'pä ss/w+ord"?!~>';
  const clean = redactText(`it was ${encode(secret)}.`, orderedSecrets([secret]));
  expect(clean).toContain('[secret]');
  const left = clean.replaceAll('[secret]', '').replace(/^it was |\.$/g, '');
  // What is left of a longer text that was encoded is its own.
  expect(left.length).toBeLessThan(14);
  expect(clean).not.toContain(encode(secret).slice(2, -2));
});

test('an answer is walked through only where it can hold a secret', () => {
  const known = orderedSecrets(['abcdef123']);
  const parsed = { a: 'abcdef123' };
  expect(redactAnswer('{"a":"abcdef123"}', parsed, known)).toEqual({ a: '[secret]' });
  expect(redactAnswer('{"a":"\\u0061bcdef123"}', parsed, known)).toEqual({ a: '[secret]' });
  const harmless = { a: 'b' };
  expect(redactAnswer('{"a":"b"}', harmless, known)).toBe(harmless);
});

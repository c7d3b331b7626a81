import { expect, test } from 'vitest';
import { orderedSecrets } from '../../../src/destinations/answer/redact-secrets.ts';
import { judgeAnswer } from '../../../src/destinations/answer/verdict.ts';
import { answerOf, definitionOf } from '../../support/destination-definitions.ts';

const context = { nowMs: Date.parse('2026-11-22T00:00:00Z'), secrets: orderedSecrets(['sk-very-secret']) };

function failureOf(status: number, body: unknown, headers: Record<string, string> = {}) {
  const verdict = judgeAnswer(definitionOf('openai'), answerOf(status, body, headers), context);
  if (verdict.kind !== 'failed') throw new Error(`it was ${verdict.kind}`);
  return verdict.failure;
}

test.each<[string, unknown, string]>([
  ['FastAPI', { detail: 'purpose is missing' }, 'purpose is missing'],
  [
    'FastAPI’s validation',
    { detail: [{ loc: ['body', 'file'], msg: 'field required', type: 'value_error.missing' }] },
    'body.file: field required',
  ],
  ['Django REST', { file: ['The submitted file is empty.'] }, 'file: The submitted file is empty.'],
  ['problem details', { type: 'about:blank', title: 'Bad file', detail: 'no pages' }, 'Bad file: no pages'],
  ['a list of errors', { errors: [{ message: 'too many pages' }] }, 'too many pages'],
])('the words of %s are the reason, and a 422 with them is this file’s refusal at once', (_, body, words) => {
  const failure = failureOf(422, body);
  expect(failure).toMatchObject({ kind: 'rejected' });
  expect(failure.message).toContain(words);
});

test.each<[number, unknown]>([
  [400, '<html><title>Blocked</title></html>'],
  [422, 'no'],
  [400, { ok: false }],
])('a %d that is no error of this API says nothing about the file: %j', (status, body) => {
  expect(failureOf(status, body)).toMatchObject({ code: 'bad_answer' });
});

test.each<[string, string, Record<string, string>, string]>([
  [
    'the title of a page',
    '<html><head><TITLE>\n Sign in to Wi-Fi </TITLE>',
    { 'content-type': 'text/html; charset=utf-8' },
    'HTTP 200, not JSON (text/html) “Sign in to Wi-Fi”',
  ],
  [
    'the first words of a text',
    'Service under maintenance',
    { 'content-type': 'text/plain' },
    'not JSON (text/plain) “Service under maintenance”',
  ],
  [
    'the words of a page without a title, not its script',
    '<html><script>var a = 1</script><body>Checking your browser</body></html>',
    { 'content-type': 'text/html' },
    'not JSON (text/html) “Checking your browser”',
  ],
  [
    'no words where the bytes are none',
    '\u001f\uFFFD\uFFFD',
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    'not JSON (application/json, gzip)) (',
  ],
])('an answer that is no JSON is named by %s', (_, body, headers, words) => {
  expect(`${failureOf(200, body, headers).message} (`).toContain(words);
});

test('a title that echoes a credential is shown without it', () => {
  const { message } = failureOf(200, '<title>key sk-very-secret</title>', { 'content-type': 'text/html' });
  expect(message).toContain('key [secret]');
});

const API = 'https://api.openai.com/v1/files';

test.each<[number, string | undefined, string, string]>([
  [
    301,
    'https://files.example.com/up?sig=abcdef',
    'misconfigured',
    'set url to https://files.example.com/up:',
  ],
  [308, `${API}/`, 'misconfigured', `set url to ${API}/:`],
  [307, `${API}/`, 'misconfigured', `set url to ${API}/:`],
  [
    307,
    'https://elsewhere.example.com/v1/files',
    'bad_answer',
    'it redirects to https://elsewhere.example.com/v1/files',
  ],
  [302, '/login?next=%2Fv1', 'bad_answer', 'it redirects to https://api.openai.com/login:'],
  [303, undefined, 'bad_answer', 'it redirects'],
])('a %d to %s is %s, and names where it points without its query', (status, location, code, words) => {
  const failure = failureOf(status, '', location === undefined ? {} : { location });
  expect(failure).toMatchObject({ code });
  expect(failure.message).toContain(words);
  expect(failure.message).not.toContain('sig=');
});

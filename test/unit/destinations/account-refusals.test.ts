import { expect, test } from 'vitest';
import { orderedSecrets } from '../../../src/destinations/answer/redact-secrets.ts';
import { judgeAnswer } from '../../../src/destinations/answer/verdict.ts';
import { answerOf, definitionOf } from '../../support/destination-definitions.ts';

const context = { nowMs: Date.parse('2026-11-22T00:00:00Z'), secrets: orderedSecrets([]) };

function kindOf(preset: string, status: number, body: unknown): string {
  const verdict = judgeAnswer(definitionOf(preset), answerOf(status, body), context);
  return verdict.kind === 'failed' ? verdict.failure.kind : verdict.kind;
}

const openai = (message: string, code: string | null = null) => ({ error: { message, type: 'x', code } });
const typed = (type: string, message = 'm') => ({ error: { type, message } });
const bigmodel = (code: number) => ({ error: { code: String(code), message: '账户' } });
const minimax = (code: number) => ({ file: {}, base_resp: { status_code: code, status_msg: 'x' } });

test.each<[string, number, unknown, string]>([
  ['openai', 400, openai('You have exceeded your file storage quota.'), 'exhausted'],
  ['openai', 400, openai('bad purpose'), 'rejected'],
  ['openai', 429, openai('pay', 'insufficient_quota'), 'exhausted'],
  ['openai', 429, openai('slow', 'rate_limit_exceeded'), 'throttled'],
  ['openai', 400, openai('pay', 'billing_hard_limit_reached'), 'exhausted'],
  ['openai', 403, openai('full', 'quotaExceeded'), 'exhausted'],
  ['openai', 403, openai('full', 'QuotaExceeded'), 'exhausted'],
  [
    'kimi',
    400,
    typed('invalid_request_error', 'The number of files you have uploaded exceeded the max file count 1000'),
    'exhausted',
  ],
  ['kimi', 400, typed('invalid_request_error', 'File size is too large'), 'rejected'],
  ['kimi', 400, typed('content_filter'), 'rejected'],
  ['kimi', 429, typed('exceeded_current_quota_error'), 'exhausted'],
  ['kimi', 429, typed('rate_limit_reached_error'), 'throttled'],
  ['kimi', 429, typed('engine_overloaded_error'), 'unavailable'],
  ['kimi', 403, typed('permission_denied_error', 'Insufficient balance'), 'exhausted'],
  ['kimi', 403, typed('permission_denied_error', 'not yours'), 'misconfigured'],
  ['bigmodel', 401, bigmodel(1002), 'unauthenticated'],
  ['bigmodel', 429, bigmodel(1112), 'misconfigured'],
  ['bigmodel', 429, bigmodel(1121), 'misconfigured'],
  ['bigmodel', 429, bigmodel(1113), 'exhausted'],
  ['bigmodel', 429, bigmodel(1304), 'exhausted'],
  ['bigmodel', 429, bigmodel(1308), 'exhausted'],
  ['bigmodel', 429, bigmodel(1310), 'exhausted'],
  ['bigmodel', 429, bigmodel(1302), 'throttled'],
  ['bigmodel', 429, bigmodel(1303), 'throttled'],
  ['bigmodel', 400, bigmodel(1301), 'rejected'],
  ['bigmodel', 434, { error: { message: '暂无API权限' } }, 'misconfigured'],
  ['minimax', 200, minimax(1002), 'throttled'],
  ['minimax', 200, minimax(1004), 'unauthenticated'],
  ['minimax', 200, minimax(1008), 'exhausted'],
  ['minimax', 200, minimax(1000), 'unavailable'],
  ['minimax', 200, minimax(1001), 'unavailable'],
  ['minimax', 200, minimax(1024), 'unavailable'],
  ['minimax', 200, minimax(1033), 'unavailable'],
  ['minimax', 200, minimax(2013), 'rejected'],
  ['anthropic', 402, { type: 'error', error: { type: 'billing_error', message: 'pay' } }, 'exhausted'],
  ['anthropic', 403, { type: 'error', error: { type: 'x', message: 'Storage limit reached' } }, 'exhausted'],
  ['anthropic', 529, { type: 'error', error: { type: 'overloaded_error', message: 'm' } }, 'unavailable'],
  ['siliconflow', 403, { code: 30001, message: 'insufficient balance' }, 'exhausted'],
  ['dashscope', 400, { code: 'Arrearage', message: 'pay' }, 'exhausted'],
  ['dashscope', 400, { error: { message: 'You have exceeded the maximum number of files' } }, 'exhausted'],
  ['dashscope', 400, { error: { message: 'File exceeds size limit' } }, 'rejected'],
  ['deepseek', 402, openai('Insufficient Balance'), 'exhausted'],
])('%s: HTTP %d %j means %s', (preset, status, body, kind) => {
  expect(kindOf(preset, status, body)).toBe(kind);
});

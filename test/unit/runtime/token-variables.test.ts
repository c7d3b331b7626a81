import { expect, test } from 'vitest';
import { assertTokenVariables } from '../../../src/runtime/plans/token-variables.ts';
import { rememberingLog } from '../../support/record-rig.ts';

const openai = { name: 'openai', token: { env: 'OPENAI_API_KEY' } };
const qwen = { name: 'qwen', token: { env: 'DASHSCOPE_API_KEY' } };
const open = { name: 'open', token: null };

test.each([{}, { OPENAI_API_KEY: '' }, { OPENAI_API_KEY: ' \n' }])(
  'where no destination in use can work, nothing starts: %j',
  (env) => {
    const log = rememberingLog();
    expect(() => assertTokenVariables([openai, qwen], env, log)).toThrow(
      expect.objectContaining({
        code: 'token_missing',
        kind: 'misconfigured',
        message: expect.stringContaining(
          'OPENAI_API_KEY (destination openai), DASHSCOPE_API_KEY (destination qwen) is not set',
        ),
      }),
    );
    expect(log.lines).toEqual([]);
  },
);

test('where others can, it is one warning that names all of them', () => {
  const log = rememberingLog();
  assertTokenVariables([openai, qwen, open], {}, log);
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]?.message).toMatch(
    /no token for 2 of 3 destinations.*OPENAI_API_KEY.*DASHSCOPE_API_KEY/,
  );
});

test('without a mistake it says nothing: variables that are set, and every other source', () => {
  const log = rememberingLog();
  const others = [open, { name: 'a', token: { value: 'x' } }, { name: 'b', token: { file: '/nowhere' } }];
  assertTokenVariables([openai, ...others], { OPENAI_API_KEY: 'sk' }, log);
  assertTokenVariables(others, {}, log);
  expect(log.lines).toEqual([]);
});

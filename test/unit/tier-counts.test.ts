import { expect, test } from 'vitest';
import { summarise, type TestFileResult } from '../../scripts/checks/tier-counts.ts';

function file(name: string, ...statuses: readonly string[]): TestFileResult {
  return {
    name: `/project/test/${name}`,
    status: statuses.includes('failed') ? 'failed' : 'passed',
    assertionResults: statuses.map((status) => ({ status })),
  };
}

test('tests are counted per tier, and summed alone on the last line', () => {
  const files = [
    file('unit/a.test.ts', 'passed', 'passed'),
    file('unit/b.test.ts', 'passed'),
    file('e2e/c.test.ts', 'passed'),
  ];
  expect(summarise(files, ['unit', 'e2e'])).toEqual({
    lines: [
      'unit: 3 tests ran (3 passed, 0 failed)',
      'e2e: 1 tests ran (1 passed, 0 failed)',
      '4 passed, 0 failed',
    ],
    isSound: true,
  });
});

test('a failed test makes the run unsound, a skipped one is only told', () => {
  const one = summarise([file('unit/a.test.ts', 'passed', 'failed', 'skipped', 'pending')], ['unit']);
  expect(one).toMatchObject({ isSound: false });
  expect(one.lines.at(-1)).toBe('1 passed, 1 failed, 2 skipped');
  expect(summarise([file('unit/a.test.ts', 'passed', 'todo')], ['unit']).isSound).toBe(true);
});

test('a tier that ran nothing is a failure, also when all its tests were skipped', () => {
  const missing = summarise([file('unit/a.test.ts', 'passed')], ['unit', 'faults']);
  expect(missing.isSound).toBe(false);
  expect(missing.lines).toContain('faults: no test ran, which is a failure');
  expect(summarise([file('unit/a.test.ts', 'skipped')], ['unit']).isSound).toBe(false);
});

test('a file that cannot be loaded counts as a failure', () => {
  const broken: TestFileResult = {
    name: '/project/test/unit/x.test.ts',
    status: 'failed',
    assertionResults: [],
  };
  expect(summarise([file('unit/a.test.ts', 'passed'), broken], ['unit'])).toMatchObject({
    isSound: false,
    lines: [expect.stringContaining('1 failed'), '1 passed, 1 failed'],
  });
});

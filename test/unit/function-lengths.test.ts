import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { spanOf } from '../../scripts/checks/function-spans.ts';

const script = fileURLToPath(new URL('../../scripts/checks/function-lengths.ts', import.meta.url));

/** A function of so many lines, its first and last one included. */
function functionOf(lines: number, head = 'export function open(): void {'): string {
  return `${head}\n${'  step();\n'.repeat(lines - 2)}}\n`;
}

/** The check over a project of these files. */
function check(files: Readonly<Record<string, string>>): {
  readonly status: number | null;
  readonly said: string[];
} {
  const project = mkdtempSync(join(tmpdir(), 'sw-lengths-'));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, project], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return { status, said: stdout.trim().split('\n') };
}

test('a function of 81 lines fails the check wherever it stands, one of 80 does not', () => {
  const files = {
    'src/queue/open-queue.ts': functionOf(81),
    'src/queue/arrow.ts': `/** Doc. */\n${functionOf(81, 'export const openArrow = async (): Promise<void> => {')}`,
    'src/queue/method.ts': functionOf(90, 'class Queue {\n  async open(): Promise<void> {').concat('}\n'),
    'src/queue/short.ts': functionOf(80),
  };
  const { status, said } = check(files);
  expect(status).toBe(1);
  expect(said.sort()).toEqual([
    expect.stringMatching(/^src\/queue\/arrow\.ts:2: function-length: arrow#openArrow has 81 lines/),
    expect.stringMatching(/^src\/queue\/method\.ts:2: function-length: method#open has 90 lines/),
    expect.stringMatching(/^src\/queue\/open-queue\.ts:1: function-length: open-queue#open has 81 lines/),
  ]);
});

test('a reason above the function, or above its doc comment, lets it be', () => {
  const reason = '// Over 80 lines: one table, of no use in parts\n';
  const files = {
    'src/queue/a.ts': reason + functionOf(100),
    'src/queue/b.ts': `${reason}/**\n * Doc.\n */\n${functionOf(100)}`,
  };
  expect(check(files)).toEqual({ status: 0, said: [expect.stringMatching(/^2 functions looked at/)] });
});

test.each([
  ['no reason at all', '/** Doc. */'],
  ['a lame one', '// Over 80 lines: long'],
  ['one that is far away', '// Over 80 lines: one table, of no use in parts\n'],
])('%s does not', (_what, above) => {
  expect(spanOf({ path: 'src/a.ts', from: 3, to: 99 }, `${above}\n${functionOf(97)}`).reason).toBeNull();
});

/** What a person at a terminal sees. Runs under `script` (util-linux), which gives the CLI a real pseudo-terminal. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { FaultPlan } from '../../src/sandbox/trouble/fault-rule.ts';
import type { CliOptions } from '../support/cli.ts';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

const ESC = '\u001b';
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

/** Both streams of the CLI are the terminal then, and `script` hands on its exit code. */
const atTerminal = (place: Workplace, env: NodeJS.ProcessEnv = {}): Partial<CliOptions> => ({
  interactive: true,
  env: { ...place.env, ...env },
  // `exec`: a shell in between would get Ctrl-C as well, and end with an exit code of its own.
  through: (command) => ['script', '-qefc', `exec ${command.map(quoted).join(' ')}`, '/dev/null'],
});

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** What a terminal acts on, other than what we ourselves print: line ends, erasing the progress line, colours. */
function foreignControls(output: string): string[] {
  const ours = new RegExp(`\\r\\n|\\r?${ESC}\\[2K|${ESC}\\[(?:0|2|31|32)m`, 'g');
  return output.replace(ours, '').match(/\p{Cc}/gu) ?? [];
}

describe.runIf(hasScript())('at a terminal', () => {
  test('a run shows a line per file and its progress in colour, and NO_COLOR takes the colour away', async () => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest({ capacity: { serviceMs: 900 } });
    const concurrency = { initial: 2, max: 2, adaptive: false };
    await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
    for (let index = 0; index < 8; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);

    const coloured = await place.run(['run', '--once'], atTerminal(place));
    expect(coloured.code).toBe(0);
    expect(coloured.stdout).toContain(`watching ${place.path('inbox')} (source inbox) → demo`);
    expect(
      coloured.stdout.match(new RegExp(`${ESC}\\[32m✓${ESC}\\[0m \\d\\.txt → https://`, 'g')),
    ).toHaveLength(8);
    expect(coloured.stdout).toMatch(/\d uploaded · \d to go · 2 in flight/);
    expect(coloured.stdout).toMatch(/8 uploaded\r\n/);
    expect(coloured.stdout).not.toContain('"level"');

    for (let index = 0; index < 4; index += 1) await place.file(`inbox/more ${index}.txt`, `more ${index}`);
    const plain = await place.run(['run', '--once'], atTerminal(place, { NO_COLOR: '1' }));
    expect(plain.code).toBe(0);
    expect(plain.stdout.match(/✓ more \d\.txt → https:\/\//g)).toHaveLength(4);
    expect(plain.stdout).toMatch(/\d+ uploaded · \d to go/);
    expect(plain.stdout).not.toMatch(new RegExp(`${ESC}\\[\\d+m`));
    const status = await place.run(['status'], atTerminal(place, { NO_COLOR: '1' }));
    expect(status.stdout).not.toContain(ESC);
  });

  test('no control character of a file or folder name reaches the terminal', async () => {
    const place = await newWorkplace();
    const faults = [{ api: 'autoglm', action: 'code', code: 400001, filename: `bad${ESC}[2J.txt` }] as const;
    const sandbox = await sandboxForTest({ faults: [...faults] });
    const evil = `in${ESC}]0;title\u0007 box`;
    await place.config(inboxConfig(sandboxDestination(sandbox), { source: { path: `./${evil}` } }));
    for (const name of [
      `bad${ESC}[2J.txt`,
      `good${ESC}[31m.txt`,
      'bell\u0007.txt',
      'c1\u009b31m.txt',
      'back\b\b\b.txt',
    ]) {
      await place.file(`${evil}/${name}`, name);
    }
    const run = await place.run(['run', '--once'], atTerminal(place));
    expect(run.code).toBe(6);
    expect(run.stdout).toContain('good\\x1b[31m.txt');
    expect(foreignControls(run.stdout)).toEqual([]);

    const status = await place.run(['status'], atTerminal(place));
    expect(foreignControls(status.stdout)).toEqual([]);
    const upload = await place.run(
      ['upload', `${evil}/bad${ESC}[2J.txt`, '--print', 'id'],
      atTerminal(place),
    );
    expect(upload.code).toBe(6);
    expect(foreignControls(upload.stdout)).toEqual([]);
    const missing = await place.run(['upload', `no${ESC}[2Jfile`], atTerminal(place));
    expect(missing.code).toBe(2);
    expect(foreignControls(missing.stdout)).toEqual([]);
  });

  test('a public destination is asked about: only a yes goes on', async () => {
    const place = await newWorkplace();
    const publicPlace = { preset: 'autoglm', url: 'http://files.invalid/upload', token: { value: 'x' } };
    await place.config(inboxConfig(publicPlace, { retry: { attempts: 1 } }));
    await place.file('inbox/a.txt', 'twelve bytes');
    const answered = async (keys: string) => {
      const cli = place.start(['run', '--once', '--give-up', '500ms'], atTerminal(place));
      await cli.said('[y/N]');
      expect(cli.stdout()).toContain('files.invalid) makes every file readable by anyone');
      expect(cli.stdout()).toMatch(/1 files?, 12 B, would go now/);
      cli.type(keys);
      return await cli.ended;
    };
    for (const no of ['\r', 'n\r', 'yesterday\r', CTRL_D, CTRL_C]) {
      const { code, stdout } = await answered(no);
      expect([no, code]).toEqual([no, 2]);
      expect(stdout).toContain('pass --yes');
      expect(stdout).not.toContain('unexpected');
    }
    expect((await answered('y\r')).code).toBe(5);
    const remembered = await place.run(['run', '--once', '--give-up', '500ms'], atTerminal(place));
    expect(remembered.code).toBe(5);
    expect(remembered.stdout).not.toContain('[y/N]');
  });

  test('Ctrl-C ends a watching run in order and leaves the last line clean', async () => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest();
    await place.config(inboxConfig(sandboxDestination(sandbox)));
    await place.file('inbox/a.txt', 'a');
    const cli = place.start(['run'], atTerminal(place));
    await cli.said('waiting for files');
    cli.type(CTRL_C);
    const { code, stdout } = await cli.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('SIGINT: finishing what is in flight');
    expect(stdout.endsWith('\n') || stdout.endsWith(`${ESC}[2K`)).toBe(true);
    expect(place.redisServers()).toEqual([]);
  });

  test('--json keeps receipts on stdout apart from the log on stderr, terminal or not', async () => {
    const place = await newWorkplace();
    const sandbox = await sandboxForTest();
    await place.config(inboxConfig(sandboxDestination(sandbox)));
    await place.file('inbox/a.txt', 'a');
    const { code, stdout, stderr } = await place.run(['run', '--once', '--json']);
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(await place.receipts());
    for (const line of stderr.trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ level: 30, time: expect.any(String) });
  });

  test('a long list of dead letters is bounded, with the reasons in front', async () => {
    const place = await newWorkplace();
    const faults: FaultPlan = [{ api: 'autoglm', action: 'code', code: 400001, every: 2 }];
    const sandbox = await sandboxForTest({ faults });
    // One at a time, so that others get through between the refusals: twenty in a row would be the destination's.
    const concurrency = { initial: 1, max: 1, adaptive: false };
    await place.config(inboxConfig(sandboxDestination(sandbox, { concurrency })));
    for (let index = 0; index < 90; index += 1) await place.file(`inbox/${index}.txt`, `file ${index}`);
    expect((await place.run(['run', '--once'])).code).toBe(6);
    const { code, stdout } = await place.run(['failed', 'list'], atTerminal(place));
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\r\n');
    expect(lines[0]).toMatch(new RegExp(`^45 files ${ESC}\\[31mrejected${ESC}\\[0m \\(HTTP 200\\): `));
    expect(lines.filter((line) => line.startsWith('inbox  '))).toHaveLength(40);
    expect(lines.at(-1)).toBe('… and 5 more: --json prints all of them');
    // Not cut short where nobody's screen is in the way.
    const piped = (await place.run(['failed', 'list'])).stdout;
    expect(piped.match(/^inbox {2}/gm)).toHaveLength(45);
  });
});

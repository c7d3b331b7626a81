/**
 * Before the end-to-end tier: the CLI as it is installed, built again when a source is newer. `scripts/test` has it
 * built already; this is for a run of single test files.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The entry point of the built CLI. */
export const BUILT_CLI = `${root}bin/slipway.cjs`;

export function setup(): void {
  const stamp = `${root}dist/.built`;
  const builtMs = Math.min(changedMs(stamp), changedMs(`${root}dist/cli/main.js`));
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' });
  const newestMs = Math.max(
    ...sources.map((name) => changedMs(`${root}src/${name}`)),
    ...['package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => changedMs(root + name)),
  );
  if (builtMs >= newestMs) return;
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  writeFileSync(stamp, '');
}

/** 0 when it does not exist. */
function changedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The archivers of other people, run as they are, and the tree of files that they pack. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** By the name of its program, in the Debian package that has it. */
export const TOOLS = {
  zip: 'zip',
  unzip: 'unzip',
  '7z': '7zip or p7zip-full',
  bsdtar: 'libarchive-tools',
  tar: 'tar',
  python3: 'python3',
  zstd: 'zstd',
} as const;
export type Tool = keyof typeof TOOLS;

/** Why a test that needs these cannot run here; null: it can. */
export function missingTool(tools: readonly Tool[]): string | null {
  const missing = tools.find((tool) => !hasTool(tool));
  return missing === undefined
    ? null
    : `no ${missing} here: apt-get install ${TOOLS[missing]} (scripts/setup-archivers does it)`;
}

const known = new Map<Tool, boolean>();

function hasTool(tool: Tool): boolean {
  const answer = known.get(tool) ?? isOnPath(tool);
  known.set(tool, answer);
  return answer;
}

function isOnPath(tool: Tool): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs a shell line in a folder; its output, or an error with all that it said. UTF-8 names, UTC. */
export function shell(cwd: string, line: string): string {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  return execFileSync('sh', ['-ec', line], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs a script of Python's in a folder. */
export function python(cwd: string, script: string): void {
  execFileSync('python3', ['-c', script], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Bytes and hash of a file, as one word. */
export function printOf(content: Buffer): string {
  return `${content.length} ${createHash('sha256').update(content).digest('hex')}`;
}

/** Every regular file below a folder: its path, `/`-separated, and what it holds. Names are bytes, in Latin-1. */
export function filesBelow(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: Buffer, prefix: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true, encoding: 'buffer' })) {
      const whole = Buffer.concat([path, Buffer.from('/'), entry.name]);
      const name = prefix + entry.name.toString('latin1');
      if (entry.isDirectory()) walk(whole, `${name}/`);
      else if (entry.isFile()) found[name] = printOf(readFileSync(whole));
    }
  };
  walk(Buffer.from(folder), '');
  return found;
}

const TIME = new Date('2026-11-22T01:02:04.000Z');

/** Files as people pack them, with times that every format can say: empty, large, deep, of other scripts. */
export function makeTree(folder: string): void {
  const files: Record<string, string | Buffer> = {
    'read me.txt': 'hello\n',
    empty: '',
    'deep/er/and deeper/a.txt': 'a'.repeat(5_000),
    'deep/large.bin': randomBytes(700_000),
    'text/中文报告.txt': '报告\n'.repeat(900),
    'text/Résumé.txt': 'résumé\n',
    'text/-dash': '-',
    'a+b=c.txt': 'signs',
    [`split/${'p'.repeat(60)}/${'n'.repeat(60)}.txt`]: 'in two fields',
    [`long/${'x'.repeat(120)}/${'y'.repeat(130)}.txt`]: 'long name',
  };
  for (const [name, content] of Object.entries(files)) put(folder, name, content);
}

/** Writes one file, its folders made. */
export function put(folder: string, name: string, content: string | Buffer): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, TIME, TIME);
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

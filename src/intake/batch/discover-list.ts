import { createReadStream } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { bytesOf, type PathName, pathNameOf } from '../../domain/path-bytes.ts';
import type { FileStat } from '../scan/stat-files.ts';
import { whyUnreadable } from '../scan/why-unreadable.ts';
import type { DiscoveryDeps } from './batch-sink.ts';

const LINES_PER_STEP = 256;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The files that a list names. What cannot be taken is counted and said, line by line; a name that comes twice is the
 * same file.
 */
export async function discoverList(
  input: { readonly file: string; readonly nul: boolean; readonly base: string },
  means: DiscoveryDeps,
): Promise<void> {
  const root = await realpath(means.root);
  const base = await realpath(input.base).catch(() => input.base);
  const folders = linkCheck(root);
  const realFolderOf = rememberingLast(realFolder);
  let names: PathName[] = [];
  for await (const line of linesOf(input.file, input.nul)) {
    const path = absolutePath(base, line);
    // A list made through a symlink to the folder (/tmp on macOS) names the same files.
    const name = nameBelow(root, path) ?? nameBelow(root, await realFolderOf(path));
    if (name === null) means.leftOut.add(pathNameOf(line), 'outside', true);
    else names.push(name);
    if (names.length < LINES_PER_STEP) continue;
    await take(names, means, folders);
    names = [];
  }
  await take(names, means, folders);
}

async function take(names: readonly PathName[], means: DiscoveryDeps, folders: LinkCheck): Promise<void> {
  const { fileStats, leftOut, see } = means;
  const files = [];
  for (const [index, look] of (await fileStats.at(names)).entries()) {
    const name = names[index];
    if (name === undefined) continue;
    if (look.kind === 'unobservable') leftOut.add(name, 'unreadable', true, whyUnreadable(look.error));
    else if (look.kind === 'gone') await gone(name, means, folders);
    else if (look.kind === 'directory') leftOut.add(name, 'folder', true);
    else if (await isAccepted(name, look, means, folders)) {
      if (look.kind === 'file') files.push(look.file);
    }
  }
  await see(files);
}

/** What is reached over a link counts as gone everywhere (G9); who named it is told the true reason. */
async function gone(name: PathName, means: DiscoveryDeps, folders: LinkCheck): Promise<void> {
  means.leftOut.add(name, (await folders.leadOut(name)) ? 'symlink' : 'missing', true);
}

async function isAccepted(
  name: PathName,
  look: Exclude<FileStat, { kind: 'gone' | 'unobservable' }>,
  means: DiscoveryDeps,
  folders: LinkCheck,
): Promise<boolean> {
  const reason =
    means.filter.path(name.path, look.kind) ?? ((await folders.leadOut(name)) ? 'symlink' : null);
  // It was named: that a rule keeps it back is no matter of course.
  if (reason !== null) means.leftOut.add(name, reason, true);
  return reason === null;
}

/** As Latin-1, which keeps every byte and knows no dots or slashes but those of ASCII. */
function absolutePath(base: string, line: Buffer): string {
  return posix.resolve(Buffer.from(base, 'utf8').toString('latin1'), line.toString('latin1'));
}

/** Relative to the root; null when it is not below it. */
function nameBelow(root: string, path: string): PathName | null {
  const top = Buffer.from(root, 'utf8').toString('latin1');
  const prefix = top.endsWith('/') ? top : `${top}/`;
  if (!path.startsWith(prefix)) return null;
  return pathNameOf(Buffer.from(path.slice(prefix.length), 'latin1'));
}

/** A path with the symlinks of its folders followed, not one at its end. */
async function realFolder(folder: string): Promise<string> {
  const real = await realpath(Buffer.from(folder, 'latin1'), { encoding: 'buffer' }).catch(() => null);
  return real === null ? folder : real.toString('latin1');
}

/** Lists are mostly sorted: the folder of the line before is the one remembered. */
function rememberingLast(real: (folder: string) => Promise<string>): (path: string) => Promise<string> {
  let last: { readonly folder: string; readonly real: string } | null = null;
  return async (path) => {
    const folder = posix.dirname(path);
    if (last?.folder !== folder) last = { folder, real: await real(folder) };
    return posix.join(last.real, posix.basename(path));
  };
}

interface LinkCheck {
  /** Whether a folder on the way is a symlink: it may lead out of what the user meant to publish (G9). */
  leadOut(name: PathName): Promise<boolean>;
}

/** Lists are mostly sorted: the folder of the line before is the one remembered. */
function linkCheck(root: string): LinkCheck {
  let known = '';
  let answer = false;
  return {
    async leadOut(name) {
      const folder = posix.dirname(bytesOf(name).toString('latin1'));
      if (folder === '.') return false;
      if (folder === known) return answer;
      const path = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(folder, 'latin1')]);
      const real = await realpath(path, { encoding: 'buffer' }).catch(() => null);
      known = folder;
      answer = real !== null && !real.equals(path);
      return answer;
    },
  };
}

/** Empty lines are none; a list made on Windows ends its lines with CR LF. */
async function* linesOf(file: string, nul: boolean): AsyncGenerator<Buffer> {
  const separator = nul ? 0 : NEWLINE;
  let rest: Buffer = Buffer.alloc(0);
  const line = (bytes: Buffer): Buffer =>
    !nul && bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let begin = 0;
    for (let end = bytes.indexOf(separator); end !== -1; end = bytes.indexOf(separator, begin)) {
      const found = line(bytes.subarray(begin, end));
      if (found.length > 0) yield found;
      begin = end + 1;
    }
    rest = bytes.subarray(begin);
  }
  const last = line(rest);
  if (last.length > 0) yield last;
}

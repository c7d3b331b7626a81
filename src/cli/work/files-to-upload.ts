import { createWriteStream } from 'node:fs';
import { mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { DirectFile } from '../../operations/upload/direct-upload.ts';

export interface FilesToUpload {
  readonly files: readonly DirectFile[];
  /** Removes what standard input was kept in. */
  cleanUp(): Promise<void>;
}

/** What file systems take, and the strictest of the services. */
const MAX_NAME_BYTES = 255;

/**
 * The name that `--filename` gives: the last part of it where it is a path.
 * @throws SlipwayError `usage`
 */
export function nameOfStdin(given: string): string {
  const name = basename(given);
  const bytes = Buffer.byteLength(name);
  const problem =
    name === '' || name === '.' || name === '..'
      ? `${JSON.stringify(given)} names no file`
      : bytes > MAX_NAME_BYTES
        ? `it is ${bytes} bytes long, and a file name has at most ${MAX_NAME_BYTES}`
        : null;
  if (problem !== null)
    throw new SlipwayError('usage', { problem: `--filename: ${problem}: give a name such as notes.md` });
  return name;
}

/**
 * Looks at every file that was named; `-` is the content of standard input.
 * @param stdinName what standard input is called at the destination
 * @param signal ends the reading of standard input; its reason is thrown
 * @throws SlipwayError `usage` naming every file that cannot be uploaded
 */
export async function filesToUpload(
  names: readonly string[],
  stdinName: string,
  signal: AbortSignal,
): Promise<FilesToUpload> {
  if (names.indexOf('-') !== names.lastIndexOf('-')) {
    throw new SlipwayError('usage', { problem: 'standard input can be read once only: give - once' });
  }
  const folder = names.includes('-') ? await mkdtemp(join(tmpdir(), 'slipway-stdin-')) : null;
  const cleanUp = async (): Promise<void> => {
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  };
  try {
    const files: DirectFile[] = [];
    const problems: string[] = [];
    for (const name of names) {
      const path = name === '-' ? await keptStdin(join(folder ?? '', stdinName), signal) : resolve(name);
      const file = await look(path, name === '-' ? stdinName : name);
      if (typeof file === 'string') problems.push(`${name}: ${file}`);
      else files.push(file);
    }
    if (problems.length > 0) throw new SlipwayError('usage', { problem: problems.join('; ') });
    return { files, cleanUp };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function keptStdin(path: string, signal: AbortSignal): Promise<string> {
  await pipeline(process.stdin, createWriteStream(path, { mode: 0o600 }), { signal });
  return path;
}

/** A symlink that the user names is meant: it is followed here, and nowhere else. */
async function look(path: string, shown: string): Promise<DirectFile | string> {
  try {
    const real = await realpath(path);
    const stats = await stat(real, { bigint: true });
    if (stats.isDirectory()) return 'is a folder: use slipway run or name its files';
    if (!stats.isFile()) return 'is not a regular file';
    return {
      folder: dirname(real),
      fileName: Buffer.from(basename(real)),
      shown: Buffer.from(shown),
      size: Number(stats.size),
      mtimeNs: String(stats.mtimeNs),
    };
  } catch (error) {
    const reason = reasonOf(error);
    return reason === 'ENOENT' ? 'no such file' : `cannot be read (${reason})`;
  }
}

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../domain/errors.ts';
import { writeAtomic } from '../../platform/files/atomic-file.ts';
import { openDataDir } from './data-dir.ts';

/**
 * Under which name the records of a configured source go on, by the name that the config file gives it. One that stands
 * for itself was said to be a new source.
 */
export type SourceNames = Readonly<Record<string, string>>;

const FILE = 'renamed.json';

/** @throws SlipwayError `data_dir` where the file is damaged: taken for empty, it would send everything again */
export async function readSourceNames(dataDir: string): Promise<SourceNames> {
  const file = join(dataDir, FILE);
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return {};
  try {
    const { names } = JSON.parse(text) as { readonly names?: unknown };
    const pairs = Object.entries(names ?? {});
    if (pairs.every((pair): pair is [string, string] => typeof pair[1] === 'string'))
      return Object.fromEntries(pairs);
  } catch {
    // Said below.
  }
  throw new SlipwayError('data_dir', {
    path: dataDir,
    reason: `its file \`${FILE}\` cannot be read: delete it, and say \`renamedFrom\` of each renamed source again`,
  });
}

/**
 * Durable when it returns.
 * @throws SlipwayError `data_dir`, `data_dir_newer`
 */
export async function keepSourceNames(dataDir: string, names: SourceNames): Promise<void> {
  await openDataDir(dataDir);
  await writeAtomic(join(dataDir, FILE), `${JSON.stringify({ v: 1, names })}\n`, { mode: 0o600 });
}

/** Names under which something is recorded in this data folder. */
export async function recordedNames(dataDir: string): Promise<string[]> {
  const sources = join(dataDir, 'sources');
  const names = await readdir(sources).catch(() => []);
  return names.filter((name) => existsSync(join(sources, name, 'ledger', 'data.mdb'))).sort();
}

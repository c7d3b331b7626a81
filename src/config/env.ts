import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { reasonOf, SlipwayError } from '../domain/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment with what the `.env` beside the config file adds to it. A variable that is set, even to nothing, is
 * never replaced: what the user typed beats what lies in a file.
 * @param file the config file; without one no `.env` is read
 * @throws SlipwayError `config_unreadable` when there is a `.env` that cannot be read
 */
export async function environmentFor(file: string | null, env: Environment): Promise<Environment> {
  if (file === null) return env;
  const path = join(dirname(file), '.env');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EISDIR') return '';
    throw new SlipwayError('config_unreadable', { file: path, reason: reasonOf(error) }, { cause: error });
  });
  const set = Object.entries(env).filter(([, value]) => value !== undefined);
  return Object.freeze({ ...parseEnv(text.replace(/^\uFEFF/, '')), ...Object.fromEntries(set) });
}

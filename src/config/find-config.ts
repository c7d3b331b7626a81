import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SlipwayError } from '../domain/errors.ts';
import type { Environment } from './env.ts';

/** What is looked for where nothing else is said. */
export const DEFAULT_CONFIG = 'slipway.yaml';

/**
 * Which config file holds: `--config`, else `SLIPWAY_CONFIG`, else `./slipway.yaml` where there is one, else null.
 * @throws SlipwayError `config_missing` when the one that was named is not there
 */
export async function findConfigFile(options: {
  readonly flag?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
}): Promise<string | null> {
  const { flag, env, cwd } = options;
  const named = flag ?? (env.SLIPWAY_CONFIG === '' ? undefined : env.SLIPWAY_CONFIG);
  const file = resolve(cwd, named ?? DEFAULT_CONFIG);
  if (await exists(file)) return file;
  if (named === undefined) return null;
  throw new SlipwayError('config_missing', { file });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    // What cannot be looked at is there for all we know; reading it says why it cannot be.
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  );
}

import { findConfigFile } from '../config/find-config.ts';
import { type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { logLibraryLines } from '../runtime/library-lines.ts';
import { openLogger } from '../runtime/logger.ts';
import { withIdentities } from '../runtime/plans/source-identities.ts';
import { tellWarnings } from './screen/config-warnings.ts';

/** Flags that every command takes. */
export interface SharedFlags {
  readonly config?: string;
  readonly logLevel?: string;
}

/** What a command works with once the configuration is read. */
export interface Session extends LoadedConfig {
  readonly log: Log;
}

/**
 * Reads the configuration a command line means.
 * @param needsFile false: without a file every default holds
 * @throws SlipwayError `config_…`
 */
export async function openSession(flags: SharedFlags, needsFile: boolean): Promise<Session> {
  const cwd = process.cwd();
  const file = await findConfigFile({ flag: flags.config, env: process.env, cwd });
  if (file === null && needsFile) throw new SlipwayError('config_missing', { file: 'slipway.yaml' });
  const loaded = await withIdentities(
    await loadConfig({ file, env: process.env, cwd, flags: { logLevel: flags.logLevel } }),
  );
  const log = openLogger(loaded.config.log.level, loaded.config.secrets);
  logLibraryLines(log);
  await tellWarnings(loaded.warnings, { file, level: loaded.config.log.level, log });
  return { ...loaded, log };
}

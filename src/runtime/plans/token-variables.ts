import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import { SlipwayError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';

/**
 * Looks, before anything starts, whether the variables are set that tokens come from.
 * @param definitions of the destinations in use
 * @throws SlipwayError `token_missing` where none of them can work; where others can it is one warning
 */
export function assertTokenVariables(
  definitions: readonly Pick<DestinationDefinition, 'name' | 'token'>[],
  env: Readonly<Record<string, string | undefined>>,
  log: Pick<Log, 'warn'>,
): void {
  const missing = definitions.flatMap(({ name, token }) =>
    token !== null && 'env' in token && (env[token.env] ?? '').trim() === ''
      ? [{ destination: name, variable: token.env }]
      : [],
  );
  if (missing.length === 0) return;
  const named = missing.map(({ destination, variable }) => `${variable} (destination ${destination})`);
  if (missing.length === definitions.length)
    throw new SlipwayError('token_missing', { where: `environment variable ${named.join(', ')}` });
  log.warn(
    { destinations: missing.map(({ destination }) => destination) },
    `no token for ${missing.length} of ${definitions.length} destinations, their files wait: set the environment variable ${named.join(', ')}`,
  );
}

import type { LoadedConfig } from '../../config/load-config.ts';
import { withDestination } from '../../config/with-destination.ts';
import type { DestinationConfig } from '../../destinations/definition/definition-schema.ts';
import type { DestinationWords } from '../../domain/destination-words.ts';
import { SlipwayError } from '../../domain/errors.ts';
import { checkUsable, destinationName, writtenDestination } from './destination-choice.ts';

/**
 * The configuration with what the command line says of the destination it names laid over it.
 * @throws SlipwayError `usage` naming the flag that is missing or wrong
 */
export function withWords<Loaded extends LoadedConfig>(
  loaded: Loaded,
  to: string | undefined,
  words: DestinationWords | null,
): Loaded {
  if (words === null) return loaded;
  const name = destinationName(loaded.config, to);
  const written = laidOver(writtenDestination(loaded.config, name), words);
  checkUsable(name, written);
  return withDestination(loaded, name, written);
}

function laidOver(written: DestinationConfig, { fields, params, url }: DestinationWords): DestinationConfig {
  if (url !== undefined && !/^https?:\/\//.test(url))
    throw new SlipwayError('usage', { problem: '--url: must be an http:// or https:// URL' });
  return {
    ...written,
    ...(fields === undefined ? {} : { fields: { ...written.fields, ...fields } }),
    ...(params === undefined ? {} : { params: { ...written.params, ...params } }),
    ...(url === undefined ? {} : { url }),
  };
}

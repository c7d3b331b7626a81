import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import type { DestinationConfig } from '../destinations/definition/definition-schema.ts';
import { resolveDestination } from '../destinations/definition/resolve-destination.ts';
import type { OpenDestination } from '../destinations/open-destination.ts';
import { SlipwayError } from '../domain/errors.ts';
import type { DirectUploader } from '../operations/upload/direct-upload.ts';
import type { HttpClient } from '../platform/http/http-client.ts';
import { purposesOf } from './plan-upload.ts';
import { badRequest } from './refusal.ts';

/** One destination as the door sends to it. */
export interface UploadTarget {
  readonly destination: OpenDestination;
  readonly uploader: DirectUploader;
  readonly http: Pick<HttpClient, 'send' | 'stream'>;
  /** The most bytes that it takes with any text fields; null: no limit known. */
  readonly mostBytes: number | null;
  /** Whether its files are asked for at the far side, under its own ids. */
  readonly farIds: boolean;
  /** Its definition with other text fields. @throws Refusal 400 */
  with(fields: Readonly<Record<string, string>>): DestinationDefinition;
}

/** Few sets of fields come again and again; whoever counts through them must not fill the memory. */
const MAX_KNOWN = 64;

/**
 * @param config as written, so that limits which hang on a text field are worked out anew for each
 */
export function openTarget(
  { destination, uploader, http }: Pick<UploadTarget, 'destination' | 'uploader' | 'http'>,
  config: DestinationConfig,
  baseDir: string,
): UploadTarget {
  const { definition } = destination;
  const known = new Map<string, DestinationDefinition>();

  function resolved(fields: Readonly<Record<string, string>>): DestinationDefinition {
    const isSame = Object.entries(fields).every(([name, value]) =>
      definition.fields.some((own) => own[0] === name && own[1] === value),
    );
    if (isSame) return definition;
    const key = JSON.stringify(fields);
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = resolveDestination(
      destination.name,
      { ...config, fields: { ...config.fields, ...fields } },
      baseDir,
    );
    if (known.size < MAX_KNOWN) known.set(key, made);
    return made;
  }

  return {
    destination,
    uploader,
    http,
    farIds: destination.remote.can('get'),
    mostBytes: mostBytesOf(definition, resolved),
    with(fields) {
      try {
        return resolved(fields);
      } catch (error) {
        if (error instanceof SlipwayError && error.code === 'config_invalid') {
          throw badRequest('invalid_request', error.message, Object.keys(fields)[0] ?? null);
        }
        throw error;
      }
    },
  };
}

function mostBytesOf(
  definition: DestinationDefinition,
  resolved: (fields: Readonly<Record<string, string>>) => DestinationDefinition,
): number | null {
  const purposes = purposesOf(definition);
  const values = purposes.kind === 'none' ? [] : purposes.values;
  const limits = [definition, ...values.map((purpose) => resolved({ purpose }))].map(
    ({ limits: { maxBytes } }) => maxBytes,
  );
  return limits.includes(null) ? null : Math.max(...limits.map(Number));
}

import type { LoadedConfig } from '../config/load-config.ts';
import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import type { OpenDestination } from '../destinations/open-destination.ts';
import type { Log } from '../domain/log.ts';
import { GATEWAY_SOURCE } from '../operations/receive/received-book.ts';
import { directUploader } from '../operations/upload/direct-upload.ts';
import { compose } from '../runtime/compose.ts';
import { chooseDestination } from '../runtime/plans/destination-choice.ts';
import type { OpenRoute } from './entry.ts';
import { routesOf } from './route-table.ts';
import { openTarget, type UploadTarget } from './upload-target.ts';

/** A destination that refuses our credentials is tried again once a second: somebody may have mended them. */
const PROBE = { firstMs: 1_000, lastMs: 1_000 } as const;

export interface OpenedRoutes {
  readonly routes: readonly OpenRoute[];
  /** Each once, whatever routes lead there. */
  readonly destinations: readonly OpenDestination[];
  close(): Promise<void>;
}

/**
 * Opens every destination that a route leads to.
 * @param to `--to`
 * @throws SlipwayError `usage` where a route leads nowhere
 */
export function openRoutes(
  loaded: LoadedConfig,
  { to, log }: { readonly to: string | undefined; readonly log: Log },
): OpenedRoutes {
  const { config, baseDir } = loaded;
  const planned = routesOf(config, to).map((route) => ({
    route,
    definition: chooseDestination(config, route.destination, baseDir),
  }));
  // Nothing at all to send to: said as every command says it.
  if (planned.length === 0) chooseDestination(config, to, baseDir);
  const definitions = [...new Map(planned.map(({ definition }) => [definition.name, definition])).values()];
  const opened = openTargets(loaded, definitions, log);
  return {
    routes: planned.flatMap(({ route, definition }) => {
      const target = opened.targets.get(definition.name);
      return target === undefined ? [] : [{ ...route, target }];
    }),
    destinations: [...opened.targets.values()].map(({ destination }) => destination),
    close: opened.close,
  };
}

/** Destinations as the door sends to them, by name. */
export interface OpenedTargets {
  readonly targets: ReadonlyMap<string, UploadTarget>;
  close(): Promise<void>;
}

/** Brings destinations to life for uploads that somebody waits for. */
export function openTargets(
  loaded: LoadedConfig,
  definitions: readonly DestinationDefinition[],
  log: Log,
): OpenedTargets {
  const { config, baseDir } = loaded;
  const { http, destinations } = compose(loaded, definitions, { log });
  const targets = new Map<string, UploadTarget>();
  for (const { destination, concurrency } of destinations) {
    const { name } = destination;
    const uploader = directUploader({
      ...{ destination, concurrency, retry: config.retry, send: http.send, log },
      source: GATEWAY_SOURCE,
      patienceMs: config.gateway.patience,
      probe: PROBE,
    });
    targets.set(
      name,
      openTarget({ destination, uploader, http }, config.destinations[name] ?? { preset: name }, baseDir),
    );
  }
  return {
    targets,
    async close() {
      await Promise.all([...targets.values()].map(({ uploader }) => uploader.close()));
      await http.close();
    },
  };
}

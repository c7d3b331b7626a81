import type { LoadedConfig } from '../config/load-config.ts';
import type { DestinationDefinition } from '../destinations/definition/definition.ts';
import type { OpenDestination } from '../destinations/open-destination.ts';
import type { Log } from '../domain/log.ts';
import { GATEWAY_SOURCE } from '../operations/receive/received-book.ts';
import { type DestinationTraffic, directUploader } from '../operations/upload/direct-upload.ts';
import { type Composition, compose } from '../runtime/compose.ts';
import { chooseDestination } from '../runtime/plans/destination-choice.ts';
import type { SourcePlan } from '../runtime/plans/source-plan.ts';
import type { OpenRoute } from './entry.ts';
import { routesOf } from './route-table.ts';
import { openTarget, type UploadTarget } from './upload-target.ts';

/** A destination that refuses our credentials is tried again once a second: somebody may have mended them. */
const PROBE = { firstMs: 1_000, lastMs: 1_000 } as const;

export interface OpenedRoutes {
  readonly routes: readonly OpenRoute[];
  /** Each once, whatever routes lead there. */
  readonly destinations: readonly OpenDestination[];
  /** From now on uploads share what others of this process know of a destination. */
  shareTraffic(find: (destination: string) => DestinationTraffic | null): void;
  /** A run of these plans, with connections of its own. */
  composed(plans: readonly SourcePlan[]): ReturnType<Composition['run']>;
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
  let find: (destination: string) => DestinationTraffic | null = () => null;
  const opened = openTargets(loaded, definitions, log, {
    circuit: true,
    trafficOf: (destination) => find(destination),
  });
  return {
    shareTraffic(found) {
      find = found;
    },
    composed: (plans) => ({
      ...compose(loaded, definitions, { log }).run(plans, ['intake', 'worker']),
      probe: PROBE,
    }),
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
  sharing: {
    readonly circuit: boolean;
    readonly trafficOf: (destination: string) => DestinationTraffic | null;
  } = { circuit: false, trafficOf: () => null },
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
      circuit: sharing.circuit,
      sharedTraffic: () => sharing.trafficOf(name),
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

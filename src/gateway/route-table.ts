import { type GatewayOptions, OWN_SEGMENTS } from '../config/gateway-options.ts';
import type { ResolvedConfig } from '../config/resolved-config.ts';

export type UploadMode = 'direct' | 'queue';

/** One path prefix and where its uploads go. */
export interface Route {
  /** `/` or `/pictures`. */
  readonly prefix: string;
  /** A configured destination or a preset; undefined: the only one. */
  readonly destination: string | undefined;
  /** `queue`: its files are taken now and sent later, unless a request says otherwise. */
  readonly mode: UploadMode;
  readonly fields: Readonly<Record<string, string>>;
  /** `content`: what is there already is not sent again. */
  readonly dedupe: 'none' | 'content';
}

/** Of a route that nobody wrote. */
const PLAIN = { mode: 'direct', fields: {}, dedupe: 'none' } as const;

/**
 * The routes of a config: those it names, else every destination at `/NAME` and the only one, or `--to`, at `/`.
 * @param to `--to`
 */
export function routesOf(
  config: Pick<ResolvedConfig, 'destinations'> & { readonly gateway: Pick<GatewayOptions, 'routes'> },
  to: string | undefined,
): readonly Route[] {
  const written = Object.entries(config.gateway.routes).map(([prefix, route]) => ({
    ...route,
    prefix,
    destination: route.destination ?? to,
  }));
  if (written.length > 0) return written;
  const names = Object.keys(config.destinations);
  const root = to ?? (names.length === 1 ? names[0] : undefined);
  const named = names
    .filter((name) => !OWN_SEGMENTS.has(name))
    .map((name) => ({
      prefix: `/${encodeURIComponent(name)}`,
      destination: name,
      ...PLAIN,
    }));
  return root === undefined ? named : [{ prefix: '/', destination: root, ...PLAIN }, ...named];
}

/** The route with the longest prefix of a path, and what follows it; null: none. */
export function matchRoute<R extends Pick<Route, 'prefix'>>(
  path: string,
  routes: readonly R[],
): { readonly route: R; readonly rest: string } | null {
  let best: R | null = null;
  for (const route of routes) {
    const { prefix } = route;
    const fits = prefix === '/' || path === prefix || path.startsWith(`${prefix}/`);
    if (fits && prefix.length > (best?.prefix.length ?? 0)) best = route;
  }
  if (best === null) return null;
  return { route: best, rest: best.prefix === '/' ? path : path.slice(best.prefix.length) };
}

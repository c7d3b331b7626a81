import type { Call } from './serve.ts';

/** A path with `{}` for a segment that varies, e.g. `/v1/files/{}`. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly call: Call;
}

/** `wrong-method` names the methods the path has. */
export type RouteMatch =
  | { readonly kind: 'call'; readonly call: Call; readonly params: readonly string[] }
  | { readonly kind: 'wrong-method'; readonly allow: string }
  | { readonly kind: 'none' };

const VARIABLE = '{}';

/** Finds the call for a request; fixed paths without looking at the others. */
export class Routes {
  readonly #fixed = new Map<string, Call>();
  readonly #routes: readonly (Route & { readonly segments: readonly string[] })[];

  constructor(routes: readonly Route[]) {
    for (const { method, path, call } of routes) this.#fixed.set(`${method} ${path}`, call);
    this.#routes = routes.map((route) => ({ ...route, segments: route.path.split('/') }));
  }

  match(method: string, path: string): RouteMatch {
    const fixed = this.#fixed.get(`${method} ${path}`);
    if (fixed !== undefined) return { kind: 'call', call: fixed, params: [] };
    const wanted = path.split('/');
    const here = this.#routes.filter(({ segments }) => matches(segments, wanted));
    const found = here.find((route) => route.method === method);
    if (found !== undefined) {
      const params = wanted.filter((_segment, index) => found.segments[index] === VARIABLE);
      return { kind: 'call', call: found.call, params };
    }
    if (here.length === 0) return { kind: 'none' };
    return { kind: 'wrong-method', allow: here.map((route) => route.method).join(', ') };
  }
}

function matches(segments: readonly string[], wanted: readonly string[]): boolean {
  if (segments.length !== wanted.length) return false;
  return segments.every((segment, index) =>
    segment === VARIABLE ? wanted[index] !== '' : segment === wanted[index],
  );
}

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Caller, Keyring } from './access/keyring.ts';
import { checkOrigin, type OriginRules } from './access/origin-check.ts';
import { type Action, findAction } from './paths.ts';
import { Refusal } from './refusal.ts';
import { matchRoute, type Route } from './route-table.ts';
import type { UploadTarget } from './upload-target.ts';

/** A route with its destination at hand. */
export interface OpenRoute extends Route {
  readonly target: UploadTarget;
}

/** What the head of a request leads to. */
export interface Entry {
  readonly caller: Caller | null;
  readonly route: OpenRoute;
  readonly action: Action;
}

/** The door's own pages, below no route. */
export type OwnPage = 'healthz' | 'readyz' | 'metrics' | 'openapi.json';

const OWN_PAGES: readonly string[] = ['healthz', 'readyz', 'metrics', 'openapi.json'];

/** Which page of the door's own a path is; null: none. */
export function ownPageOf(path: string): OwnPage | null {
  const name = path.slice(1);
  return OWN_PAGES.includes(name) ? (name as OwnPage) : null;
}

export interface EntryRules {
  readonly origins: OriginRules;
  readonly keyring: Keyring;
  readonly routes: readonly OpenRoute[];
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** The caller's own id of a request where it gave a harmless one. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/**
 * Who asks for what, from the head of a request alone: nothing of the body is read before this is settled.
 * @throws Refusal 401, 403, 404, 405
 */
export function enter(
  request: Pick<IncomingMessage, 'headers' | 'method'>,
  path: string,
  { origins, keyring, routes }: EntryRules,
): Entry {
  checkOrigin(request.headers, origins, false);
  const caller = keyring.callerOf(request.headers.authorization);
  const matched = matchRoute(path, routes);
  const method = request.method ?? 'GET';
  const finding = matched === null ? null : findAction(method, matched.rest);
  if (matched === null || finding === null || finding.kind === 'unknown') {
    throw new Refusal({
      status: 404,
      code: 'unknown_path',
      message: `there is nothing at ${method} ${path.slice(0, 200)}`,
    });
  }
  const { route } = matched;
  if (caller?.routes != null && !caller.routes.includes(route.prefix)) {
    throw new Refusal({
      status: 403,
      code: 'route_not_allowed',
      message: `this key does not open ${route.prefix}`,
    });
  }
  if (finding.kind === 'wrong-method') {
    throw new Refusal({
      status: 405,
      code: 'method_not_allowed',
      message: `${method} is not possible here: ${finding.allow} is`,
      headers: { allow: finding.allow },
    });
  }
  return { caller, route, action: finding.action };
}

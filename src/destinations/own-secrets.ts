import { keepLast } from '../platform/keep-last.ts';
import { orderedSecrets, type Secrets } from './answer/redact-secrets.ts';
import type { DestinationDefinition } from './definition/definition.ts';
import type { CachedToken } from './token/cached-token.ts';
import { withoutScheme } from './token/token-text.ts';

/**
 * What the far side may echo and nobody may read (G5): what is configured and secret, credentials of the definition, of the token, and of what was
 * sent with these headers.
 */
export type SecretsWith = (headers: Readonly<Record<string, string>> | null) => Secrets;

/** Tokens change once a day and signatures once a second, answers come by the thousand: the last list is kept. */
export function ownSecrets(definition: DestinationDefinition, token: CachedToken | null): SecretsWith {
  const { auth } = definition;
  const url = new URL(definition.url);
  const own = [
    ...definition.secrets,
    ...secretsIn(definition.headers),
    ...secretsIn(Object.fromEntries(url.searchParams)),
  ];
  let known: { found: readonly string[]; ordered: Secrets } = { found: [], ordered: orderedSecrets([]) };

  function sentSecrets(headers: Readonly<Record<string, string>>): readonly string[] {
    const carried = headers[auth.header];
    const bare = carried === undefined ? [] : [carried, withoutScheme(carried, auth.scheme)];
    return [...bare, ...secretsIn(headers)];
  }

  // Requests of one second share their headers (request-credentials.ts).
  const sent = keepLast(sentSecrets);

  return (headers) => {
    const found = [...own, ...(token?.recent() ?? []), ...(headers === null ? [] : sent(headers))];
    const same = found.length === known.found.length && found.every((text, at) => text === known.found[at]);
    if (!same) {
      const bare = found.map((value) => withoutScheme(value, auth.scheme));
      known = { found, ordered: orderedSecrets([...found, ...bare]) };
    }
    return known.ordered;
  };
}

/** Values whose name says that they are credentials. `X-Auth-Appid` and the like are constants of a preset. */
function secretsIn(named: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(named)
    .filter(([key]) => /authorization|token|secret|password|cookie|sign|api.?key|^key$/i.test(key))
    .map(([, value]) => value);
}

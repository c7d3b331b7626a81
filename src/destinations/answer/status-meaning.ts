import type { ErrorCode } from '../../domain/errors.ts';

type VerdictCode = Extract<
  ErrorCode,
  'unauthenticated' | 'throttled' | 'unavailable' | 'rejected' | 'misconfigured' | 'exhausted' | 'bad_answer'
>;

/** What an HTTP status means where the destination's own error table is silent. */
export interface StatusMeaning {
  readonly code: VerdictCode;
  readonly hint: string | null;
}

/**
 * @param recognised the body is an error as this API writes them; without it a proxy, a portal or a firewall may have
 *   answered, whose word about a file is no refusal of that file (G6)
 */
export function statusMeaning(status: number, recognised: boolean): StatusMeaning {
  const means = (code: VerdictCode, hint: string | null = null): StatusMeaning => ({ code, hint });
  if (status >= 500) return means('unavailable');
  switch (status) {
    case 401:
      return means('unauthenticated');
    case 402:
      return means('exhausted');
    case 403:
      return recognised
        ? means('misconfigured', 'the credentials have no right to upload here')
        : means('unavailable');
    case 404:
    case 405:
    case 410:
      return means('misconfigured', 'check url');
    case 407:
      return means('misconfigured', 'the proxy wants credentials');
    // 409 as the family's own clients do: a conflict that passes.
    case 408:
    case 409:
    case 425:
      return means('unavailable');
    case 413:
    case 415:
      return means('rejected');
    case 429:
      return means('throttled');
    default:
      return means(status >= 400 && recognised ? 'rejected' : 'bad_answer');
  }
}

/**
 * What a redirect means; null: the status is none. None is followed: the body has gone, and whoever stands in between
 * must not send credentials on. Where it points is named without its query, which may hold a secret.
 * - 301 and 308 say that the address has changed for good: a person has to set it
 * - 307 and 308 that differ by a trailing slash are the server's own idea of this very path
 * - 302, 303 and other 307s come from portals, login pages and maintenance: no word of this API
 */
export function redirectMeaning(
  status: number,
  location: string | undefined,
  url: string,
): StatusMeaning | null {
  if (![301, 302, 303, 307, 308].includes(status)) return null;
  const target = location === undefined ? null : URL.parse(location, url);
  const shown = target === null ? null : `${target.origin}${target.pathname}`;
  const whither = shown === null ? 'elsewhere' : `to ${shown}`;
  if (status === 301 || status === 308 || (status === 307 && isSamePath(target, url))) {
    const hint = `set url to ${shown ?? 'the address it redirects to'}: redirects are not followed`;
    return { code: 'misconfigured', hint };
  }
  return { code: 'bad_answer', hint: `it redirects ${whither}: redirects are not followed` };
}

function isSamePath(target: URL | null, url: string): boolean {
  const own = URL.parse(url);
  const bare = (path: string): string => path.replace(/\/$/, '');
  return own !== null && target?.origin === own.origin && bare(target.pathname) === bare(own.pathname);
}

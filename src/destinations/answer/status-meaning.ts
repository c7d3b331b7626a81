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
    case 301:
    case 308:
      return means('misconfigured', 'set url to the address it redirects to: redirects are not followed');
    case 302:
    case 303:
    case 307:
      return means('unavailable', 'redirects are not followed');
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

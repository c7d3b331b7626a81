import { SlipwayError } from '../domain/errors.ts';
import { keepLast } from '../platform/keep-last.ts';
import type { DestinationDefinition } from './definition/definition.ts';
import { HEADER_VALUE } from './definition/definition-schema.ts';
import type { RequestCredentials } from './open-parts.ts';
import type { SentCredentials } from './readiness-port.ts';
import { signatureHeaders } from './signer.ts';
import type { SigningClock } from './signing-clock.ts';
import type { CachedToken } from './token/cached-token.ts';
import { authorizationValue } from './token/token-text.ts';

/** What a request is sent with. Made inside each attempt, never before: tokens and signatures grow old (contract §4). */
export interface Credentials {
  /** The token, and the headers of the definition. Throws SlipwayError `token_…`. */
  authorized(signal: AbortSignal): Promise<SentCredentials>;
  /** The same, signed. */
  signed(signal: AbortSignal): Promise<RequestCredentials>;
}

/** @param where the token comes from, for people */
export function openCredentials(
  { auth, headers, signer }: DestinationDefinition,
  token: CachedToken | null,
  where: string,
  clock: SigningClock,
): Credentials {
  let lastGeneration = 0;
  const headersWith = (others: (atSecond: number) => Readonly<Record<string, string>>) =>
    // Tokens change once a day and signatures once a second: within one all requests share one frozen set of headers.
    keepLast((value: string | null, atSecond: number) => {
      const carried = value === null ? {} : { [auth.header]: authorizationValue(value, auth.scheme, where) };
      return Object.freeze(checkedHeaders({ ...headers, ...carried, ...others(atSecond) }));
    });
  const unsignedHeaders = headersWith(() => ({}));
  const signedHeaders = headersWith((atSecond) => signatureHeaders(signer, atSecond * 1000));

  async function withToken(
    signal: AbortSignal,
    headersFor: (value: string | null, atSecond: number) => Readonly<Record<string, string>>,
  ): Promise<SentCredentials> {
    const current = await token?.current(signal);
    const generation = current?.generation ?? 0;
    // Before anything else is awaited: two requests must not both be the first.
    const tokenFirstUse = generation > lastGeneration;
    lastGeneration = Math.max(lastGeneration, generation);
    return {
      headers: headersFor(current?.value ?? null, Math.floor(clock.nowMs() / 1000)),
      tokenGeneration: generation,
      tokenFirstUse,
    };
  }

  return {
    authorized: (signal) => withToken(signal, unsignedHeaders),
    async signed(signal) {
      const sent = await withToken(signal, signedHeaders);
      return { ...sent, tokenFirstUse: sent.tokenFirstUse === true, clockGeneration: clock.generation() };
    },
  };
}

/** An invalid header wedges a bounded undici pool for good: the last look is here. */
function checkedHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_VALUE.test(value)) throw new SlipwayError('token_invalid', { where: `header ${name}` });
  }
  return headers;
}

import { SlipwayError } from '../domain/errors.ts';
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

  async function withToken(
    signal: AbortSignal,
    others: () => Readonly<Record<string, string>>,
  ): Promise<SentCredentials> {
    const current = await token?.current(signal);
    const generation = current?.generation ?? 0;
    // Before anything else is awaited: two requests must not both be the first.
    const tokenFirstUse = generation > lastGeneration;
    lastGeneration = Math.max(lastGeneration, generation);
    const carried =
      current === undefined ? {} : { [auth.header]: authorizationValue(current.value, auth.scheme, where) };
    return {
      headers: checkedHeaders({ ...headers, ...carried, ...others() }),
      tokenGeneration: generation,
      tokenFirstUse,
    };
  }

  return {
    authorized: (signal) => withToken(signal, () => ({})),
    async signed(signal) {
      const sent = await withToken(signal, () => signatureHeaders(signer, clock.nowMs()));
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

import { jsonReply, type Outcome, type Reply, textReply } from '../http/reply.ts';
import type { TokenFault } from '../trouble/fault-rule.ts';
import { DAY_SECONDS, type TokenIssuer } from './token-issuer.ts';

/** GET /get_token: `Bearer <JWT>` as text, 24 h; a fault may ask for any other form seen in the wild. */
export function tokenAnswer(issuer: TokenIssuer, fault: TokenFault | null): Outcome {
  const { lifetimeSeconds = DAY_SECONDS, uses = null } = fault ?? {};
  const jwt = issuer.issue({ lifetimeSeconds, uses });
  return { kind: 'answered', reply: fault === null ? textReply(200, `Bearer ${jwt}`) : inForm(jwt, fault) };
}

function inForm(jwt: string, { form, key, padded, unprintable }: TokenFault): Reply {
  const token = unprintable ? `${jwt.slice(0, 10)}\u0007${jwt.slice(10)}` : jwt;
  const reply = {
    bearer: () => textReply(200, `Bearer ${token}`),
    bare: () => textReply(200, token),
    'json-string': () => jsonReply(200, token),
    object: () => jsonReply(200, { [key]: token }),
    'nested-object': () => jsonReply(200, { code: 0, data: { [key]: token } }),
  }[form]();
  return padded ? { ...reply, body: `  ${String(reply.body)}\r\n` } : reply;
}

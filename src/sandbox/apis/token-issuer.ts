import { createHmac, randomBytes } from 'node:crypto';

export const DAY_SECONDS = 24 * 60 * 60;

export interface TokenTerms {
  readonly lifetimeSeconds: number;
  /** Requests it is good for; null: any number until it expires. */
  readonly uses: number | null;
}

interface Claims {
  readonly exp: number;
  readonly seq: number;
  readonly uses: number | null;
}

/** Tokens whose remaining uses are counted; beyond this many the oldest count as used up. */
const MAX_COUNTED = 10_000;
/** Signatures already checked, so that a benchmark does not measure HMAC. */
const MAX_VERIFIED = 256;
const HEADER = encode({ alg: 'HS256', typ: 'JWT' });

/** Issues and checks the AutoGLM tokens: HS256 JWTs under a key of this sandbox only. Bounded memory. */
export class TokenIssuer {
  readonly #now: () => number;
  readonly #key = randomBytes(32);
  readonly #verified = new Map<string, Claims>();
  readonly #usesLeft = new Map<number, number>();
  #seq = 0;
  #revokedThrough = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A new token, without `Bearer `. */
  issue({ lifetimeSeconds, uses }: TokenTerms): string {
    this.#seq += 1;
    const seq = this.#seq;
    const iat = Math.floor(this.#now() / 1_000);
    const claims = {
      iss: 'slipway-sandbox',
      sub: 'sandbox',
      power: 1,
      iat,
      exp: iat + lifetimeSeconds,
      jti: String(seq),
    };
    if (uses !== null) bounded(this.#usesLeft, MAX_COUNTED).set(seq, uses);
    const signed = `${HEADER}.${encode(uses === null ? claims : { ...claims, uses })}`;
    return `${signed}.${this.#signature(signed)}`;
  }

  /** Whether `Authorization: Bearer <token>` carries a live token of ours; takes one of its uses. */
  accepts(authorization: string | undefined): boolean {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '')?.[1];
    const claims = token === undefined ? null : this.#claimsOf(token);
    if (claims === null || claims.seq <= this.#revokedThrough || claims.exp <= this.#now() / 1_000)
      return false;
    if (claims.uses === null) return true;
    const left = this.#usesLeft.get(claims.seq) ?? 0;
    if (left > 0) this.#usesLeft.set(claims.seq, left - 1);
    return left > 0;
  }

  /** Every token issued so far stops working, as after a log-out. */
  revokeAll(): void {
    this.#revokedThrough = this.#seq;
  }

  #claimsOf(token: string): Claims | null {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const end = token.lastIndexOf('.');
    if (this.#signature(token.slice(0, end)) !== token.slice(end + 1)) return null;
    // Our own signature: the payload is what `issue` wrote.
    const payload: unknown = JSON.parse(
      Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url').toString(),
    );
    const { exp, jti, uses } = payload as { exp: number; jti: string; uses?: number };
    const claims = { exp, seq: Number(jti), uses: uses ?? null };
    bounded(this.#verified, MAX_VERIFIED).set(token, claims);
    return claims;
  }

  #signature(signed: string): string {
    return createHmac('sha256', this.#key).update(signed).digest('base64url');
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The same map, with room for one more. */
function bounded<K, V>(map: Map<K, V>, max: number): Map<K, V> {
  if (map.size < max) return map;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
  return map;
}

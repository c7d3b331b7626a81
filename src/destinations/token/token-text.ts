import { SlipwayError } from '../../domain/errors.ts';
import { atPointer } from '../../platform/files/json-pointer.ts';

/** Where token services put it in a JSON object (contract §6.1). */
const PLACES = [[], ['data'], ['data', 'data']].flatMap((parent) =>
  ['token', 'access_token', 'bearer_token', 'accessToken', 'bearerToken'].map((key) => [...parent, key]),
);

/**
 * The token in what a source gave: text, a JSON string, or a JSON object.
 * Throws `token_empty` when there is none in it.
 * @param where the source, for the message; without secrets
 */
export function tokenIn(text: string, where: string): string {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  const token = /^["{]/.test(trimmed) ? fromJson(trimmed) : trimmed;
  if (token === '') throw new SlipwayError('token_empty', { where });
  return token;
}

function fromJson(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON after all: taken as it stands.
    return text;
  }
  if (typeof value === 'string') return value.trim();
  const found = PLACES.map((place) => atPointer(value, place)).find(
    (candidate) => typeof candidate === 'string' && candidate.trim() !== '',
  );
  return typeof found === 'string' ? found.trim() : '';
}

/** Bare part of a token that may begin with its scheme. */
export function withoutScheme(token: string, scheme: string | null): string {
  if (scheme === null || !token.toLowerCase().startsWith(scheme.toLowerCase())) return token;
  const rest = token.slice(scheme.length);
  return /^\s/.test(rest) ? rest.trim() : token;
}

/**
 * The header's value: the scheme goes in front unless the token already begins with it, in any case.
 * Throws `token_empty` when there is a scheme but nothing after it, `token_invalid` for what no header may carry.
 */
export function authorizationValue(token: string, scheme: string | null, where: string): string {
  const bare = withoutScheme(token, scheme);
  if (bare === '' || (scheme !== null && bare.toLowerCase() === scheme.toLowerCase())) {
    throw new SlipwayError('token_empty', { where });
  }
  // Spaces too: a sentence such as "please log in" is no token, and a page of HTML is none either.
  if (!/^[\x21-\x7e]+$/.test(bare) || bare.startsWith('<'))
    throw new SlipwayError('token_invalid', { where });
  if (scheme === null) return token;
  // The scheme as it came, in whatever case; what stands between the two is one space, whatever it was.
  return `${bare === token ? scheme : token.slice(0, scheme.length)} ${bare}`;
}

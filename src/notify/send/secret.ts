import { randomBytes } from 'node:crypto';

/** Standard Webhooks 1.0: a symmetric secret is `whsec_` and the base64 of its bytes. */
const PREFIX = 'whsec_';
const MIN_BYTES = 24;
const MAX_BYTES = 64;
const NEW_BYTES = 32;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const MAKE_ONE = 'slipway webhooks secret makes one';

/** A fresh secret. */
export function newSecret(): string {
  return PREFIX + randomBytes(NEW_BYTES).toString('base64');
}

/** What is wrong with a secret, with the fix; null when it can sign. Never quotes it (G5). */
export function secretProblem(text: string): string | null {
  if (!text.startsWith(PREFIX)) return `must begin with ${PREFIX}: ${MAKE_ONE}`;
  const encoded = text.slice(PREFIX.length);
  if (!BASE64.test(encoded)) return `must be ${PREFIX} and base64: ${MAKE_ONE}`;
  const bytes = Buffer.from(encoded, 'base64').length;
  return bytes < MIN_BYTES || bytes > MAX_BYTES
    ? `must hold ${MIN_BYTES} to ${MAX_BYTES} bytes, not ${bytes}: ${MAKE_ONE}`
    : null;
}

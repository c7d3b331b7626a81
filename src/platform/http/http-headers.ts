import { SlipwayError } from '../../domain/errors.ts';

/** RFC 9110 §5.6.2: what a header's name may consist of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5, obs-text included. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Framing and connection belong to the client: two opinions about them are how requests get smuggled. */
const OURS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Request headers as they go out: names in lower case, a `user-agent` where none is given (some firewalls refuse
 * requests without), and no compression asked for: answers are small. What the wire cannot carry is refused here, before undici sees it: each request that undici
 * refuses takes one connection of a bounded pool out of service for good (measured with undici 7.30 and 8.12).
 * Throws SlipwayError `misconfigured`, never naming the value.
 */
export function sendableHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const sendable: Record<string, string> = { 'user-agent': 'slipway', 'accept-encoding': 'identity' };
  for (const [name, value] of Object.entries(headers)) {
    const lower = known.get(name) ?? checkedName(name);
    if (!FIELD_VALUE.test(value)) {
      throw new SlipwayError('misconfigured', {
        detail: `the value of the header ${lower} holds characters that no HTTP header may carry: correct it`,
      });
    }
    sendable[lower] = value;
  }
  return sendable;
}

/** Names that passed, in lower case: the same few with every request. */
const known = new Map<string, string>();
const MOST_KNOWN = 200;

function checkedName(name: string): string {
  const lower = name.toLowerCase();
  if (!TOKEN.test(name))
    throw new SlipwayError('misconfigured', { detail: 'a header name is not a valid token' });
  if (OURS.has(lower)) {
    throw new SlipwayError('misconfigured', { detail: `the header ${lower} is set by Slipway: remove it` });
  }
  if (known.size < MOST_KNOWN) known.set(name, lower);
  return lower;
}

/** Header values as one string each. */
export function joinedHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | undefined> {
  const joined: Record<string, string | undefined> = {};
  for (const name in headers) {
    const value = headers[name];
    joined[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}

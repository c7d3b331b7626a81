const METHODS = 'GET, POST, DELETE, HEAD, PATCH, OPTIONS';
const EXPOSED =
  'Location, Retry-After, Slipway-File, Tus-Resumable, Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata, x-request-id, x-slipway-error, x-should-retry, Idempotency-Replayed, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests';

/**
 * What a page of another origin is told; nothing where it is not allowed.
 * @param asked the header names that a preflight asks for
 */
export function corsHeaders(
  origin: string | undefined,
  allowed: ReadonlySet<string>,
  asked: string | undefined,
): Readonly<Record<string, string>> {
  if (allowed.size === 0) return {};
  if (origin === undefined || !allowed.has(origin)) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': EXPOSED,
    ...(asked === undefined
      ? {}
      : {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': asked.replace(/[^A-Za-z0-9_, -]/g, ''),
          'access-control-max-age': '600',
        }),
  };
}

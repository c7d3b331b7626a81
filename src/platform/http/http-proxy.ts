import { SlipwayError } from '../../domain/errors.ts';

/** Proxies for http and https targets, and who is reached without one (hosts, comma-separated). null: none. */
export interface ProxySettings {
  readonly http: string | null;
  readonly https: string | null;
  readonly no: string | null;
}

/**
 * The environment's proxies; the lower-case spelling wins, as with curl. An empty value means none, one without a
 * scheme is an HTTP proxy.
 * @throws SlipwayError `proxy_invalid`
 */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const name = (lower: string): string => (env[lower] ? lower : lower.toUpperCase());
  const proxy = (lower: string): string | null => proxyUrl(name(lower), env[name(lower)] || null);
  return { http: proxy('http_proxy'), https: proxy('https_proxy'), no: env[name('no_proxy')] || null };
}

/** The value may hold a password, so the message names the variable only. */
function proxyUrl(variable: string, text: string | null): string | null {
  if (text === null) return null;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || url.hostname === '' || !/^https?:$/.test(url.protocol))
    throw new SlipwayError('proxy_invalid', { variable });
  return url.href;
}

export function hasProxy({ http, https }: ProxySettings): boolean {
  return http !== null || https !== null;
}

/** Scheme, host and port of each, as messages may show them. */
export function proxyOrigins({ http, https }: ProxySettings): string[] {
  return [http, https].filter((url) => url !== null).map((url) => new URL(url).origin);
}

/** True when the host of a URL is this machine. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    /^127\.\d+\.\d+\.\d+$/.test(host)
  );
}

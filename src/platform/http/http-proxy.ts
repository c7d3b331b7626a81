import { BlockList, isIP } from 'node:net';
import { SlipwayError } from '../../domain/errors.ts';

/** Proxies for http and https targets, and who is reached without one (hosts, comma-separated). null: none. */
export interface ProxySettings {
  readonly http: string | null;
  readonly https: string | null;
  readonly no: string | null;
}

/**
 * The environment's proxies; the lower-case spelling wins, as with curl, and `all_proxy` stands in where neither is set.
 * An empty value means none, one without a scheme is an HTTP proxy.
 * @throws SlipwayError `proxy_invalid`
 */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const name = (lower: string): string => (env[lower] ? lower : lower.toUpperCase());
  const proxy = (lower: string): string | null => {
    const isSaid = env[lower] !== undefined || env[lower.toUpperCase()] !== undefined;
    const variable = name(isSaid ? lower : 'all_proxy');
    return proxyUrl(variable, env[variable] || null);
  };
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

/**
 * Whether `no_proxy` names the network of this address (`10.0.0.0/8`): undici knows names and single addresses only.
 * Pure; made once per client.
 * @returns for a URL's host, IPv6 in brackets
 */
export function networksWithoutProxy(no: string | null): (hostname: string) => boolean {
  const networks = new BlockList();
  for (const entry of (no ?? '').split(/[,\s]+/)) {
    const [address = '', bits = ''] = entry.split('/');
    const version = isIP(address);
    const prefix = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (version === 0 || !(prefix <= (version === 4 ? 32 : 128))) continue;
    networks.addSubnet(address, prefix, version === 4 ? 'ipv4' : 'ipv6');
  }
  return (hostname) => {
    const address = hostname.replace(/^\[|\]$/g, '');
    const version = isIP(address);
    return version !== 0 && networks.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
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

/** Proxies for http and https targets, and who is reached without one (hosts, comma-separated). null: none. */
export interface ProxySettings {
  readonly http: string | null;
  readonly https: string | null;
  readonly no: string | null;
}

/** The environment's proxies; the lower-case spelling wins, as with curl. An empty value means none. */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const read = (name: string): string | null => env[name] || env[name.toUpperCase()] || null;
  return { http: read('http_proxy'), https: read('https_proxy'), no: read('no_proxy') };
}

export function hasProxy({ http, https }: ProxySettings): boolean {
  return http !== null || https !== null;
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

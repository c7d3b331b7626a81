import { Refusal } from '../refusal.ts';

export interface OriginRules {
  /** Whether the door is bound to loopback: only then anything on this machine, a browser included, reaches it unasked. */
  readonly loopback: boolean;
  /** Lower-case. */
  readonly allowedHosts: ReadonlySet<string>;
  readonly allowedOrigins: ReadonlySet<string>;
}

export interface OriginHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/**
 * Whether a web page may speak through this request: a foreign page must not upload by the browser of who runs the
 * door, nor a name that resolves to 127.0.0.1 (DNS rebinding). Pure.
 * @param opensPage the request opens a page in a browser: a link from anywhere may do that
 * @throws Refusal 403
 */
export function checkOrigin(headers: OriginHeaders, rules: OriginRules, opensPage: boolean): void {
  if (!rules.loopback) return;
  const host = headers.host ?? '';
  if (!isOwnHost(host, rules.allowedHosts)) {
    throw forbidden(
      'host_not_allowed',
      `the Host ${shown(host)} is not allowed: add it to gateway.allowedHosts`,
    );
  }
  const { origin } = headers;
  if (origin !== undefined) {
    if (rules.allowedOrigins.has(origin)) return;
    if (origin === 'null' || URL.parse(origin)?.host !== hostOf(host)) {
      throw forbidden(
        'origin_not_allowed',
        `pages of the origin ${shown(origin)} are not allowed: add it to gateway.allowedOrigins`,
      );
    }
  }
  if (headers['sec-fetch-site'] === 'cross-site' && !opensPage) {
    throw forbidden('origin_not_allowed', 'requests of other sites are not allowed');
  }
}

/** Whether an address is this machine's own: then nobody else reaches it. */
export function isLoopbackAddress(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\]|::ffff:127(?:\.\d{1,3}){3})$/i.test(host);
}

function isOwnHost(host: string, allowed: ReadonlySet<string>): boolean {
  const text = host.toLowerCase();
  const name = text.replace(/:\d+$/, '');
  return isLoopbackAddress(name) || allowed.has(text) || allowed.has(name);
}

/** As URLs spell it: lower-case, without a default port. */
function hostOf(host: string): string | null {
  return URL.parse(`http://${host}`)?.host ?? null;
}

function forbidden(code: string, message: string): Refusal {
  return new Refusal({ status: 403, code, message, headers: { vary: 'Origin' } });
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';

/**
 * @param what the label of RFC 7468 that it must hold, or the end of it (`EC PRIVATE KEY`)
 * @throws SlipwayError `config_unreadable`
 */
export function readPem(file: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SlipwayError('config_unreadable', { file, reason: reasonOf(cause) }, { cause });
  }
  if (new RegExp(`-----BEGIN (?:[A-Z0-9]+ )*${what}-----`).test(text)) return text;
  const reason = `it holds no -----BEGIN ${what}-----`;
  throw new SlipwayError('config_unreadable', { file, reason });
}

/**
 * What Node's TLS wants to trust those in `caFile` too; nothing where there is none. `ca` replaces what Node trusts by
 * itself, so that comes along.
 * @throws SlipwayError `config_unreadable`
 */
export function trustOf(caFile: string | null): { readonly ca?: string[] } {
  return caFile === null ? {} : { ca: [...getCACertificates('default'), readPem(caFile, 'CERTIFICATE')] };
}

/**
 * The certificate this side shows, and its key; nothing where there is none.
 * @throws SlipwayError `config_unreadable`
 */
export function shownCertificate(own: { readonly certFile: string; readonly keyFile: string } | null): {
  readonly cert?: string;
  readonly key?: string;
} {
  return own === null
    ? {}
    : { cert: readPem(own.certFile, 'CERTIFICATE'), key: readPem(own.keyFile, 'PRIVATE KEY') };
}

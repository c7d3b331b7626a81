import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const TLS = join(import.meta.dirname, '../fixtures/tls');

/** A self-signed certificate of 127.0.0.1, and where its files lie. */
export function tlsFiles() {
  const keyFile = join(TLS, 'key.pem');
  const certFile = join(TLS, 'cert.pem');
  return {
    ...{ keyFile, certFile, caFile: certFile },
    key: readFileSync(keyFile, 'utf8'),
    cert: readFileSync(certFile, 'utf8'),
  };
}

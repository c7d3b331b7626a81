import { Webhook } from 'standardwebhooks';

/** Signs deliveries as Standard Webhooks 1.0 says: `v1`, HMAC-SHA256 of `id.timestamp.body`. */
export interface Signer {
  /**
   * Headers of one attempt. Every secret signs, so that a receiver may know the old or the new one.
   * @param nowMs epoch milliseconds of this attempt: receivers refuse old ones
   */
  headers(id: string, nowMs: number, body: string): Readonly<Record<string, string>>;
}

/** @param secrets `whsec_…`, checked */
export function createSigner(secrets: readonly string[]): Signer {
  const keys = secrets.map((secret) => new Webhook(secret));
  return {
    headers(id, nowMs, body) {
      const at = new Date(nowMs);
      return {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(nowMs / 1_000)),
        'webhook-signature': keys.map((key) => key.sign(id, at, body)).join(' '),
      };
    },
  };
}

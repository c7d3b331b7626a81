import { createHash } from 'node:crypto';
import type { Signer } from './definition.ts';

/**
 * Headers of a signature made now. Never made ahead: the far side refuses an old timestamp.
 * @param nowMs milliseconds since the epoch, on the far side's clock
 */
export function signatureHeaders(signer: Signer, nowMs: number): Readonly<Record<string, string>> {
  if (signer.kind === 'none') return {};
  const timestamp = String(Math.floor(nowMs / 1000));
  return {
    'X-Auth-Appid': signer.appid,
    'X-Auth-TimeStamp': timestamp,
    'X-Auth-Sign': md5AppidSign(signer.appid, timestamp, signer.key),
  };
}

/** Lower-case hex md5 of `appid & timestamp & key` (DESIGN §6.1); not a choice of ours. */
export function md5AppidSign(appid: string, timestamp: string, key: string): string {
  return createHash('md5').update(`${appid}&${timestamp}&${key}`, 'utf8').digest('hex');
}

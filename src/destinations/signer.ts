import { hash } from 'node:crypto';
import { keepLast } from '../platform/keep-last.ts';
import type { Signer } from './definition/definition.ts';

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
    'X-Auth-Sign': signOf(signer.appid, timestamp, signer.key),
  };
}

/** Within one second all uploads have the same. */
const signOf = keepLast(md5AppidSign);

/** Lower-case hex md5 of `appid & timestamp & key` (contract §6.1); not a choice of ours. */
export function md5AppidSign(appid: string, timestamp: string, key: string): string {
  return hash('md5', `${appid}&${timestamp}&${key}`, 'hex');
}

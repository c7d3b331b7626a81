import { hash } from 'node:crypto';
import type { Signer } from './definition.ts';

/**
 * Headers of a signature made now. Never made ahead: the far side refuses an old timestamp.
 * @param nowMs milliseconds since the epoch, on the far side's clock
 */
export function signatureHeaders(signer: Signer, nowMs: number): Readonly<Record<string, string>> {
  if (signer.kind === 'none') return {};
  const timestamp = String(Math.floor(nowMs / 1000));
  if (last.signer !== signer || last.timestamp !== timestamp)
    last = { signer, timestamp, sign: md5AppidSign(signer.appid, timestamp, signer.key) };
  return { 'X-Auth-Appid': signer.appid, 'X-Auth-TimeStamp': timestamp, 'X-Auth-Sign': last.sign };
}

/** Within one second all uploads have the same. */
let last: { readonly signer: Signer | null; readonly timestamp: string; readonly sign: string } = {
  ...{ signer: null, timestamp: '', sign: '' },
};

/** Lower-case hex md5 of `appid & timestamp & key` (DESIGN §6.1); not a choice of ours. */
export function md5AppidSign(appid: string, timestamp: string, key: string): string {
  return hash('md5', `${appid}&${timestamp}&${key}`, 'hex');
}

import { hash } from 'node:crypto';

export const TOKEN = 'Bearer bench-token-0123456789';
export const UPLOAD_PATH = '/agentdr/v1/assistant/upload-mix';
export const TOKEN_PATH = '/get_token';
export const FIELD = 'files';

const APP_ID = '100003';
const APP_KEY = '38d2391985e2369a5fb8227d8e6cd5e5';
const MAX_DRIFT_SECONDS = 300;

/** What every upload carries, made at this moment; written out here so that the product is not checked by its own code. */
export function uploadHeaders(): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  return {
    Authorization: TOKEN,
    'X-Auth-Appid': APP_ID,
    'X-Auth-TimeStamp': timestamp,
    'X-Auth-Sign': sign(timestamp),
  };
}

/** Why a strict service refuses this head; null when it does not. Names in lower case. */
export function refusalOf(headers: ReadonlyMap<string, string>): string | null {
  const timestamp = headers.get('x-auth-timestamp') ?? '';
  if (headers.get('authorization') !== TOKEN) return 'no such token';
  if (headers.get('x-auth-appid') !== APP_ID) return 'unknown appid';
  if (!/^\d{10}$/.test(timestamp)) return 'the timestamp is not in seconds';
  if (Math.abs(Number(timestamp) - Date.now() / 1000) > MAX_DRIFT_SECONDS) return 'stale timestamp';
  return headers.get('x-auth-sign') === sign(timestamp) ? null : 'wrong signature';
}

/** The last answer is kept: within one second every right signature is the same. */
let signed = { timestamp: '', value: '' };

function sign(timestamp: string): string {
  if (signed.timestamp !== timestamp) {
    signed = { timestamp, value: hash('md5', `${APP_ID}&${timestamp}&${APP_KEY}`, 'hex') };
  }
  return signed.value;
}

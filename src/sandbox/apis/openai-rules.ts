import type { Outcome } from '../http/reply.ts';
import { openaiRefusal } from './openai-answers.ts';

export const ANCHOR_FIELD = 'expires_after[anchor]';
export const SECONDS_FIELD = 'expires_after[seconds]';
const MIN_EXPIRY_SECONDS = 3_600;
const MAX_EXPIRY_SECONDS = 30 * 24 * 60 * 60;
/** What a batch file gets when nobody says otherwise. */
export const BATCH_EXPIRY_SECONDS = MAX_EXPIRY_SECONDS;
const MAX_BATCH_BYTES = 200 * 1024 * 1024;
const PURPOSES: readonly string[] = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'];

/** Why a purpose does not go with a file; null: it does. */
export function purposeProblem(purpose: string | undefined, filename: string, bytes: number): Outcome | null {
  if (purpose === undefined) return badRequest("'purpose' is a required property", 'purpose');
  if (!PURPOSES.includes(purpose))
    return badRequest(`'${purpose}' is not one of ${PURPOSES.join(', ')}`, 'purpose');
  const needsLines = purpose === 'batch' || purpose === 'fine-tune';
  if (needsLines && !filename.toLowerCase().endsWith('.jsonl'))
    return badRequest(`Invalid file format for ${purpose}: .jsonl is taken.`, 'file');
  if (purpose !== 'batch' || bytes <= MAX_BATCH_BYTES) return null;
  return openaiRefusal(413, { message: `A batch file has at most ${MAX_BATCH_BYTES} bytes.`, param: 'file' });
}

/** Why `expires_after` is not what OpenAI takes; null: it is, or is absent. */
export function expiryProblem(fields: Readonly<Record<string, string>>): Outcome | null {
  const { [ANCHOR_FIELD]: anchor, [SECONDS_FIELD]: seconds } = fields;
  if (anchor === undefined && seconds === undefined) return null;
  if (anchor !== 'created_at') return badRequest("expires_after.anchor is 'created_at'", 'expires_after');
  const value = /^\d+$/.test(seconds ?? '') ? Number(seconds) : 0;
  if (value >= MIN_EXPIRY_SECONDS && value <= MAX_EXPIRY_SECONDS) return null;
  return badRequest('expires_after.seconds is 3600 to 2592000', 'expires_after');
}

/** HTTP 400 about one parameter. */
export function badRequest(message: string, param: string | null): Outcome {
  return openaiRefusal(400, { message, param });
}

import { z } from 'zod';
import type { ShelvedFile } from './file-shelf.ts';
import { openaiFileObject } from './openai-files-api.ts';

const MAX_UPLOAD_BYTES = 8 * 1024 ** 3;
export const UPLOAD_LIFETIME_SECONDS = 60 * 60;

export const createSchema = z.strictObject({
  bytes: z.int().min(1).max(MAX_UPLOAD_BYTES),
  filename: z.string().min(1),
  mime_type: z.string().min(1),
  purpose: z.string(),
  expires_after: z
    .strictObject({ anchor: z.literal('created_at'), seconds: z.int().min(3_600).max(2_592_000) })
    .optional(),
});
export const completeSchema = z.strictObject({
  part_ids: z.array(z.string()).min(1),
  md5: z.string().optional(),
});

/** One Upload, from its creation on. */
export interface OpenaiUpload {
  readonly id: string;
  readonly request: z.output<typeof createSchema>;
  readonly createdAtSeconds: number;
  readonly parts: Map<string, number>;
  /** `pending` leads to any of the others, which are final; `completing` while the parts are being hashed. */
  status: 'pending' | 'completing' | 'completed' | 'cancelled' | 'expired';
}

/** An Upload as OpenAI describes it, with its file once there is one. */
export function uploadObject(
  { id, request, createdAtSeconds, status }: OpenaiUpload,
  file: ShelvedFile | null,
) {
  const { bytes, filename, purpose } = request;
  return {
    id,
    object: 'upload',
    bytes,
    created_at: createdAtSeconds,
    expires_at: createdAtSeconds + UPLOAD_LIFETIME_SECONDS,
    filename,
    purpose,
    status,
    file: file === null ? null : openaiFileObject(file),
  };
}

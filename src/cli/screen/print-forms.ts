import type { DestinationDefinition } from '../../destinations/definition/definition.ts';
import type { Receipt } from '../../domain/receipt.ts';
import type { DirectAnswer } from '../../operations/upload/direct-upload.ts';
import { jsonText } from './json-line.ts';
import { indentedJson } from './json-text.ts';

/** What `upload --print` can print of a file. */
export const PRINT_FORMS = ['receipt', 'raw', 'url', 'id', 'ref', 'message-file'] as const;
export type PrintForm = (typeof PRINT_FORMS)[number];

/**
 * Why a form can never be printed of what this destination answers; null: it can. Said before anything is sent.
 */
export function formProblem({ name, answer }: DestinationDefinition, form: PrintForm): string | null {
  if (form !== 'url' && form !== 'id') return null;
  return answer[form].length > 0
    ? null
    : `${name} answers no ${WORDS[form]}: use --print ref, which prints how the file is cited there`;
}

/** The same where the answer should have held it, and did not. */
export function missingForm({ path, status, url, fileId }: Receipt, form: PrintForm): string | null {
  if (status !== 'uploaded' || (form !== 'url' && form !== 'id')) return null;
  if ((form === 'url' ? url : fileId) !== null) return null;
  return `${path} is uploaded, and the answer held no ${WORDS[form]}: use --print ref, which prints how it is cited`;
}

const WORDS = { url: 'URL', id: 'id' } as const;

/**
 * One file's result in the form asked for; null when it has none (a failed file has only a receipt).
 * `raw` is the API's own answer as the original AutoGLM script prints it: two spaces, non-ASCII as it is.
 * @param answer the API's answer as it came, for `raw`: the receipt's `remote` is bounded and has parsed numbers
 */
export function printed(
  receipt: Receipt,
  form: PrintForm,
  answer: DirectAnswer | null = null,
): string | null {
  if (form === 'receipt') return jsonText(receipt);
  if (receipt.status !== 'uploaded') return null;
  switch (form) {
    case 'raw':
      return answer === null
        ? indentedJson(jsonText(receipt.remote))
        : indentedJson(answer.body, answer.clean);
    case 'url':
      return receipt.url;
    case 'id':
      return receipt.fileId;
    case 'ref':
      return receipt.ref ?? receipt.url ?? receipt.fileId;
    case 'message-file':
      return jsonText(messageFile(receipt));
  }
}

/**
 * The file as an agent message takes it: a file object of the VectorX runtime (`fileSource: "openai"`, cited by id), or
 * a `doc_url` part where the file is known by its URL.
 */
function messageFile(receipt: Receipt): Record<string, unknown> {
  if (receipt.ref?.startsWith('fileid://') !== true && receipt.url !== null) {
    return { type: 'doc_url', doc_url: [receipt.url] };
  }
  const object = fileObject(receipt.remote);
  const baseName = receipt.path.slice(receipt.path.lastIndexOf('/') + 1);
  return {
    id: receipt.fileId,
    filename: textOr(object.filename, baseName),
    purpose: textOr(object.purpose, 'file-extract'),
    bytes: typeof object.bytes === 'number' ? object.bytes : receipt.bytes,
    fileSource: 'openai',
    created_at:
      typeof object.created_at === 'number'
        ? object.created_at
        : Math.floor(Date.parse(receipt.uploadedAt ?? '') / 1000),
  };
}

/** The file object stands at the top of an answer (OpenAI), under `data` (VectorX) or under `file` (sent in parts). */
function fileObject(remote: unknown): Record<string, unknown> {
  const top = asRecord(remote);
  return [asRecord(top.data), asRecord(top.file)].find((inner) => 'id' in inner) ?? top;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

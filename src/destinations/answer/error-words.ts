import { atPointer, parsePointer } from '../../platform/files/json-pointer.ts';

/** Deeper, and longer, than any of these frameworks nests what it says. */
const MOST_MESSAGES = 3;

const at = (body: unknown, pointer: string): unknown => atPointer(body, parsePointer(pointer) ?? []);
const words = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : null;

/**
 * The reason in an error that a web framework wrote for the API, where the API's own pointers find none; null: it is
 * none of these.
 * - FastAPI: `{"detail": "…"}`, `{"detail": [{"loc": ["body", "file"], "msg": "…"}]}`
 * - problem details (RFC 9457): `title` and `detail`
 * - JSON:API and its like: `{"errors": [{"message"|"detail"|"title": "…"}]}`, `{"errors": ["…"]}`
 * - Django REST: `{"file": ["…"], "non_field_errors": ["…"]}`
 */
export function wordsOfFramework(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  return problemDetails(body) ?? validationDetails(body) ?? listed(at(body, '/errors')) ?? byField(body);
}

function problemDetails(body: object): string | null {
  const said = [words(at(body, '/title')), words(at(body, '/detail'))].filter((text) => text !== null);
  return said.length === 0 ? null : said.join(': ');
}

function validationDetails(body: object): string | null {
  const details = at(body, '/detail');
  if (!Array.isArray(details)) return words(at(body, '/detail/message'));
  const said = details.slice(0, MOST_MESSAGES).flatMap((one) => {
    const message = words(at(one, '/msg'));
    const place = at(one, '/loc');
    if (message === null) return [];
    return [Array.isArray(place) ? `${place.join('.')}: ${message}` : message];
  });
  return said.length === 0 ? null : said.join('; ');
}

function listed(errors: unknown): string | null {
  if (!Array.isArray(errors)) return null;
  const said = errors.slice(0, MOST_MESSAGES).flatMap((one) => {
    const text = ['/message', '/detail', '/title'].map((pointer) => words(at(one, pointer)));
    return words(one) ?? text.find((found) => found !== null) ?? [];
  });
  return said.length === 0 ? null : said.join('; ');
}

/** Every value is a list of sentences: nothing else looks so. */
function byField(body: object): string | null {
  const entries = Object.entries(body);
  const isSaid = (value: unknown): value is string[] =>
    Array.isArray(value) && value.length > 0 && value.every((one) => words(one) !== null);
  if (entries.length === 0 || !entries.every(([, value]) => isSaid(value))) return null;
  return entries
    .slice(0, MOST_MESSAGES)
    .map(([field, said]) => `${field}: ${(said as string[]).join(' ')}`)
    .join('; ');
}

/** Enough to know a page again. */
const FIRST_WORDS_CHARACTERS = 80;
/** A title stands at the top of a page. */
const HEAD_CHARACTERS = 16 * 1024;

/** What a person would call an answer that is not JSON: the title of a page, or its first words; null: it says nothing. */
export function titleOfPage(text: string): string | null {
  const head = text.slice(0, HEAD_CHARACTERS);
  const title = /<title[^>]*>([^<]*)/i.exec(head)?.[1];
  if (title !== undefined) return words(title);
  const shown = head
    .replace(/<(script|style)\b[\s\S]*?(?:<\/\1>|$)/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\p{Cc}\uFFFD]+/gu, ' ');
  return words([...shown.trim()].slice(0, FIRST_WORDS_CHARACTERS).join(''));
}

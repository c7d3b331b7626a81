import type { DestinationDefinition } from '../definition/definition.ts';
import type { Answer } from '../destination.ts';
import { textAt } from './answer-body.ts';
import { titleOfPage, wordsOfFramework } from './error-words.ts';
import { redactText, type Secrets } from './redact-secrets.ts';

/** Enough for every documented message; a page of HTML is nobody's error message. */
const MAX_MESSAGE_CHARACTERS = 300;

/**
 * One line for people: status, code and message as the far side gave them, the id its support asks for, and what to
 * do about it. `HTTP 429, code insufficient_quota: You exceeded your current quota (trace req_1)`.
 */
export function failureDetail(
  { answer: pointers }: DestinationDefinition,
  answer: Answer,
  body: unknown,
  hint: string | null,
  secrets: Secrets,
): string {
  // Before anything is cut: half a token is still half a secret.
  const said = (text: string): string => oneLine(redactText(text, secrets));
  const code = textAt(body, pointers.code) ?? textAt(body, pointers.type);
  const message = textAt(body, pointers.message) ?? wordsOfFramework(body);
  const header = pointers.traceHeader === null ? undefined : answer.headers[pointers.traceHeader];
  const trace = textAt(body, pointers.trace) ?? header ?? null;

  let detail = `HTTP ${answer.status}`;
  if (code !== null) detail += `, code ${said(code)}`;
  if (body === undefined) detail += `, ${whatItIs(answer, said)}`;
  if (message !== null) detail += `: ${said(message)}`;
  if (trace !== null) detail += ` (trace ${said(trace)})`;
  return hint === null ? detail : `${detail}; ${hint}`;
}

function whatItIs({ body, headers }: Answer, said: (text: string) => string): string {
  if (body.trim() === '') return 'an empty body';
  const type = headers['content-type']?.split(';', 1)[0]?.trim();
  const coding = headers['content-encoding'];
  // What could not be decoded has no words in it.
  const title = coding === undefined || !body.includes('\uFFFD') ? titleOfPage(body) : null;
  const form = [type, coding].filter((text) => text !== undefined && text !== '').join(', ');
  const what = form === '' ? 'not JSON' : `not JSON (${oneLine(form)})`;
  return title === null ? what : `${what} “${said(title)}”`;
}

/** The far side's words go into logs and terminals: no line breaks, no control characters, no endless text. */
function oneLine(text: string): string {
  // Cut roughly first, so that the patterns never see megabytes.
  const clean = text
    .slice(0, 4 * MAX_MESSAGE_CHARACTERS)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .toWellFormed();
  const characters = [...clean];
  return characters.length > MAX_MESSAGE_CHARACTERS
    ? `${characters.slice(0, MAX_MESSAGE_CHARACTERS).join('')}…`
    : clean;
}

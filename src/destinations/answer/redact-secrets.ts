/** Anything shorter would tear holes into ordinary text, and is no credential. */
const LEAST_SECRET_LENGTH = 6;
/** Deeper than any documented answer; JSON.stringify of something endlessly nested would overflow the stack. */
const MAX_DEPTH = 32;

const REPLACEMENT = '[secret]';

/** Credentials to look for, in every form in which they may come back, in the order in which they are looked for. */
export type Secrets = readonly string[] & { readonly ordered: true };

/** Longest first: a token inside `Bearer <token>` would leave the rest of the longer one behind. */
export function orderedSecrets(secrets: Iterable<string>): Secrets {
  const known = [...new Set(secrets)].filter((secret) => secret.length >= LEAST_SECRET_LENGTH);
  const ordered = [...new Set(known.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  return Object.assign(ordered, { ordered: true as const });
}

/** As it is, and as it stands in JSON, in URLs and forms, and in base64. */
function formsOf(secret: string): string[] {
  const text = secret.toWellFormed();
  const component = encodeURIComponent(text);
  const percent = [
    component,
    encodeURI(text),
    // RFC 3986 leaves these four to nobody's taste.
    component.replace(/[!'()*]/g, percentEncoded),
    new URLSearchParams({ '': text }).toString().slice(1),
    [...Buffer.from(text, 'utf8')].map((byte) => percentOf(byte)).join(''),
  ];
  const lower = percent.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
  return [secret, JSON.stringify(text).slice(1, -1), ...percent, ...lower, ...base64Forms(text)].filter(
    (form) => form.length >= LEAST_SECRET_LENGTH,
  );
}

function percentEncoded(character: string): string {
  return percentOf(character.charCodeAt(0));
}

function percentOf(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** By itself, and inside a longer text that was encoded (`user:secret`): there it begins at one of three places. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8');
  const inside = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Characters that hold bits of a neighbour as well are not to be foreseen.
    return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
  const whole = bytes.toString('base64');
  const forms = [whole, whole.replace(/=+$/, ''), ...inside];
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

/** Takes our own credentials out of a text that the far side may have echoed (G5). */
export function redactText(text: string, secrets: Secrets): string {
  let clean = text;
  for (const secret of secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, REPLACEMENT);
  return clean;
}

/**
 * What an answer's text was parsed to, without our credentials. Answers come by the thousand and hardly one holds any.
 * @param text as it came; with no escapes in it, it shows what the data can hold
 */
export function redactAnswer(text: string, parsed: unknown, secrets: Secrets): unknown {
  const mayHold = text.includes('\\') || secrets.some((secret) => text.includes(secret));
  return mayHold || mayBeTooDeep(text) ? redactData(parsed, secrets) : parsed;
}

function mayBeTooDeep(text: string): boolean {
  let opened = 0;
  for (let at = 0; at < text.length && opened < MAX_DEPTH; at += 1) {
    const character = text.charCodeAt(at);
    if (character === 0x5b || character === 0x7b) opened += 1;
  }
  return opened === MAX_DEPTH;
}

/**
 * The same for plain data, keys included. What is nested deeper than 32 levels is left out. Every answer passes here
 * and hardly one holds a secret: what needs no change comes back as it is, uncopied.
 */
export function redactData(value: unknown, secrets: Secrets, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value, secrets);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) {
    const items = value.map((item) => redactData(item, secrets, depth + 1));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  let changed = false;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => {
    const clean: [string, unknown] = [redactText(key, secrets), redactData(item, secrets, depth + 1)];
    changed ||= clean[0] !== key || clean[1] !== item;
    return clean;
  });
  // fromEntries defines own members: a key `__proto__` stays a key.
  return changed ? Object.fromEntries(entries) : value;
}

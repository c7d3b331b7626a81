/** Anything shorter would tear holes into ordinary text, and is no credential. */
const LEAST_SECRET_LENGTH = 6;
/** Deeper than any documented answer; JSON.stringify of something endlessly nested would overflow the stack. */
const MAX_DEPTH = 32;

const REPLACEMENT = '[secret]';

/** Credentials to look for, in the order in which they are looked for. */
export type Secrets = readonly string[] & { readonly ordered: true };

/** Longest first: a token inside `Bearer <token>` would leave the rest of the longer one behind. */
export function orderedSecrets(secrets: Iterable<string>): Secrets {
  const ordered = [...new Set(secrets)]
    .filter((secret) => secret.length >= LEAST_SECRET_LENGTH)
    .sort((a, b) => b.length - a.length);
  return Object.assign(ordered, { ordered: true as const });
}

/** Takes our own credentials out of a text that the far side may have echoed (G5). */
export function redactText(text: string, secrets: Secrets): string {
  let clean = text;
  for (const secret of secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, REPLACEMENT);
  return clean;
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

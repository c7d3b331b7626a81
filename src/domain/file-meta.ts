/** What the user attached to a file: small, flat, carried into its receipt and everything that tells of it. */
export type FileMeta = Readonly<Record<string, string>>;

/** What the command line attaches to files. */
export interface GivenMeta {
  /** `--meta`: to every file; null: nothing. */
  readonly all: FileMeta | null;
  /** `--meta-from`: path of a list; null: none. */
  readonly list: string | null;
}

export const MAX_META_KEYS = 16;
/** Of its JSON. */
export const MAX_META_BYTES = 4 * 1024;
/** Keys become columns, environment variables and parts of URLs downstream; the first character rules out `__proto__`. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;
const CONTROL = /\p{Cc}/u;

export type CheckedMeta =
  | { readonly kind: 'meta'; readonly meta: FileMeta }
  /** `problem` goes on after the name of what was read: `holds …`, `the key … `. */
  | { readonly kind: 'bad'; readonly problem: string };

/** Checks what a user wrote as metadata: a flat JSON object; numbers and booleans become text. */
export function checkedMeta(value: unknown): CheckedMeta {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad('must be a JSON object such as {"order":"4711"}');
  }
  const meta: Record<string, string> = {};
  for (const [key, item] of Object.entries(value)) {
    if (!KEY.test(key)) {
      return bad(
        `the key ${shown(key)} must be 1 to 64 letters, digits, \`_\`, \`.\`, \`:\` or \`-\`, a letter or digit first`,
      );
    }
    const text = textOf(item);
    if (text === null) return bad(`the value of ${key} must be a text, a number, true or false`);
    if (CONTROL.test(text)) return bad(`the value of ${key} holds control characters`);
    meta[key] = text;
  }
  return withinLimits(meta);
}

/**
 * What is said of one file in several places, the most special last: its keys win.
 * @returns the most special that fits, should all together be too much
 */
export function mergedMeta(parts: readonly (FileMeta | null | undefined)[]): FileMeta | null {
  const said = parts.filter((part) => part !== null && part !== undefined);
  if (said.length <= 1) return said[0] ?? null;
  const together = withinLimits(Object.assign({}, ...said) as FileMeta);
  return together.kind === 'meta' ? together.meta : (said.at(-1) ?? null);
}

function withinLimits(meta: FileMeta): CheckedMeta {
  const keys = Object.keys(meta).length;
  if (keys > MAX_META_KEYS) return bad(`holds ${keys} keys, and ${MAX_META_KEYS} is the most`);
  const bytes = Buffer.byteLength(JSON.stringify(meta));
  if (bytes > MAX_META_BYTES) return bad(`takes ${bytes} bytes, and ${MAX_META_BYTES} is the most`);
  return { kind: 'meta', meta };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : null;
}

function shown(key: string): string {
  return JSON.stringify(key.length > 70 ? `${key.slice(0, 70)}…` : key);
}

function bad(problem: string): CheckedMeta {
  return { kind: 'bad', problem };
}

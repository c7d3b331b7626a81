/**
 * YAML gives `{` and `}` a meaning inside `{ … }` and `[ … ]`, so `{ secret: ${SECRET} }` would not parse. The braces of
 * variables are therefore hidden while YAML looks: one private-use character for each, so that columns stay right.
 */
const OPEN = '\uE000';
const CLOSE = '\uE001';

/** `$${…}` or `${NAME}` or `${NAME:-default}`, within one line. */
const VARIABLE = /\$\$\{[^}\n]*\}?|\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}\n]*)?\}/g;

/** Hides the braces of variables in the text of a YAML file. */
export function maskVariables(text: string): string {
  return text.replace(VARIABLE, (match) => match.replaceAll('{', OPEN).replaceAll('}', CLOSE));
}

/** Brings the braces back, in every text and key of the parsed tree. */
export function unmaskVariables(tree: unknown): unknown {
  if (typeof tree === 'string') return unmaskText(tree);
  if (Array.isArray(tree)) return tree.map(unmaskVariables);
  if (typeof tree !== 'object' || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [unmaskText(key), unmaskVariables(value)]),
  );
}

function unmaskText(text: string): string {
  return text.replaceAll(OPEN, '{').replaceAll(CLOSE, '}');
}

import type { YamlPath } from '../platform/files/yaml-document.ts';
import type { Environment } from './env.ts';

export interface FilledVariable {
  /** Of the value that it stands in, or is. */
  readonly path: YamlPath;
  readonly value: string;
}

export interface Interpolated {
  readonly value: unknown;
  /** JSON of the path of every value that held a variable. */
  readonly filled: ReadonlySet<string>;
  /** Every variable that was filled in, with its value. */
  readonly variables: readonly FilledVariable[];
  readonly problems: readonly { readonly path: YamlPath; readonly message: string }[];
}

/** `$${` | `${NAME}` | `${NAME:-default}` | a `${` that is none of these */
const PLACEHOLDER = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g;

/**
 * Fills `${VAR}` and `${VAR:-default}` (also when VAR is empty, as shells do) in every text of the tree, never in keys;
 * `$${` becomes `${`. A filled-in value is not looked at again: what is in a variable cannot name another one.
 */
export function interpolate(tree: unknown, env: Environment): Interpolated {
  const filled = new Set<string>();
  const variables: FilledVariable[] = [];
  const problems: { path: YamlPath; message: string }[] = [];

  function fillText(text: string, path: YamlPath): string {
    return text.replace(PLACEHOLDER, (match, name: string | undefined, fallback: string | undefined) => {
      if (match === '$${') return '${';
      if (name === undefined) {
        problems.push({
          path,
          // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what the user has to write
          message: 'has a `${` that is no variable: write ${NAME}, ${NAME:-default}, or $${ for a literal ${',
        });
        return match;
      }
      filled.add(JSON.stringify(path));
      const set = env[name];
      const value = fallback !== undefined && (set === undefined || set === '') ? fallback : set;
      if (value !== undefined) variables.push({ path, value });
      else {
        problems.push({
          path,
          message: `the variable ${name} is not set: set it (the environment, or .env beside this file), or write \${${name}:-default}`,
        });
      }
      return value ?? '';
    });
  }

  function fill(node: unknown, path: YamlPath): unknown {
    if (typeof node === 'string') return fillText(node, path);
    if (Array.isArray(node)) return node.map((item, index) => fill(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, fill(item, [...path, key])]));
  }

  return { value: fill(tree, []), filled, variables, problems };
}

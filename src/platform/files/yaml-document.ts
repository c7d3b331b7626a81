import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  stringify,
} from 'yaml';

/** One thing wrong in the text. Lines and columns count from 1. */
export interface YamlProblem {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

export type YamlPath = readonly (string | number)[];

/** Plain data and where each part of it stands in the text. */
export interface YamlDocument {
  /** null when the text is empty or could not be turned into data (`problems` says why). */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** Line of a key or list item, from 1; of its nearest existing parent when it is missing; null in an empty text. */
  lineOf(path: YamlPath): number | null;
}

/** Aliases may multiply a small text into gigabytes; a config that needs more of them than this is not one. */
const MAX_ALIASES = 100;

/** Parses YAML 1.2. Never throws: every mistake, duplicate keys and unknown tags included, is in `problems`. */
export function parseYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\uFEFF/, ''), { lineCounter: lines, prettyErrors: false });
  const problems: YamlProblem[] = [...document.errors, ...document.warnings].map((problem) => {
    const { line, col } = lines.linePos(problem.pos[0]);
    // The library appends hints on further lines; one problem is one line here.
    return { message: firstLine(problem.message), line: Math.max(line, 1), column: Math.max(col, 1) };
  });
  let value: unknown = null;
  if (document.errors.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      const message = error instanceof Error ? firstLine(error.message) : String(error);
      problems.push({ message, line: 1, column: 1 });
    }
  }

  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  const lineAt = (node: Node | null): number | null =>
    node?.range ? Math.max(lines.linePos(node.range[0]).line, 1) : null;

  function lineOf(path: YamlPath): number | null {
    let here: unknown = document.contents;
    let line = lineAt(isNode(here) ? here : null);
    for (const step of path) {
      const child = childOf(resolve(here), step);
      if (child === null) break;
      line = lineAt(child.mark) ?? line;
      here = child.value;
    }
    return line;
  }

  return { value, problems, lineOf };
}

/** The node below `node` and the node whose position names it: the key of a map entry, the item of a list. */
function childOf(node: unknown, step: string | number): { mark: Node | null; value: unknown } | null {
  if (isMap(node)) {
    for (const pair of node.items) {
      if (!isPair(pair) || !isScalar(pair.key) || String(pair.key.value) !== String(step)) continue;
      return { mark: pair.key, value: pair.value };
    }
  }
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    if (item !== undefined) return { mark: isNode(item) ? item : null, value: item };
  }
  return null;
}

function firstLine(message: string): string {
  return (message.split('\n', 1)[0] ?? message).replace(/:$/, '');
}

/** A value as YAML text. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

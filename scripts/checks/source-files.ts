import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

export interface SourceImport {
  /** 1-based, of the module's name. */
  readonly line: number;
  readonly specifier: string;
  /** Path below `src` for a relative import, null for a package or a Node module. */
  readonly target: string | null;
}

export interface SourceFile {
  /** Below `src`, `/`-separated. */
  readonly path: string;
  /** First folder, '' for a file directly in `src`. */
  readonly room: string;
  readonly lineCount: number;
  readonly firstLine: string;
  /** Type imports, re-exports and `import()` included: they tie two files together just as well. */
  readonly imports: readonly SourceImport[];
  /** Lines of `import(x)` and `require(x)` that no check can follow. */
  readonly opaqueImports: readonly number[];
}

/** A statement begins its line (the formatter sees to that), so that prose in comments is not taken for one. */
const STATIC_IMPORT = /^(?:import|export)\b[^'"`;]*?(?:\bfrom\s*)?(['"])(?<name>[^'"\n]+)\1/gm;
const DYNAMIC_IMPORT = /\b(?:import|require)\(\s*(?:(['"])(?<name>[^'"\n]+)\1)?/g;
/** `export const name = '…'` and the like match STATIC_IMPORT's shape without being one. */
const DECLARATION =
  /^export\s+(?:declare|const|let|function|async|class|abstract|interface|enum|default|type\s+\w+\s*[=<])/;

/** Every TypeScript file below `sourceFolder`, read and taken apart. */
export function readSourceFiles(sourceFolder: string): readonly SourceFile[] {
  return readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map((path) => parseSourceFile(path, readFileSync(join(sourceFolder, path), 'utf8')));
}

/** @param path below `src` */
export function parseSourceFile(path: string, text: string): SourceFile {
  const code = withoutComments(text);
  const statics = [...code.matchAll(STATIC_IMPORT)].filter((match) => !DECLARATION.test(match[0]));
  const dynamics = [...code.matchAll(DYNAMIC_IMPORT)];
  const imports = [...statics, ...dynamics].flatMap((match): SourceImport[] => {
    const specifier = match.groups?.name;
    if (specifier === undefined) return [];
    return [
      { line: lineAt(code, match.index + match[0].length), specifier, target: targetOf(path, specifier) },
    ];
  });
  return {
    path,
    room: path.includes('/') ? (path.split('/')[0] ?? '') : '',
    lineCount: text.replace(/\n$/, '').split('\n').length,
    firstLine: text.split('\n')[0] ?? '',
    imports,
    opaqueImports: dynamics
      .filter((match) => match.groups?.name === undefined)
      .map((match) => lineAt(code, match.index)),
  };
}

function targetOf(path: string, specifier: string): string | null {
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : null;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** Comment lines are emptied, not removed: line numbers must stay. A comment after code cannot begin a statement. */
function withoutComments(text: string): string {
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/^[ \t]*\/\/.*$/gm, '')
    .replace(/[ \t]\/\/ .*$/gm, '');
}

import picomatch from 'picomatch';

const OPTIONS: picomatch.PicomatchOptions = {
  // Whether hidden files count is a rule of its own; a pattern never decides it by accident.
  dot: true,
  nocase: false,
  // A file name may hold `\`; only `/` separates.
  windows: false,
  // `!x` in a list would match every other file: an ignore list with one would ignore everything.
  nonegate: true,
  // Without it `**` stops at a newline in a name, and such a file would be neither included nor ignored.
  flags: 's',
};

const EVERYTHING = new Set(['**', '**/*']);

/**
 * One test for many patterns: does any of them match this path? Case-sensitive; `*` and `**` match dot files and
 * every character a file name may hold. `dir/` means everything under `dir`. No patterns match nothing.
 * @param patterns non-empty globs (`*`, `**`, `?`, `[a-z]`, `{a,b}`, `@(a|b)`), relative to the same root as the paths
 * @returns takes a relative path with `/` between its parts
 */
export function compileGlobs(patterns: readonly string[]): (posixPath: string) => boolean {
  if (patterns.some((pattern) => EVERYTHING.has(pattern))) return () => true;
  // The name itself is always a pattern for it: `scan(1).pdf` would else be a group.
  const names = new Set(patterns);
  const expressions = patterns.map(expressionOf);
  return (path) => names.has(path) || expressions.some((expression) => expression.test(path));
}

/** The pattern that matches this path and nothing else. */
export function globOfPath(posixPath: string): string {
  return posixPath.replace(/[\\*?[\]{}()!+@|^$]/g, '\\$&');
}

function expressionOf(pattern: string): RegExp {
  const path = pattern.startsWith('./') ? pattern.slice(2) : pattern;
  return picomatch.makeRe(path.endsWith('/') ? `${path}**` : path, OPTIONS);
}

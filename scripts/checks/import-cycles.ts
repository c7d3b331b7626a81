import type { SourceFile } from './source-files.ts';

/** At least one cycle of each knot of files, its first file repeated at the end; importing oneself is one too. */
export function importCycles(files: readonly SourceFile[]): readonly (readonly string[])[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      [...new Set(file.imports.flatMap((found) => (found.target === null ? [] : [found.target])))],
    ]),
  );
  const done = new Set<string>();
  const onPath: string[] = [];
  const cycles: string[][] = [];

  const visit = (path: string): void => {
    const at = onPath.indexOf(path);
    if (at >= 0) {
      cycles.push([...onPath.slice(at), path]);
      return;
    }
    if (done.has(path)) return;
    onPath.push(path);
    for (const next of edges.get(path) ?? []) visit(next);
    onPath.pop();
    done.add(path);
  };
  for (const path of edges.keys()) visit(path);
  return cycles;
}

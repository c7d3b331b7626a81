import type { YamlPath } from '../platform/files/yaml-document.ts';

/** One mistake in what Slipway was told. `message` says what is wrong and what would be right, never the value itself. */
export interface ConfigProblem {
  readonly path: YamlPath;
  readonly message: string;
  /** Line of the file, from 1; null when it does not come from a line. */
  readonly line: number | null;
}

/** Where a value came from, when not from the file: `--log-level`, `SLIPWAY_LOG_LEVEL`. */
export type OriginOf = (path: YamlPath) => string | null;

/** `slipway.yaml:12: sources.inbox.settle: must be …` */
export function problemLine(problem: ConfigProblem, file: string, originOf: OriginOf): string {
  const where = originOf(problem.path) ?? (problem.line === null ? file : `${file}:${problem.line}`);
  const path = pathText(problem.path);
  return path === '' ? `${where}: ${problem.message}` : `${where}: ${path}: ${problem.message}`;
}

/** `sources.inbox.include[0]`; a key that could be misread is quoted. */
export function pathText(path: YamlPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const key = /^[\p{L}\p{N}_-]+$/u.test(step) ? step : JSON.stringify(step);
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

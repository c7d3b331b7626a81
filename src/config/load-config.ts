import { readFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import { parseYaml, type YamlDocument } from '../platform/files/yaml-document.ts';
import { coerceFilled } from './coerce.ts';
import { crossChecks, warningsOf } from './cross-checks.ts';
import { type Environment, environmentFor } from './env.ts';
import { interpolate } from './interpolate.ts';
import { issueMessage, type Mistake, mistakesOf } from './issues.ts';
import { maskVariables, unmaskVariables } from './mask.ts';
import { type ConfigFlags, isGroup, originIn, overridesOf, withOverrides } from './overrides.ts';
import { placePath, stateDir } from './place.ts';
import { type ConfigProblem, problemLine } from './problem.ts';
import { resolveConfig } from './resolve-config.ts';
import type { ResolvedConfig } from './resolved-config.ts';
import { configSchema } from './schema.ts';
import { secretValues } from './secret-values.ts';

export interface ConfigInput {
  /** Absolute; null: no file, every default. */
  readonly file: string | null;
  /** What would be in a file, where there is none. */
  readonly text?: string;
  readonly env: Environment;
  readonly cwd: string;
  readonly flags?: ConfigFlags;
}

export interface LoadedConfig {
  readonly config: ResolvedConfig;
  /** `file:line: key.path: …`, as the mistakes are told. */
  readonly warnings: readonly string[];
  readonly file: string | null;
  /** What relative paths are relative to: the file's folder, else the working folder. */
  readonly baseDir: string;
  /** The environment with `.env` added: where `token.env` is to be looked up. */
  readonly env: Environment;
}

/** Either the config or every mistake in it, each as one line. */
export type ConfigCheck =
  | { readonly ok: true; readonly loaded: LoadedConfig }
  | { readonly ok: false; readonly problems: readonly string[]; readonly file: string | null };

/**
 * Reads, fills in, checks and resolves the config.
 * @throws SlipwayError `config_missing`, `config_unreadable`; `config_invalid` with every mistake, a line each
 */
export async function loadConfig(input: ConfigInput): Promise<LoadedConfig> {
  const check = await checkConfig(input);
  if (check.ok) return check.loaded;
  const [only] = check.problems;
  const problem =
    check.problems.length === 1 && only !== undefined
      ? only
      : [`${check.problems.length} mistakes in the config`, ...check.problems].join('\n  ');
  throw new SlipwayError('config_invalid', { problem });
}

/**
 * As `loadConfig`, with the mistakes as a list: what `config check` prints.
 * @throws SlipwayError `config_missing`, `config_unreadable`
 */
export async function checkConfig(input: ConfigInput): Promise<ConfigCheck> {
  const { file, cwd } = input;
  const document = parseYaml(maskVariables(file === null ? (input.text ?? '') : await textOf(file)));
  const env = await environmentFor(file, input.env);
  const baseDir = file === null ? cwd : dirname(file);
  const placed = (path: string): string => placePath(path, baseDir, env);
  const overrides = overridesOf(input.flags ?? {}, env);

  const shown = shownFile(file, cwd);
  const lines = (mistakes: readonly Mistake[]): string[] =>
    inOrder(mistakes, document).map((problem) => problemLine(problem, shown, originIn(overrides)));
  const refused = (problems: readonly string[]): ConfigCheck => ({ ok: false, problems, file });

  if (document.problems.length > 0) return refused(syntaxProblems(document, shown));
  if (isDeeperThan(document.value, MOST_LEVELS)) {
    return refused([`${shown}: an alias (\`*name\`) stands inside what it stands for: write it out`]);
  }
  const written = unmaskVariables(document.value ?? {});
  if (!isGroup(written)) {
    return refused([`${shown}:1: must be a group of keys such as \`sources:\` (see config/example.yaml)`]);
  }

  const filledIn = interpolate(written, env);
  const base = file === null ? { dataDir: stateDir(env) } : {};
  const typed = coerceFilled(filledIn.value, filledIn.filled);
  const tree = withOverrides({ ...base, ...(isGroup(typed) ? typed : {}) }, overrides);
  const parsed = configSchema.safeParse(tree, { error: issueMessage });
  const mistakes = [
    ...filledIn.problems,
    ...(parsed.success ? [] : mistakesOf(parsed.error.issues)),
    ...crossChecks(tree, placed),
  ];
  if (mistakes.length > 0 || !parsed.success) return refused(lines(onePerPath(mistakes)));

  const secrets = secretValues(parsed.data, filledIn.variables, env);
  const config = resolveConfig(parsed.data, baseDir, env, secrets);
  return { ok: true, loaded: { config, warnings: lines(warningsOf(tree, placed)), file, baseDir, env } };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new SlipwayError('config_missing', { file }, { cause: error });
    throw new SlipwayError('config_unreadable', { file, reason: reasonOf(error) }, { cause: error });
  }
}

/** One mistake in the syntax makes the parser stumble over all that follows: the first few lines are the ones to mend. */
function syntaxProblems(document: YamlDocument, shown: string): string[] {
  const firstOfLine = document.problems.filter(
    ({ line }, index) => document.problems.findIndex((other) => other.line === line) === index,
  );
  return firstOfLine
    .slice(0, MOST_SYNTAX_PROBLEMS)
    .map(({ line, column, message }) => `${shown}:${line}:${column}: ${message}`);
}

const MOST_SYNTAX_PROBLEMS = 5;

/** No config is as deep; one that is holds itself, and every walk through it would never end. */
const MOST_LEVELS = 64;

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => isDeeperThan(part, levels - 1));
}

/** A missing variable makes its value wrong as well: the first thing said of a path is the cause. */
function onePerPath(mistakes: readonly Mistake[]): readonly Mistake[] {
  const seen = new Set<string>();
  return mistakes.filter(({ path }) => {
    const key = JSON.stringify(path);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function inOrder(mistakes: readonly Mistake[], document: YamlDocument): readonly ConfigProblem[] {
  const problems = mistakes.map((mistake) => ({ ...mistake, line: document.lineOf(mistake.path) }));
  return problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

function shownFile(file: string | null, cwd: string): string {
  if (file === null) return 'config';
  const near = relative(cwd, file);
  return near.startsWith('..') ? file : near;
}

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { SlipwayError } from '../../domain/errors.ts';
import type { GivenMeta } from '../../domain/file-meta.ts';
import { checkedMeta, type FileMeta } from '../../domain/file-meta.ts';
import { checkMetaList } from '../../runtime/owner/attachments.ts';

/** Flags with which a command attaches metadata to files. */
export interface MetaFlags {
  readonly meta?: readonly string[];
  readonly metaFrom?: string;
}

/** `--meta`, for commands that say the same of every file. */
export function addMetaOption(command: Command): Command {
  return command.option(
    '--meta <key=value>',
    'attach this to every file: its receipt carries it (repeatable)',
    (text: string, before: readonly string[] = []) => [...before, text],
  );
}

/** `--meta` and `--meta-from`. */
export function addMetaOptions(command: Command): Command {
  return addMetaOption(command).option(
    '--meta-from <file>',
    'attach to files what this list says: one {"path":…,"meta":{…}} a line, paths relative to the folder',
  );
}

/**
 * What `--meta` says.
 * @throws SlipwayError `usage` naming what cannot be used
 */
export function metaOfFlags({ meta: texts = [] }: MetaFlags): FileMeta | null {
  if (texts.length === 0) return null;
  const said = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals < 1) throw usage(`--meta ${JSON.stringify(text)} is not KEY=VALUE, such as --meta order=4711`);
    const key = text.slice(0, equals);
    if (said.has(key)) throw usage(`--meta ${key} is given twice: leave one of them out`);
    said.set(key, text.slice(equals + 1));
  }
  const checked = checkedMeta(Object.fromEntries(said));
  if (checked.kind === 'bad') throw usage(`--meta: ${checked.problem}`);
  return checked.meta;
}

/**
 * What the flags attach to the files of these folders, the list looked through.
 * @param roots absolute paths of the folders
 * @throws SlipwayError `usage` naming what cannot be used
 */
export async function givenMeta(flags: MetaFlags, roots: readonly string[]): Promise<GivenMeta> {
  const all = metaOfFlags(flags);
  if (flags.metaFrom === undefined) return { all, list: null };
  const [root, ...others] = roots;
  if (root === undefined || others.length > 0) {
    throw usage('--meta-from goes with one folder: name one PATH, or use --meta for all of them');
  }
  const list = resolve(flags.metaFrom);
  await checkMetaList(list, root);
  return { all, list };
}

function usage(problem: string): SlipwayError {
  return new SlipwayError('usage', { problem });
}

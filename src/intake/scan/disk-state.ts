import type { IgnoreReason } from '../../domain/ignore-reason.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { compileGlobs } from '../../platform/files/glob.ts';
import type { SeenFile } from './seen-file.ts';
import { openSourceFilter, type SourceFilterOptions } from './source-filter.ts';
import { createFileStats } from './stat-files.ts';

/**
 * What intake makes of one path now.
 * - `file`: one it takes, or has taken; `settling`: not yet unchanged for `settle`
 * - `ignored`: left alone by this rule
 * - `root-gone`: the folder of the source is not there, which says nothing about its files
 */
export type DiskState =
  | { readonly kind: 'file'; readonly file: SeenFile; readonly settling: boolean }
  | { readonly kind: 'ignored'; readonly rule: string }
  | { readonly kind: 'folder' | 'gone' | 'root-gone' }
  | { readonly kind: 'unreadable'; readonly error: unknown };

/** Looks at one path as the watcher would. */
export async function diskStateOf(
  name: PathName,
  options: SourceFilterOptions & { readonly settle: number; readonly minAge: number },
  nowMs: number,
): Promise<DiskState> {
  const { root, settle, minAge } = options;
  const fileStats = createFileStats(root, () => false, performance.now);
  const [top, look] = await fileStats.at([{ path: '' }, name]);
  // A root that is a symlink to its folder is the user's way of naming it.
  if (top?.kind === 'gone' || look === undefined) return { kind: 'root-gone' };
  if (look.kind === 'gone') return { kind: 'gone' };
  if (look.kind === 'unobservable') return { kind: 'unreadable', error: look.error };
  const filter = await openSourceFilter(options);
  const reason = filter.path(name.path, look.kind);
  if (reason !== null) return { kind: 'ignored', rule: ruleOf(reason, name.path, options) };
  if (look.kind !== 'file') return { kind: 'folder' };
  const ageMs = nowMs - Math.max(look.file.mtimeMs, look.file.ctimeMs);
  return { kind: 'file', file: look.file, settling: ageMs < Math.max(settle, minAge) };
}

/** Why a rule leaves a file alone, for people. */
export const RULES: Readonly<Record<IgnoreReason, string>> = {
  own: "it is one of Slipway's own files",
  meta: 'it says what is attached to the file beside it (meta: { sidecar: true })',
  symlink: 'symlinks are never followed',
  special: 'it is neither a file nor a folder',
  junk: 'it is on the built-in list of junk (temporary files, thumbnails, swap files)',
  hidden: 'its name, or a folder above it, begins with a dot (hidden: false)',
  ignored: 'a pattern of `ignore` matches',
  not_included: 'no pattern of `include` matches',
};

function ruleOf(reason: IgnoreReason, path: string, { ignore }: SourceFilterOptions): string {
  if (reason !== 'ignored') return RULES[reason];
  const parts = path.split('/');
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const pattern = ignore.find((glob) => prefixes.some(compileGlobs([glob])));
  return pattern === undefined ? RULES.ignored : `the pattern ${pattern} of \`ignore\` matches`;
}

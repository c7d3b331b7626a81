import type { IgnoreReason } from '../../domain/ignore-reason.ts';
import { RECEIPT_SUFFIX } from '../../domain/receipt.ts';
import { compileGlobs } from '../../platform/files/glob.ts';
import { isJunk } from './junk.ts';
import { META_SUFFIX } from './meta-sidecar.ts';

/** What lstat (never stat) says an entry is. */
export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

export interface FilterOptions {
  readonly include: readonly string[];
  readonly ignore: readonly string[];
  readonly hidden: boolean;
  /** Slipway's own files and folders, relative to the root (see `ownPathsUnder`). */
  readonly own: readonly string[];
  /** Whether `*.receipt.json` is ours in this source; left out: no. */
  readonly sidecar?: boolean | undefined;
  /** Whether `*.meta.json` says what is attached to the file beside it; left out: no. */
  readonly metaSidecar?: boolean | undefined;
}

/** Decides by name and kind alone; null means accepted. Paths are relative, `/`-separated, lossy where not UTF-8. */
export interface Filter {
  /** One entry of a folder that is itself accepted: what a walk from the root needs. */
  entry(path: string, kind: EntryKind): IgnoreReason | null;
  /** Any path: every folder above it must be accepted as well. */
  path(path: string, kind: EntryKind): IgnoreReason | null;
}

/** Every file Slipway writes beside the user's begins so, temporary names included. */
const OWN_PREFIX = '.slipway';

/**
 * Compiles the rules of one source (G9). A symlink is never followed, neither to a file nor to a folder: it may lead
 * out of what the user meant to publish.
 */
export function createFilter(options: FilterOptions): Filter {
  const included = compileGlobs(options.include);
  const ignored = compileGlobs(options.ignore);
  const ownPaths = new Set(options.own);

  function entry(path: string, kind: EntryKind): IgnoreReason | null {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name.startsWith(OWN_PREFIX) || isOwn(path)) return 'own';
    if (kind === 'symlink') return 'symlink';
    if (kind === 'other') return 'special';
    if (isJunk(name, kind === 'directory')) return 'junk';
    if (!options.hidden && name.startsWith('.')) return 'hidden';
    if (ignored(path)) return 'ignored';
    if (kind === 'file' && options.sidecar === true && name.endsWith(RECEIPT_SUFFIX)) return 'own';
    // Also before its file is there: it must not be published because it was written first.
    if (kind === 'file' && options.metaSidecar === true && name.endsWith(META_SUFFIX)) return 'meta';
    return kind === 'file' && !included(path) ? 'not_included' : null;
  }

  /** `x.manifest.json` also owns `x.manifest.json.bak`: copies of our files hold what our files hold. */
  function isOwn(path: string): boolean {
    if (ownPaths.size === 0) return false;
    // A folder the user named (`done/`) owns no neighbours: `done.txt` is the user's.
    if (ownPaths.has(path) || ownPaths.has(`${path}/`)) return true;
    for (const own of ownPaths)
      if (path.startsWith(`${own}.`) && !path.includes('/', own.length)) return true;
    return false;
  }

  return {
    entry,
    path(path, kind) {
      for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
        const reason = entry(path.slice(0, slash), 'directory');
        if (reason !== null) return reason;
      }
      return entry(path, kind);
    },
  };
}

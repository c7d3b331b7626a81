import { hash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileVersionId } from '../../src/domain/file-version.ts';
import { DESTINATION, SOURCE } from './round-place.ts';

/** One version that really lay in the folder. */
export interface KnownVersion {
  readonly path: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

/** The oracle's memory: every version the harness has ever made, by file version id. */
export interface KnownVersions {
  /** Notes what lies at a path now. Nobody but the harness writes there, so it is what was written. */
  note(path: string, content: Buffer): Promise<void>;
  find(id: string): KnownVersion | null;
  /** Whether this content ever was the whole of a file. */
  hasContent(sha256: string): boolean;
  /** Id of what lies at a path; null when nothing does. */
  idOnDisk(path: string): Promise<string | null>;
  count(): number;
}

/** Nothing made yet. */
export function knownVersions(inbox: string): KnownVersions {
  const byId = new Map<string, KnownVersion>();
  const contents = new Set<string>();

  async function lookAt(path: string): Promise<{ id: string; size: number } | null> {
    const stats = await lstat(join(inbox, path), { bigint: true }).catch(() => null);
    if (stats?.isFile() !== true) return null;
    const size = Number(stats.size);
    const version = { source: SOURCE, destination: DESTINATION, path, size };
    return { id: fileVersionId({ ...version, mtimeNs: String(stats.mtimeNs) }), size };
  }

  return {
    async note(path, content) {
      const sha256 = hash('sha256', content, 'hex');
      contents.add(sha256);
      const seen = await lookAt(path);
      if (seen === null || seen.size !== content.length) throw new Error(`${path} is not what was written`);
      const before = byId.get(seen.id);
      if (before !== undefined && before.sha256 !== sha256) throw new Error(`two contents, one id: ${path}`);
      byId.set(seen.id, { path, size: seen.size, sha256 });
    },
    find: (id) => byId.get(id) ?? null,
    hasContent: (sha256) => contents.has(sha256),
    idOnDisk: async (path) => (await lookAt(path))?.id ?? null,
    count: () => byId.size,
  };
}

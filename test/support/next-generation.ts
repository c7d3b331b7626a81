import { decide, type Rules } from '../../src/intake/admit/decision.ts';
import type { RecordedVersion } from '../../src/intake/ports.ts';
import type { SeenFile } from '../../src/intake/scan/seen-file.ts';

/** Rules that let everything pass. */
export const NO_RULES: Rules = {
  minBytes: null,
  maxBytes: null,
  existing: 'upload',
  limits: { minBytes: null, maxBytes: null, extensions: null },
  firstStartMs: null,
};

/** A file as one look saw it. */
export function seenFile(path: string, change: Partial<SeenFile> = {}): SeenFile {
  const times = { mtimeNs: '1000000', mtimeMs: 1, ctimeMs: 1 };
  return { name: { path }, size: 1, ...times, dev: 1n, ino: 1n, birthtimeNs: 1n, ...change };
}

/** The generation in which a version that lies on disk would be sent; null: it is not. */
export function nextGeneration(recorded: RecordedVersion | null): number | null {
  const ruling = decide(seenFile('a'), recorded, NO_RULES);
  return ruling.kind === 'upload' ? ruling.gen : null;
}

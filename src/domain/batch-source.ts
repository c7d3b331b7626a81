import type { DestinationWords } from './destination-words.ts';
import type { GivenMeta } from './file-meta.ts';

/** Where the files of a batch come from. Absolute paths. */
export type BatchInput =
  /** `path` below the root; '' for all of it. */
  | { readonly kind: 'folder'; readonly path: string }
  /** `file` names one path a line, or each ended by a NUL; relative ones are relative to `base`. */
  | { readonly kind: 'list'; readonly file: string; readonly nul: boolean; readonly base: string }
  /** `names`: how names in a zip are read that do not say it; left out: it is guessed. */
  | { readonly kind: 'archive'; readonly path: string; readonly names?: ZipNames };

/** How names in a zip are read that neither say that they are UTF-8 nor are. */
export const ZIP_NAMES = ['utf-8', 'cp437', 'shift_jis', 'gbk', 'big5', 'euc-kr'] as const;
export type ZipNames = (typeof ZIP_NAMES)[number];

/** What of a batch belongs to one source. */
export interface BatchSource {
  readonly batch: string;
  readonly source: string;
  readonly destination: string;
  /** Absolute path of the source's folder. */
  readonly root: string;
  /**
   * Which folder lay there when the batch was asked for, with something in it; left out: none did, or an older Slipway
   * asked.
   */
  readonly rootIdentity?: string;
  /** Absolute path of the source's own manifest; the journal lies beside it. */
  readonly sourceManifest: string;
  /** Absolute path of the manifest of this part of the batch. */
  readonly manifest: string;
  /** ISO time. */
  readonly startedAt: string;
  readonly inputs: readonly BatchInput[];
  /** What is attached to its files; left out: nothing. */
  readonly meta?: GivenMeta;
}

/** A batch as it was asked for: all that a later process needs to go on with it. Nothing secret. */
export interface BatchSpec {
  readonly v: 1;
  readonly batch: string;
  readonly startedAt: string;
  readonly parts: readonly BatchSource[];
  /** What was said of a destination besides its name; left out: nothing. */
  readonly words?: { readonly destination: string; readonly said: DestinationWords };
}

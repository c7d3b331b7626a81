import type { PathName } from '../../domain/path-bytes.ts';

/** What an event source tells. Everything it says is a hint; nothing it does not say means anything. */
export interface EventListener {
  /**
   * Something may have happened here. `path` is relative to the root, `/`-separated, and may be a folder; '' means
   * somewhere. A name that is not UTF-8 comes lossy.
   */
  hint(path: string): void;
  /** From now on every event within the root is told, as far as the system can. */
  ready(): void;
  /** Events may have been lost, or will be. */
  failed(error: unknown): void;
}

/** Where hints come from: one tree, watched until closed. */
export interface EventSource {
  start(listener: EventListener): void;
  /** After it nothing more is told. May be called twice, and without a start. */
  close(): Promise<void>;
  /** A source that looks for no folders itself is told which there are by the scans. */
  readonly follower?: FolderFollower;
}

/** What the scans tell a source that follows them. */
export interface FolderFollower {
  /** This folder is about to be listed: whatever happens in it from now on is to be told. Throws nothing. */
  folder(name: PathName): void;
  /** No folder is there any more, nor anything below it. */
  gone(path: string): void;
  /** A scan of everything begins. */
  scanBegan(): void;
  /** It has seen every folder there is: those it did not meet are no more. */
  scanEnded(): void;
}

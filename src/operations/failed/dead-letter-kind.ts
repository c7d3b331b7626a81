import type { ResolvedConfig } from '../../config/resolved-config.ts';
import type { OwnerRequestOptions } from '../../runtime/owner/owner-request.ts';
import type { KnownSource } from '../../runtime/plans/known-sources.ts';

/** Which dead letters a command means. */
export interface DeadLetterFilter {
  /** Globs over what each is about (a path); empty: any. */
  readonly match: readonly string[];
  /** Error codes; empty: any. */
  readonly codes: readonly string[];
}

/** One dead letter as `failed list` shows it. */
export interface ShownDeadLetter {
  readonly source: string;
  readonly code: string;
  readonly httpStatus: number | null;
  /** Why, in one line. */
  readonly message: string;
  /** What would help, in one line. */
  readonly fix: string;
  /** What it is about: the path of a file. */
  readonly subject: string;
  /** What `--json` prints: one line. */
  readonly json: object;
  /** What to know about it besides: where it lies now, that it goes again. Asked for only where it is shown. */
  note(): Promise<string | null>;
}

/** What was done with the dead letters of one source. */
export interface DeadLetterResult {
  readonly source: string;
  /** Those that were meant, and are dealt with unless they are `refused`. */
  readonly letters: number;
  /** Why nothing could be done with any of them, with the fix; null: it was done. */
  readonly refused: string | null;
  /** Of them, files that had been moved away and lie in their place again. */
  readonly putBack: number;
  /** Of them, those whose file is not where it could be sent from; the first few with the reason. */
  readonly missing: number;
  readonly examples: readonly { readonly path: string; readonly reason: string }[];
  /** The process that did it and sends them; null: the next one to start does. */
  readonly owner: { readonly pid: number; readonly host: string } | null;
}

/** One kind of dead letter (uploads, deliveries); the commands treat all alike. */
export interface DeadLetterKind {
  /** What one, and several, are called. */
  readonly words: { readonly one: string; readonly many: string };
  /** In pieces; memory does not grow with them. */
  list(filter: DeadLetterFilter): AsyncGenerator<readonly ShownDeadLetter[]>;
  /** They go again with fresh attempts. One result for each source that had any. */
  retry(filter: DeadLetterFilter): Promise<DeadLetterResult[]>;
  /** They are given up: listed and counted no more. */
  discard(filter: DeadLetterFilter): Promise<DeadLetterResult[]>;
}

export interface DeadLetterFacts extends OwnerRequestOptions {
  readonly config: Pick<ResolvedConfig, 'dataDir' | 'redis' | 'webhooks' | 'sources'>;
  readonly sources: readonly KnownSource[];
}

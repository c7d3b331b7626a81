import { type LimitRefusal, refusedBy } from '../../destinations/definition/limits.ts';
import type { DestinationLimits } from '../../destinations/destination.ts';
import { errorMessage } from '../../domain/errors.ts';
import type { SkipCode } from '../../domain/receipt.ts';
import type { IntakeOptions } from '../options.ts';
import type { RecordedVersion } from '../ports.ts';
import type { SeenFile } from '../scan/seen-file.ts';

/** What decides, besides the ledger, whether a settled file is sent. */
export interface Rules extends Pick<IntakeOptions, 'minBytes' | 'maxBytes' | 'existing'> {
  /** What the destination takes now; null: not known here, so what was skipped for its size or type stays skipped. */
  readonly limits: DestinationLimits | null;
  /** When the source was started for the very first time, while that first pass is not complete; null afterwards. */
  readonly firstStartMs: number | null;
}

/**
 * What becomes of a settled file version.
 * - `nothing`: recorded, and nothing has changed about that
 * - `upload`: it needs a job of this generation
 * - `skip`, `fail`: it gets a receipt of this generation without a job
 *
 * `asked`: somebody wants this very file sent, so that no other upload may stand for it.
 */
export type Decision =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'upload'; readonly gen: number; readonly asked: boolean }
  | { readonly kind: 'skip'; readonly gen: number; readonly code: SkipCode; readonly message: string }
  | {
      readonly kind: 'fail';
      readonly gen: number;
      readonly code: 'version_mismatch';
      readonly message: string;
    };

/** A worker that finds a version changed so often, while it lies here as it was, sees another file (contract §4). */
export const MAX_CHANGED_IN_A_ROW = 3;

const NOTHING: Decision = { kind: 'nothing' };
const LIMIT_CODES: ReadonlySet<string> = new Set(['too_large', 'empty', 'type']);

/** What a ruling has to know of a file. */
export type JudgedFile = Pick<SeenFile, 'name' | 'size' | 'ctimeMs'>;

/** The rules of a source, as they are at any moment. */
export function rulesOf(options: Omit<Rules, 'firstStartMs'>, firstStartMs: () => number | null): Rules {
  const { minBytes, maxBytes, existing, limits } = options;
  return {
    ...{ minBytes, maxBytes, existing, limits },
    get firstStartMs() {
      return firstStartMs();
    },
  };
}

/** What this version on disk needs, by what is recorded of it and the rules of now. Pure. */
export function decide(file: JudgedFile, recorded: RecordedVersion | null, rules: Rules): Decision {
  if (recorded === null) {
    // Times of change cannot be set: what has an older one lay there before.
    const { firstStartMs } = rules;
    if (firstStartMs !== null && file.ctimeMs < firstStartMs) return skippedAsExisting();
    return judged(0, file, rules, false);
  }
  const gen = recorded.gen + 1;
  if (recorded.again) return judged(gen, file, rules, true);
  if (!comesBack(recorded, file, rules)) return NOTHING;
  if (recorded.code === 'changed' && (recorded.changedInRow ?? 0) >= MAX_CHANGED_IN_A_ROW) {
    return { kind: 'fail', gen, code: 'version_mismatch', message: errorMessage('version_mismatch') };
  }
  return judged(gen, file, rules, false);
}

/** Whether a version was skipped for what the limits say, so that other limits may let it pass. */
export function isLimitSkip(recorded: RecordedVersion | null): boolean {
  return recorded?.status === 'skipped' && LIMIT_CODES.has(recorded.code ?? '');
}

/** contract §2: reappearance, permission to read it, and a change of the limit that skipped it, make the next generation. */
function comesBack(recorded: RecordedVersion, file: JudgedFile, rules: Rules): boolean {
  if (recorded.status === 'failed') return mayBeReadable(recorded, file);
  if (recorded.status !== 'skipped') return false;
  // Here it lies after all, exactly as it was; and what is looked at here the rules take again.
  if (recorded.code === 'vanished' || recorded.code === 'changed' || recorded.code === 'excluded')
    return true;
  if (recorded.code === 'existing') return rules.existing === 'upload';
  if (!isLimitSkip(recorded) || rules.limits === null) return false;
  const { path } = file.name;
  return (
    refusedBySource(file, rules) === null &&
    refusedBy(rules.limits, { path, size: file.size }, 'this destination') === null
  );
}

/** It could not be read, and somebody has changed its permissions, or put it there anew. */
export function mayBeReadable({ status, code, disk }: RecordedVersion, { ctimeMs }: JudgedFile): boolean {
  if (status !== 'failed' || code !== 'file_unreadable' || disk === undefined) return false;
  return Number.isFinite(ctimeMs) && disk.ctimeMs !== ctimeMs;
}

function judged(gen: number, file: JudgedFile, rules: Rules, asked: boolean): Decision {
  const refusal = refusedBySource(file, rules);
  return refusal === null ? { kind: 'upload', gen, asked } : { kind: 'skip', gen, ...refusal };
}

/** The limits of the source alone: those of the destination are said where its answers are read, by the worker. */
export function refusedBySource(
  file: Pick<JudgedFile, 'name' | 'size'>,
  { minBytes, maxBytes }: Pick<Rules, 'minBytes' | 'maxBytes'>,
): LimitRefusal | null {
  if (minBytes === null && maxBytes === null) return null;
  const limits = { minBytes, maxBytes, extensions: null };
  return refusedBy(limits, { path: file.name.path, size: file.size }, 'this source');
}

function skippedAsExisting(): Decision {
  const message = 'it lay in the folder before the first start (existing: skip)';
  return { kind: 'skip', gen: 0, code: 'existing', message };
}

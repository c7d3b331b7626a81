import { z } from 'zod';
import { byteSize, duration } from '../platform/option-types.ts';

const patterns = z.array(z.string().min(1, 'a pattern cannot be empty'));

/** What a source says about its folder: where it is, what counts, and when a file is whole. */
export const intakeOptionsSchema = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe('the folder to watch; it may be missing for a while, nothing is forgotten meanwhile'),
  include: patterns
    .default(['**/*'])
    .describe('globs of the files to take, relative to the folder; a file that matches none is left alone'),
  ignore: patterns
    .default([])
    .describe(
      'globs to leave alone, on top of the built-in junk list; an ignored folder is ignored with all it holds',
    ),
  settle: duration()
    .optional()
    .describe(
      'a file is taken once its size and times have not changed for this long; too short a value catches writers in a pause; left out: 2s, and 10s where files are deleted or moved after their upload',
    ),
  rescan: duration('5m', { minMs: 1_000 }).describe(
    'the whole folder is compared with what is recorded this often, since every event source loses events',
  ),
  minAge: duration('0s').describe(
    'a file is taken no sooner than this after its last change, on top of `settle`; 0s: as soon as it has settled',
  ),
  minBytes: byteSize()
    .nullable()
    .default(null)
    .describe('a smaller file is recorded as skipped (empty) and not sent; null: no limit of this source'),
  maxBytes: byteSize()
    .nullable()
    .default(null)
    .describe('a larger file is recorded as skipped (too_large) and not sent; null: no limit of this source'),
  existing: z
    .enum(['upload', 'skip'])
    .default('upload')
    .describe(
      'what becomes of the files that lie there at the very first start: skip records them as skipped (existing) and sends only what arrives or changes later',
    ),
  dedupe: z
    .enum(['version', 'content'])
    .default('version')
    .describe(
      'content reads every new file once more before it is sent, and gives one whose bytes are uploaded already the result of that upload; version compares no contents',
    ),
  hidden: z
    .boolean()
    .default(false)
    .describe('true also takes files and folders whose name begins with a dot; they often hold secrets'),
  polling: z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .describe(
      'true scans the folder every few seconds instead of waiting for events; auto does so on network file systems',
    ),
  batch: z
    .strictObject({
      by: z.literal('topFolder', {
        error: 'must be `topFolder`: every folder dropped into the source is a batch',
      }),
      quiet: duration('30s').describe(
        'a batch ends once nothing in its folder has come or changed for this long and all of it is recorded',
      ),
    })
    .nullable()
    .default(null)
    .describe(
      'what is a batch, with a manifest of its own and one end: { by: topFolder } makes every folder directly in the source one; files beside those folders belong to none',
    ),
  meta: z
    .strictObject({
      sidecar: z
        .boolean()
        .default(false)
        .describe(
          'true takes `<file>.meta.json` (a flat JSON object, at most 16 keys and 4 KiB) as metadata of the file beside it, which its receipt then carries; such files are not uploaded themselves',
        ),
    })
    .nullable()
    .default(null)
    .describe('where metadata of files (order numbers, ids of your own) is found'),
});

export type BatchOptions = NonNullable<z.infer<typeof intakeOptionsSchema>['batch']>;
export type MetaOptions = NonNullable<z.infer<typeof intakeOptionsSchema>['meta']>;
/** What may lie unpacked out of archives. */
export const spoolOptionsSchema = z
  .strictObject({
    maxBytes: byteSize('2GB').describe(
      'how much of archives may lie unpacked under dataDir at once, per process; a larger file in an archive is skipped',
    ),
  })
  .prefault({});

/** Resolved: every key present, durations in milliseconds. */
export type IntakeOptions = Omit<z.infer<typeof intakeOptionsSchema>, 'settle'> & { readonly settle: number };

const SETTLE_MS = 2_000;
/** A writer that pauses longer loses its file under its hands. */
const SETTLE_BEFORE_ACTION_MS = 10_000;

/** What `settle` is where it is not written. @param actsOnFiles whether files are deleted or moved after their upload */
export function defaultSettleMs(actsOnFiles: boolean): number {
  return actsOnFiles ? SETTLE_BEFORE_ACTION_MS : SETTLE_MS;
}

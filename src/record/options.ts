import { z } from 'zod';

const moveTo = z.strictObject({
  moveTo: z
    .string()
    .min(1)
    .describe(
      'the folder to move to; it keeps the folders of the source, overwrites nothing, and is never watched',
    ),
});

/** What a source says about the record of its files. */
export const recordOptionsSchema = z.strictObject({
  manifest: z
    .string()
    .min(1)
    .optional()
    .describe(
      'the JSON file with the latest receipt of every file; the journal, which is the truth, lies beside it with `.jsonl`; left out, it is <folder>.manifest.json beside the folder',
    ),
  snapshot: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'whether the manifest lists the files: auto leaves the list out above 100,000 files, never writes no manifest; the journal is complete either way',
    ),
  onSuccess: z
    .union([z.literal('keep'), z.literal('delete'), moveTo], {
      error: 'must be `keep`, `delete` or `{ moveTo: FOLDER }`',
    })
    .default('keep')
    .describe(
      'what becomes of a file once its upload is recorded; delete leaves you with what the destination keeps, and for as long as it keeps it',
    ),
  onFailure: z
    .union([z.literal('keep'), moveTo], { error: 'must be `keep` or `{ moveTo: FOLDER }`' })
    .default('keep')
    .describe('what becomes of a file once its upload has failed for good; a skipped file always stays'),
  sidecar: z
    .boolean()
    .default(false)
    .describe(
      'true writes the receipt of every file as <file>.receipt.json beside it, also where it is moved to; names that end so are then never uploaded from this source',
    ),
});

export type SnapshotMode = 'auto' | 'always' | 'never';

/** Resolved. `manifest` is undefined where config has to put it beside the folder. */
export type RecordOptions = z.infer<typeof recordOptionsSchema>;

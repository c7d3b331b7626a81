import { z } from 'zod';

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
});

export type SnapshotMode = 'auto' | 'always' | 'never';

/** Resolved. `manifest` is undefined where config has to put it beside the folder. */
export type RecordOptions = z.infer<typeof recordOptionsSchema>;

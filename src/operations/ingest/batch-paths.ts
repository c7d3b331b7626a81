import { rm } from 'node:fs/promises';
import { journalPathOf } from '../../ledger/journal/manifest-journal.ts';
import type { BatchSpec } from '../../ledger/store/batch-spec.ts';

/** What a batch writes, and is never to send (G9): its manifests may lie where the user wants them. */
export function journalPathsOf({ parts }: BatchSpec): string[] {
  return parts.flatMap(({ manifest, sourceManifest }) =>
    [manifest, sourceManifest].flatMap((path) => [path, journalPathOf(path)]),
  );
}

/** Lists that were kept for a batch that does not come to be. */
export async function forgetLists({ parts }: BatchSpec): Promise<void> {
  for (const { inputs, meta } of parts) {
    for (const input of inputs) if (input.kind === 'list') await rm(input.file, { force: true });
    if (meta?.list != null) await rm(meta.list, { force: true });
  }
}

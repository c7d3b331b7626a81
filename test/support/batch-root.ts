import { type BatchRoot, createBatchRoot } from '../../src/intake/batch/batch-root.ts';
import { forgetfulRootMemory } from '../../src/intake/watch/root-guard.ts';

/** Of a batch for which any folder in the place of the root is the one. */
export function anyFolder(root: string): BatchRoot {
  return createBatchRoot({
    ...{ source: 'inbox', root, memory: forgetfulRootMemory(), askedFor: null },
    ...{ expectsFiles: () => false, walked: true },
  });
}

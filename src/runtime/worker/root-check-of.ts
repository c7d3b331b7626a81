import { folderIdentityOf, isEmptyFolder } from '../../platform/files/folder-identity.ts';
import { createRootCheck } from '../../upload/root-check.ts';
import type { SourceOwner } from '../owner/source-owner-options.ts';
import type { SourcePlan } from '../plans/source-plan.ts';
import { type RootQuestionOptions, rootQuestion } from './root-question.ts';
import { type RootWatch, type RootWatchOptions, rootWatch } from './root-watch.ts';

export interface RootElsewhereOptions
  extends Omit<RootQuestionOptions, 'source'>,
    Pick<RootWatchOptions, 'set' | 'maxLooks'> {
  /** What the owner knew when it started this process; null: nothing, or nobody told. */
  readonly told: string | null;
}

/**
 * For the uploads of one source. A folder that is empty when the process starts may be a mount point: it is not taken
 * for the source's own before something was seen in it, or its owner knows it.
 * @param owner when it is this process: its intake stops by itself, and its jobs are to end
 * @param elsewhere used where it is not
 */
export async function rootCheckOf(
  { name: source, root }: Pick<SourcePlan, 'name' | 'root'>,
  owner: Pick<SourceOwner, 'rootHeld'> | undefined,
  elsewhere: RootElsewhereOptions,
): Promise<RootWatch> {
  const found = await folderIdentityOf(root);
  const seen = found === null || (await isEmptyFolder(root)) ? null : found;
  if (owner !== undefined) {
    const known = { held: owner.rootHeld, emptied: async () => false };
    return { ...createRootCheck(root, known, seen), close() {} };
  }
  const known = { held: () => elsewhere.told, emptied: rootQuestion({ ...elsewhere, source }) };
  return rootWatch({ ...elsewhere, source, root, check: createRootCheck(root, known, seen) });
}

import { folderIdentityOf, isEmptyFolder } from '../platform/folder-identity.ts';
import { createRootCheck, type RootCheck } from '../upload/root-check.ts';
import type { OwnerLine } from './owner-line-port.ts';
import { type RootQuestionFacts, rootQuestion } from './root-question.ts';

/**
 * For the uploads of one source. A folder that is empty when the process starts may be a mount point: it is not taken
 * for the source's own before something was seen in it, or its owner knows it.
 * @param root absolute path as this process sees it
 * @param owner when it is this process
 * @param told what the owner knew when it started this process; null: nothing, or nobody told
 */
export async function rootCheckOf(
  root: string,
  owner: Pick<OwnerLine, 'rootHeld'> | undefined,
  told: string | null,
  elsewhere: RootQuestionFacts,
): Promise<RootCheck> {
  const found = await folderIdentityOf(root);
  const seen = found === null || (await isEmptyFolder(root)) ? null : found;
  const known =
    owner === undefined
      ? { held: () => told, emptied: rootQuestion(elsewhere) }
      : { held: owner.rootHeld, emptied: async () => false };
  return createRootCheck(root, known, seen);
}

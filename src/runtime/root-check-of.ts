import { folderIdentityOf } from '../platform/folder-identity.ts';
import { createRootCheck, type RootCheck } from '../upload/root-check.ts';
import type { OwnerLine } from './owner-line-port.ts';

/**
 * For the uploads of one source.
 * @param owner knows from before this process which folder held the files; without one there is only what is seen now
 */
export async function rootCheckOf(
  root: string,
  owner: Pick<OwnerLine, 'rootHeld'> | undefined,
): Promise<RootCheck> {
  return createRootCheck(root, owner?.rootHeld() ?? (await folderIdentityOf(root)));
}

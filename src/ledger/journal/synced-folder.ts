import { open } from 'node:fs/promises';

/** Makes a name just created in a folder durable. Some file systems cannot sync a folder: nothing to be done there. */
export async function syncedFolder(path: string | Buffer): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  if (folder === null) return;
  await folder.sync().catch(() => {});
  await folder.close();
}

/** Watches more folders than there are watches, then as many as there are; prints what it was told, one word each. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFolderWatchSource } from '../../src/intake/watch/folder-watch-source.ts';

const [root = '', folderCount = '0', keep = '0'] = process.argv.slice(2);
const folders = Array.from({ length: Number(folderCount) }, (_, index) => `d${index}`);
for (const folder of folders) mkdirSync(join(root, folder));

const told: string[] = [];
const heard = Promise.withResolvers<void>();
const source = createFolderWatchSource(root);
source.start({
  hint(path) {
    if (path === 'd0/new') heard.resolve();
  },
  ready: () => void told.push('ready'),
  failed: (error) => void told.push((error as NodeJS.ErrnoException).code ?? 'unknown'),
});

function scan(names: readonly string[]): void {
  source.follower.scanBegan();
  source.follower.folder({ path: '' });
  for (const path of names) source.follower.folder({ path });
  source.follower.scanEnded();
}

scan(folders);
const refused = told.length;
for (const folder of folders.slice(Number(keep))) {
  rmSync(join(root, folder), { recursive: true });
  source.follower.gone(folder);
}
scan(folders.slice(0, Number(keep)));
// A watcher does not keep the process: something has to, until the event is there.
const holding = setInterval(() => {}, 1_000);
writeFileSync(join(root, 'd0/new'), 'x');
await heard.promise;
clearInterval(holding);
await source.close();
process.stdout.write(JSON.stringify({ first: told.slice(0, refused), afterwards: told.slice(refused) }));

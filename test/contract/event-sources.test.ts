import { mkdirSync, writeFileSync } from 'node:fs';
import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { Filter } from '../../src/intake/scan/filter.ts';
import { createChokidarSource } from '../../src/intake/watch/chokidar-source.ts';
import type { EventSource } from '../../src/intake/watch/event-source.ts';
import { createFolderWatchSource } from '../../src/intake/watch/folder-watch-source.ts';
import { type IntakeRig, startIntakeRig } from '../support/intake-rig.ts';

const soon = { timeout: 30_000, interval: 20 };

const SOURCES: Readonly<Record<string, (root: string, filter: Filter) => EventSource>> = {
  'a watch per folder': createFolderWatchSource,
  chokidar: createChokidarSource,
};

describe.each(Object.entries(SOURCES))('the port of events, served by %s', (_name, open) => {
  /** A caught up intake that scans no more unless events ask for it: what arrives later is the source's doing. */
  async function watching(): Promise<IntakeRig> {
    let root = '';
    const rig = await startIntakeRig({
      polling: false,
      autoRecord: true,
      createSource: (filter) => open(root, filter),
      prepare(made) {
        root = made;
        mkdirSync(join(root, 'there/deep'), { recursive: true });
        writeFileSync(join(root, 'there/deep/old'), 'old');
      },
    });
    await rig.intake.caughtUp();
    // The source may ask for one more scan once it is ready.
    await rig.intake.caughtUp();
    return rig;
  }

  async function arrives(rig: IntakeRig, path: string, times = 1): Promise<void> {
    await vi.waitFor(() => expect(rig.paths().filter((seen) => seen === path)).toHaveLength(times), soon);
  }

  test('files in old and new folders, and edits', async () => {
    await using rig = await watching();
    await writeFile(join(rig.root, 'top'), 'x');
    await arrives(rig, 'top');
    await writeFile(join(rig.root, 'there/deep/new'), 'x');
    await arrives(rig, 'there/deep/new');
    await mkdir(join(rig.root, 'made/on/the/way'), { recursive: true });
    await writeFile(join(rig.root, 'made/on/the/way/file'), 'x');
    await arrives(rig, 'made/on/the/way/file');
    await writeFile(join(rig.root, 'made/on/the/way/later'), 'x');
    await arrives(rig, 'made/on/the/way/later');
    await appendFile(join(rig.root, 'there/deep/old'), '+');
    await arrives(rig, 'there/deep/old', 2);
  });

  test('files and folders that are moved in, and what happens in them afterwards', async () => {
    await using rig = await watching();
    await mkdir(join(rig.beside, 'full/inner'), { recursive: true });
    await writeFile(join(rig.beside, 'full/inner/one'), 'x');
    await writeFile(join(rig.beside, 'single'), 'x');
    await rename(join(rig.beside, 'single'), join(rig.root, 'single'));
    await arrives(rig, 'single');
    await rename(join(rig.beside, 'full'), join(rig.root, 'full'));
    await arrives(rig, 'full/inner/one');
    await writeFile(join(rig.root, 'full/inner/two'), 'x');
    await arrives(rig, 'full/inner/two');
  });

  test('a folder that is deleted and made again', async () => {
    await using rig = await watching();
    await rm(join(rig.root, 'there'), { recursive: true });
    await mkdir(join(rig.root, 'there/deep'), { recursive: true });
    await writeFile(join(rig.root, 'there/deep/again'), 'x');
    await arrives(rig, 'there/deep/again');
    await writeFile(join(rig.root, 'there/deep/more'), 'x');
    await arrives(rig, 'there/deep/more');
  });
});

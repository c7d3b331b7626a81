/** Folders that are moved away with links left in their place, while everything runs (G4, G9). */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { AfterAction } from '../../../src/domain/after-action.ts';
import { seededRandom } from '../../../src/sandbox/trouble/seeded-random.ts';
import { startIntakeRig } from '../../support/intake-rig.ts';
import { runRig } from '../../support/run-rig.ts';
import { autoglm } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const soon = { timeout: 45_000, interval: 20 };
const FOLDERS = 5;
const SWAPS = 200;

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sw-swap-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Every file below a folder, `/`-separated, sorted. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

test('what lies in a folder that was moved out is left alone, though its watches still speak; its watches end', async () => {
  await using rig = await startIntakeRig({
    polling: false,
    prepare(root) {
      mkdirSync(join(root, 'd/deep'), { recursive: true });
      writeFileSync(join(root, 'd/a'), 'a');
    },
    autoRecord: true,
  });
  await rig.intake.caughtUp();
  const moved = join(rig.beside, 'd');
  renameSync(join(rig.root, 'd'), moved);
  symlinkSync(moved, join(rig.root, 'd'));
  writeFileSync(join(moved, 'b'), 'b');
  writeFileSync(join(moved, 'deep/c'), 'c');
  writeFileSync(join(rig.root, 'here'), 'here');
  await vi.waitFor(() => expect(rig.paths()).toContain('here'), soon);
  await rig.intake.caughtUp();
  expect(rig.paths()).toEqual(['d/a', 'here']);
});

test.each<[string, AfterAction | 'done']>([
  ['delete', 'delete'],
  ['moveTo', 'done'],
])(
  '200 random swaps with %s: nothing outside is read, moved, deleted or written',
  async (_, action) => {
    const sandbox = await sandboxForTest();
    const place = scratch();
    const done = join(place, 'done');
    mkdirSync(done);
    const rig = await runRig({
      definition: autoglm(sandbox),
      source: {
        onSuccess: action === 'done' ? { moveTo: done } : (action as AfterAction),
        sidecar: action === 'done',
      },
    });
    const root = rig.root();
    const random = seededRandom(20_261_130);
    const outside = new Map<string, string>();
    for (let index = 0; index < FOLDERS; index += 1) {
      mkdirSync(join(root, `s${index}`));
      mkdirSync(join(place, `outside${index}`));
    }
    const written = new Map<string, string>();
    const run = await rig.start();
    for (let count = 0; count < SWAPS; count += 1) {
      const folder = join(root, `s${count % FOLDERS}`);
      const twin = join(place, `outside${count % FOLDERS}`);
      // The same name on both sides, so that whoever follows the link finds what it looks for.
      const name = `${count}.txt`;
      writeFileSync(join(folder, name), `inside  ${count}`);
      writeFileSync(join(twin, name), `outside ${count}`);
      written.set(`s${count % FOLDERS}/${name}`, sha256(`inside  ${count}`));
      outside.set(join(twin, name), `outside ${count}`);
      await delay(random() * 100);
      const away = join(place, `away${count}`);
      renameSync(folder, away);
      symlinkSync(random() < 0.5 ? twin : away, folder);
      await delay(random() * 30);
      unlinkSync(folder);
      renameSync(away, folder);
    }
    const sent = (): Set<string> => new Set(sandbox.received().map((file) => file.sha256));
    await vi.waitFor(
      () => expect([...written.values()].filter((hash) => !sent().has(hash))).toEqual([]),
      soon,
    );
    await vi.waitFor(
      () => expect(filesIn(root).some((name) => name.includes('.slipway-'))).toBe(false),
      soon,
    );
    await run.stop(5_000);

    const inside = new Set(written.values());
    expect([...sent()].filter((hash) => !inside.has(hash))).toEqual([]);
    for (const [path, content] of outside) expect(readFileSync(path, 'utf8')).toBe(content);
    for (let index = 0; index < FOLDERS; index += 1)
      expect(filesIn(join(place, `outside${index}`))).toHaveLength(SWAPS / FOLDERS);
    // Each file is where it was, or where it was to go; never lost without a receipt.
    const uploaded = new Set(
      rig.receipts().flatMap(({ status, path }) => (status === 'uploaded' ? [path] : [])),
    );
    for (const path of written.keys()) {
      expect(uploaded).toContain(path);
      if (action === 'done') expect(existsSync(join(root, path))).toBe(!existsSync(join(done, path)));
    }
  },
  150_000,
);

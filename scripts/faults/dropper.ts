import { mkdir, open, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Dice } from './dice.ts';
import type { KnownVersions } from './known-versions.ts';
import { openedWithin } from './open-files.ts';

/** Drops files without a pause, and edits, deletes and replaces some of them while they are queued or being read. */
export interface Dropper {
  /** What lies in the folder, by path. */
  onDisk(): ReadonlySet<string>;
  /** Operations so far, by kind. */
  tally(): Readonly<Record<string, number>>;
  /** A new file, now. */
  dropOne(): Promise<string>;
  /** Ends the dropping. Throws what went wrong in it. */
  stop(): Promise<void>;
}

const KIB = 1024;
const TURN_MS = 50;
/** Edits hit what was dropped of late: that is what is queued or being read. */
const RECENT = 60;
const FOLDERS = ['', 'a', 'a/b', 'a/b/ç', 'Größe', '图片/日出', 'deep/er/and/deep/er'] as const;

/** So large that it takes a while to read. */
const LONG_READ_BYTES = 24 * 1024 * KIB;
/** Settled, queued and begun by then, or held up by a fault. */
const READ_WITHIN_MS = 2_000;

interface Operation {
  readonly name: string;
  readonly weight: number;
  run(): Promise<void>;
}

/**
 * @param perSecond files dropped, roughly
 * @param readers pids of the processes that read them
 */
export function startDropper(
  inbox: string,
  known: KnownVersions,
  dice: Dice,
  perSecond: number,
  readers: () => readonly number[],
): Dropper {
  const present = new Set<string>();
  const recent: string[] = [];
  const counts: Record<string, number> = {};
  let serial = 0;
  let stopping = false;

  /** Every content is one of its kind, so that its hash names one version; but for empty files. */
  function content(size: number): Buffer {
    serial += 1;
    const head = Buffer.from(`file content ${serial}\n`);
    if (size === 0) return Buffer.alloc(0);
    return Buffer.concat([head, Buffer.alloc(size, `${serial} `)]);
  }

  function size(): number {
    if (dice.chance(0.02)) return 0;
    if (dice.chance(0.02)) return dice.int(1100 * KIB, 2048 * KIB);
    return dice.chance(0.1) ? dice.int(32 * KIB, 256 * KIB) : dice.int(1, 4 * KIB);
  }

  async function newFile(): Promise<string> {
    const name = `${serial}-${dice.int(0, 9999)}.txt`;
    const path = join(dice.pick(FOLDERS), name);
    await mkdir(dirname(join(inbox, path)), { recursive: true });
    await replace(path, content(size()));
    recent.push(path);
    if (recent.length > RECENT) recent.shift();
    return path;
  }

  /** As most programs save: written aside under an ignored name, then renamed. */
  async function replace(path: string, bytes: Buffer): Promise<void> {
    const aside = join(inbox, `${path}.part`);
    await writeFile(aside, bytes);
    await rename(aside, join(inbox, path));
    present.add(path);
    await known.note(path, bytes);
  }

  /** In place and piece by piece: every state between is a version too, should it ever look settled. */
  async function rewrite(path: string): Promise<void> {
    await delay(10); // File times come in ticks of some ms: a second content within one would share the id.
    const whole = content(size() + 1);
    const file = await open(join(inbox, path), 'w');
    try {
      await known.note(path, Buffer.alloc(0));
      const step = Math.ceil(whole.length / dice.int(1, 4));
      for (let end = step; ; end += step) {
        await delay(dice.int(10, 60));
        const until = Math.min(end, whole.length);
        await file.write(whole, Math.max(0, end - step), until - Math.max(0, end - step));
        await known.note(path, whole.subarray(0, until));
        if (until === whole.length) return;
      }
    } finally {
      await file.close();
    }
  }

  async function remove(path: string): Promise<void> {
    await rm(join(inbox, path));
    present.delete(path);
    recent.splice(recent.indexOf(path), 1);
  }

  async function onRecent(work: (path: string) => Promise<void>): Promise<void> {
    const [first, ...rest] = recent;
    if (first !== undefined) await work(dice.pick([first, ...rest]));
  }

  /** Gone for a moment, then back just as it was: it may have been found missing meanwhile. */
  async function takeAwayAndBack(path: string): Promise<void> {
    const aside = join(inbox, `${path}.tmp`);
    await rename(join(inbox, path), aside);
    await delay(dice.int(50, 400));
    await rename(aside, join(inbox, path));
  }

  /** Old times, as an unpacked archive has them. */
  async function backdate(path: string): Promise<void> {
    const bytes = content(dice.int(1, KIB));
    await writeFile(join(inbox, `${path}.part`), bytes);
    const at = new Date(Date.UTC(2001, 0, 1) + serial * 1000);
    await utimes(join(inbox, `${path}.part`), at, at);
    await rename(join(inbox, `${path}.part`), join(inbox, path));
    await known.note(path, bytes);
  }

  /** A process has it open: it is changed, taken away or replaced under the reader's hands. */
  async function strikeWhileRead(): Promise<void> {
    const path = `read-${serial}-${dice.int(0, 9999)}.bin`;
    await replace(path, content(LONG_READ_BYTES));
    if (!(await openedWithin(READ_WITHIN_MS, readers, join(inbox, path)))) return;
    const how = dice.pick(['rewritten', 'deleted', 'replaced']);
    counts[`${how} while read`] = (counts[`${how} while read`] ?? 0) + 1;
    if (how === 'rewritten') await rewrite(path);
    else if (how === 'replaced') await replace(path, content(size()));
    else {
      await rm(join(inbox, path));
      present.delete(path);
    }
  }

  const operations: readonly [Operation, ...Operation[]] = [
    { name: 'new', weight: 84, run: async () => void (await newFile()) },
    { name: 'replaced', weight: 4, run: () => onRecent((path) => replace(path, content(size()))) },
    { name: 'rewritten', weight: 3, run: () => onRecent(rewrite) },
    { name: 'backdated', weight: 2, run: () => onRecent(backdate) },
    { name: 'deleted', weight: 4, run: () => onRecent(remove) },
    { name: 'away and back', weight: 3, run: () => onRecent(takeAwayAndBack) },
    { name: 'large', weight: 0.5, run: strikeWhileRead },
  ];

  async function dropOn(): Promise<void> {
    const beganMs = performance.now();
    let done = 0;
    while (!stopping) {
      const due = ((performance.now() - beganMs) / 1000) * perSecond;
      for (; done < due && !stopping; done += 1) {
        const operation = dice.weighted(operations);
        counts[operation.name] = (counts[operation.name] ?? 0) + 1;
        await operation.run();
      }
      await delay(TURN_MS);
    }
  }

  const dropping = dropOn();
  // Reported by `stop`.
  dropping.catch(() => undefined);
  return {
    onDisk: () => present,
    tally: () => counts,
    dropOne: newFile,
    async stop() {
      stopping = true;
      await dropping;
    },
  };
}

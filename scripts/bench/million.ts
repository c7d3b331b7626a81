import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileVersionId } from '../../src/domain/file-version.ts';
import type { Receipt } from '../../src/domain/receipt.ts';
import { encodeReceipt } from '../../src/ledger/journal/receipt-codec.ts';
import { JournalTail, untilRecorded } from './journal-tail.ts';
import { machineConditions } from './machine.ts';
import { meterProcesses } from './process-meter.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { markdownTable, median, spread } from './table.ts';
import { lastWords, prepareWatch, startWatching, type WatchPlace } from './watching-run.ts';

export interface MillionOptions {
  readonly command: string;
  readonly files: number;
  readonly folders: number;
  readonly rounds: number;
}

const SETTLE_MS = 2_000;
const PATIENCE_MS = 600_000;
/** After the queue is full nothing grows any more: so long it is looked at. */
const HOLD_MS = 20_000;
/** Nobody listens there. */
const NO_TOKEN = 'http://127.0.0.1:9/get_token';

/** contract §12, a large tree: what it costs while nothing can be uploaded, and once everything is. */
export async function benchMillion(options: MillionOptions): Promise<string> {
  const { files, folders, rounds } = options;
  const conditions = machineConditions();
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-million-'));
  const folder = join(scratch, 'inbox');
  const server = await startServer();
  try {
    const paths = makeTree(folder, files, folders);
    const held = await memoryWhileHeld(options, join(scratch, 'held'), folder, server);
    process.stderr.write(
      `held: owner ${megabytes(held.peaks, 'node')} MB, redis ${megabytes(held.peaks, 'redis-server')} MB\n`,
    );
    const finds = Array.from({ length: 3 }, () => timeFind(folder));
    const known = prepareWatch({
      scratch: join(scratch, 'known'),
      ...{ folder, server, settleMs: SETTLE_MS, concurrency: 16 },
    });
    writeJournal(known, folder, paths);
    rebuildLedger(options.command, known, files);
    const runs: KnownRun[] = [];
    for (let round = 0; round < rounds; round += 1)
      runs.push(await whenAllIsKnown(options, known, folder, round));
    const find = median(finds);
    const caughtUp = runs.map(({ caughtUpMs }) => caughtUpMs / 1_000);
    return [
      `${files} files of 20 bytes in ${folders} folders, settle ${SETTLE_MS} ms; ${rounds} rounds, median (least-most).`,
      `Conditions: ${conditions}.`,
      '',
      markdownTable(
        ['', 'measured', 'target'],
        [
          ['nothing uploaded: peak RSS of the owner, MB', megabytes(held.peaks, 'node'), '<= 300'],
          ['nothing uploaded: peak RSS of Redis, MB', megabytes(held.peaks, 'redis-server'), '<= 60'],
          [
            `find -printf '%s %T@', s`,
            spread(
              finds.map((ms) => ms / 1_000),
              2,
            ),
            '',
          ],
          ['all in the ledger: start until caught up, s', spread(caughtUp, 2), ''],
          ['... against find', `${((median(caughtUp) * 1_000) / find).toFixed(1)}x`, '<= 5x'],
          ['peak RSS of the owner then, MB', spread(runs.map(({ rssMb }) => rssMb)), ''],
          [
            'a new file: write to receipt beyond settle, ms',
            spread(runs.map(({ newFileMs }) => newFileMs)),
            '<= 1000',
          ],
        ],
      ),
    ].join('\n');
  } finally {
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @returns relative paths */
function makeTree(root: string, files: number, folders: number): string[] {
  const perFolder = Math.ceil(files / folders);
  const paths: string[] = [];
  for (let index = 0; index < files; index += 1) {
    const folder = `folder-${Math.floor(index / perFolder)}`;
    if (index % perFolder === 0) mkdirSync(join(root, folder), { recursive: true });
    const path = `${folder}/document-${index}.txt`;
    writeFileSync(join(root, path), `document ${index}`.padEnd(20));
    paths.push(path);
  }
  return paths;
}

/** The destination cannot be used: its token service is away. Everything waits. */
async function memoryWhileHeld(
  { command }: MillionOptions,
  scratch: string,
  folder: string,
  server: ServerProcess,
): Promise<{ readonly peaks: Readonly<Record<string, number>> }> {
  const settings = { scratch, folder, server, settleMs: SETTLE_MS, concurrency: 16, tokenUrl: NO_TOKEN };
  const place = prepareWatch(settings);
  const run = startWatching(command, place);
  const meter = meterProcesses(run.pid, place.dataDir);
  try {
    await untilSteady(command, place);
    await delay(HOLD_MS);
    return { peaks: meter.stop().at(-1)?.peakRssBytes ?? {} };
  } finally {
    await run.stop();
  }
}

/** Until two looks at the queue, seconds apart, find the same. */
async function untilSteady(command: string, place: WatchPlace): Promise<void> {
  let before = 0;
  for (const untilMs = performance.now() + PATIENCE_MS; performance.now() < untilMs; ) {
    await delay(5_000);
    const { stdout } = spawnSync(process.execPath, [command, 'status', '--json', '--config', place.config], {
      encoding: 'utf8',
    });
    const [source] = (JSON.parse(stdout) as { sources: { pending: number }[] }).sources;
    const pending = source?.pending ?? 0;
    if (pending > 0 && pending === before) return;
    before = pending;
  }
  throw new Error(`the queue did not fill:\n${lastWords(place)}`);
}

function timeFind(folder: string): number {
  const beganMs = performance.now();
  execFileSync('find', [folder, '-type', 'f', '-printf', '%s %T@\n'], {
    stdio: ['ignore', openSync('/dev/null', 'w'), 'inherit'],
  });
  return performance.now() - beganMs;
}

/** As if everything had been uploaded before. */
function writeJournal(place: WatchPlace, root: string, paths: readonly string[]): void {
  const journal = openSync(place.journal, 'w', 0o600);
  let lines: string[] = [];
  const flush = (): void => {
    writeSync(journal, lines.join(''));
    lines = [];
  };
  for (const path of paths) {
    const { size, mtimeNs, mtime } = lstatSync(join(root, path), { bigint: true });
    const version = {
      source: 'bench',
      destination: 'bench',
      path,
      size: Number(size),
      mtimeNs: String(mtimeNs),
    };
    lines.push(`${encodeReceipt(receiptOf(version, mtime.toISOString()))}\n`);
    if (lines.length >= 1_000) flush();
  }
  flush();
  closeSync(journal);
}

function rebuildLedger(command: string, place: WatchPlace, files: number): void {
  const args = [command, 'manifest', 'rebuild', '--source', 'bench', '--json', '--config', place.config];
  const said = execFileSync(process.execPath, args, { encoding: 'utf8' });
  const { receipts } = JSON.parse(said) as { receipts: number };
  if (receipts !== files) throw new Error(`the ledger was built from ${receipts} of ${files} receipts`);
}

function receiptOf(version: Parameters<typeof fileVersionId>[0], at: string): Receipt {
  const { source, destination, path, size, mtimeNs } = version;
  const url = `https://autoglm-agent.aminer.cn/auto_fly/${path}`;
  return {
    ...{ v: 1, id: fileVersionId(version), source, path, gen: 0, status: 'uploaded', destination },
    ...{ url, fileId: `auto_fly/${path}`, ref: url, bytes: size, sha256: '0'.repeat(64) },
    ...{ contentType: 'text/plain', mtime: at, mtimeNs, expiresAt: null, attempts: 1 },
    ...{
      queuedAt: at,
      uploadedAt: at,
      recordedAt: at,
      durationMs: 1,
      batch: null,
      remote: null,
      error: null,
    },
  };
}

interface KnownRun {
  readonly caughtUpMs: number;
  readonly newFileMs: number;
  readonly rssMb: number;
}

async function whenAllIsKnown(
  { command, files }: MillionOptions,
  place: WatchPlace,
  folder: string,
  round: number,
): Promise<KnownRun> {
  const tail = new JournalTail(place.journal);
  tail.read();
  const known = tail.latest.size;
  writeFileSync(place.log, '');
  const beganMs = performance.now();
  const run = startWatching(command, place, [], ['--log-level', 'debug']);
  const meter = meterProcesses(run.pid, place.dataDir);
  try {
    await untilSaid(place, 'compared the whole folder', files);
    const caughtUpMs = performance.now() - beganMs;
    await delay(1_000);
    const writtenMs = performance.now();
    writeFileSync(join(folder, 'folder-0', `new-${round}.txt`), 'new');
    await untilRecorded(tail, known + 1, PATIENCE_MS);
    const newFileMs = performance.now() - writtenMs - SETTLE_MS;
    const rssMb = (meter.stop().at(-1)?.peakRssBytes.node ?? Number.NaN) / 1e6;
    return { caughtUpMs, newFileMs, rssMb };
  } finally {
    await run.stop();
  }
}

async function untilSaid(place: WatchPlace, text: string, files: number): Promise<void> {
  for (const untilMs = performance.now() + PATIENCE_MS; performance.now() < untilMs; ) {
    const line = readFileSync(place.log, 'utf8')
      .split('\n')
      .find((found) => found.includes(text));
    if (line !== undefined) {
      const seen = (JSON.parse(line) as { files: number }).files;
      if (seen >= files) return;
      throw new Error(`it saw ${seen} of ${files} files`);
    }
    await delay(50);
  }
  throw new Error(`not said: ${text}\n${lastWords(place)}`);
}

function megabytes(peaks: Readonly<Record<string, number>>, name: string): string {
  const bytes = peaks[name];
  return bytes === undefined ? 'not seen' : (bytes / 1e6).toFixed(0);
}

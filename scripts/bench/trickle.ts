import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JournalTail, untilRecorded } from './journal-tail.ts';
import { machineConditions } from './machine.ts';
import { startServer } from './server-process.ts';
import { markdownTable } from './table.ts';
import { lastWords, prepareWatch, startWatching } from './watching-run.ts';

export interface TrickleOptions {
  readonly command: string;
  readonly files: number;
  /** From one write to the next. */
  readonly intervalMs: number;
  readonly settleMs: number;
}

const PATIENCE_MS = 30_000;

/** One file now and then: how long from its write until it is uploaded, `settle` taken off. */
export async function benchTrickle(options: TrickleOptions): Promise<string> {
  const { command, files, intervalMs, settleMs } = options;
  const conditions = machineConditions();
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-trickle-'));
  const folder = join(scratch, 'inbox');
  const server = await startServer();
  const place = prepareWatch({ scratch: join(scratch, 'run'), folder, server, settleMs, concurrency: 16 });
  const run = startWatching(command, place);
  const tail = new JournalTail(place.journal);
  try {
    // Start-up is no part of it.
    writeFileSync(join(folder, 'first.bin'), 'x');
    await untilRecorded(tail, 1, PATIENCE_MS);
    const writtenAtMs = new Map<string, number>();
    for (let index = 0; index < files; index += 1) {
      const name = `file-${index}.bin`;
      writtenAtMs.set(name, Date.now());
      writeFileSync(join(folder, name), `content ${index}`);
      await delay(intervalMs);
    }
    await untilRecorded(tail, files + 1, PATIENCE_MS);
    await run.stop();
    const late = [...writtenAtMs].map(
      ([name, atMs]) => (tail.latest.get(name)?.uploadedAtMs ?? Number.NaN) - atMs - settleMs,
    );
    const lost = late.filter(Number.isNaN).length;
    if (lost > 0) throw new Error(`${lost} files were not uploaded\n${lastWords(place)}`);
    late.sort((a, b) => a - b);
    const at = (share: number): string =>
      `${late[Math.min(late.length - 1, Math.floor(share * late.length))]}`;
    return [
      `${files} files, one every ${intervalMs} ms, settle ${settleMs} ms. From the write to the end of the upload, settle taken off, in ms (clock of 1 ms).`,
      `Conditions: ${conditions}.`,
      '',
      markdownTable(
        ['', 'measured', 'target'],
        [
          ['p50', at(0.5), '<= 30'],
          ['p99', at(0.99), '<= 150'],
          ['most', at(1), '< 1000'],
        ],
      ),
    ].join('\n');
  } finally {
    run.process.kill('SIGKILL');
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

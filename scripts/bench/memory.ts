import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FIELD, uploadHeaders } from './autoglm-api.ts';
import { makeLargeFile } from './file-set.ts';
import { machineConditions } from './machine.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { runSlipway } from './slipway-run.ts';
import { markdownTable, median, spread } from './table.ts';

export interface MemoryOptions {
  readonly command: string;
  /** Size of the one file. */
  readonly bytes: number;
  readonly rounds: number;
}

const exec = promisify(execFile);

/** One large file: what it costs in memory, and how fast it goes beside `curl -F` where there is a curl. */
export async function benchMemory(options: MemoryOptions): Promise<string> {
  const { bytes } = options;
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const folder = join(scratch, 'files');
  const conditions = machineConditions();
  const file = makeLargeFile(folder, bytes);
  const server = await startServer();
  try {
    const rates: number[] = [];
    const curlRates: number[] = [];
    const peaks: number[] = [];
    const megabytesPerSecond = async (run: () => Promise<unknown>): Promise<number> => {
      await server.reset();
      await run();
      return await rateOf(server);
    };
    for (let round = 0; round < options.rounds; round += 1) {
      if (await hasCurl()) curlRates.push(await megabytesPerSecond(() => curl(file, server.uploadUrl)));
      rates.push(
        await megabytesPerSecond(async () => {
          const task = { ...options, folder, files: 1, concurrency: 1, server, scratch };
          peaks.push(Math.max(...Object.values((await runSlipway(task)).peakRssBytes)) / 1e6);
        }),
      );
    }
    const ratio =
      curlRates.length === 0 ? 'no curl here' : `${(median(rates) / median(curlRates)).toFixed(2)}x`;
    return [
      `One file of ${bytes} bytes, ${options.rounds} rounds in turns; median (least-most); from the first byte of the request to the last of the body, as the server saw it.`,
      `Conditions: ${conditions}.`,
      '',
      markdownTable(
        ['', 'slipway', 'curl -F', 'slipway is', 'target'],
        [
          [
            'MB/s, sha256 included',
            spread(rates),
            curlRates.length === 0 ? '-' : spread(curlRates),
            ratio,
            '>= 0.7x',
          ],
          ['peak RSS of the process, MB', spread(peaks), '', '', '<= 200'],
        ],
      ),
    ].join('\n');
  } finally {
    await server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function rateOf(server: ServerProcess): Promise<number> {
  const { uploads, refused, problem, bodyBytes, firstAtMs, lastAtMs } = await server.stats();
  if (uploads !== 1 || refused > 0) throw new Error(`${uploads} uploads, ${refused} refusals (${problem})`);
  return bodyBytes / 1000 / (lastAtMs - firstAtMs);
}

async function hasCurl(): Promise<boolean> {
  return await exec('curl', ['--version']).then(
    () => true,
    () => false,
  );
}

async function curl(file: string, uploadUrl: string): Promise<void> {
  const headers = Object.entries(uploadHeaders()).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  await exec('curl', [
    '--silent',
    '--fail',
    '--noproxy',
    '*',
    ...headers,
    '-F',
    `${FIELD}=@${file}`,
    uploadUrl,
  ]);
}

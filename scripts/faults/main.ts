/**
 * Usage: npm run faults -- [--minutes 30] [--seed N] [--mode run|roles] [--files-per-second N] [--only TEXT]
 * Rounds of random faults against the built command until the time is over; every round has its own seed, printed
 * first, and `--seed` with it begins with that very round. `--only kill` keeps the strikes whose name has that text.
 */
import { parseArgs } from 'node:util';
import { setup as buildCli } from '../../test/support/built-cli.ts';
import type { Mode } from './fleet.ts';
import { runRound } from './round.ts';
import { STRIKES, type Strike } from './strikes.ts';
import { emptyTally, tallyText, withRound } from './tally.ts';

const MINUTE = 60_000;
/** Long enough for many faults to meet; short enough for a failing round to be run again. */
const ROUND_MS = 90_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: process.env.SEED ?? String(Date.now() % 1_000_000) },
    mode: { type: 'string' },
    'files-per-second': { type: 'string', default: '40' },
    only: { type: 'string', default: '' },
    'round-seconds': { type: 'string', default: String(ROUND_MS / 1000) },
    'pause-ms': { type: 'string', default: '2500' },
    concurrency: { type: 'string', default: '8' },
    'max-service-ms': { type: 'string', default: '120' },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const [first, ...rest] = STRIKES.filter(({ name }) => name.includes(values.only));
if (first === undefined) {
  say(`faults: no strike is named ${values.only}`);
  process.exitCode = 2;
} else {
  buildCli();
  await campaign([first, ...rest]);
}

async function campaign(strikes: readonly [Strike, ...Strike[]]): Promise<void> {
  const endMs = Date.now() + Number(values.minutes) * MINUTE;
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => interrupted.abort(new Error(`faults: ended by ${name}`)));
  let tally = emptyTally();
  for (let seed = Number(values.seed); Date.now() < endMs; seed += 1) {
    const mode: Mode = values.mode === 'run' || values.mode === 'roles' ? values.mode : modeOf(seed);
    say(`round with SEED=${seed} --mode ${mode}`);
    const result = await runRound({
      seed,
      mode,
      strikes,
      strikeMs: Number(values['round-seconds']) * 1000,
      pauseMs: Number(values['pause-ms']),
      filesPerSecond: Number(values['files-per-second']),
      concurrency: Number(values.concurrency),
      maxServiceMs: Number(values['max-service-ms']),
      say,
      signal: interrupted.signal,
    });
    tally = withRound(tally, result);
    for (const violation of result.violations) say(`VIOLATION (SEED=${seed} --mode ${mode}) ${violation}`);
    say(tallyText(tally));
    if (result.violations.length > 0) process.exitCode = 1;
  }
  // Faults that never made an upload be sent again have not tried what is promised about those.
  if (tally.rounds > 0 && tally.resent === 0) {
    say('VIOLATION no upload was sent again in any round: the faults proved nothing');
    process.exitCode = 1;
  }
}

function modeOf(seed: number): Mode {
  return seed % 2 === 0 ? 'run' : 'roles';
}

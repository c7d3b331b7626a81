/**
 * Random faults against real processes while files are dropped, edited and deleted; then everything must come right.
 * `SEED=n` replays another schedule; `npm run faults -- --minutes 30` is the long run.
 */
import { expect, test } from 'vitest';
import type { Mode } from '../../scripts/faults/fleet.ts';
import { runRound } from '../../scripts/faults/round.ts';
import { STRIKES, type Strike } from '../../scripts/faults/strikes.ts';

const SEED = Number(process.env.SEED ?? 20_261_122);
const STRIKE_MS = 20_000;
/** A slower server the second time, and slower still after that: a strike then finds uploads under way. */
const SLOWEST_MS = [40, 120, 360, 800];
const TIMEOUT_MS = 900_000;

const [first, ...rest] = STRIKES.filter(({ long }) => long !== true);

test.each<Mode>(['run', 'roles'])(
  'whatever strikes %s: each version is recorded once, as it was sent, and only what was open is sent again',
  async (mode) => {
    // A round in which nothing was sent again proves less: on a slow machine few strikes hit an upload.
    let resent = 0;
    for (const [round, maxServiceMs] of SLOWEST_MS.entries()) {
      if (resent > 0) break;
      const seed = SEED + round;
      const lines: string[] = [`SEED=${seed}, mode ${mode}`];
      console.info(lines[0]);
      const result = await runRound({
        seed,
        mode,
        strikes: [first, ...rest] as readonly [Strike, ...Strike[]],
        strikeMs: STRIKE_MS,
        pauseMs: 800,
        filesPerSecond: 30,
        concurrency: 8,
        maxServiceMs,
        say: (line) => void lines.push(line),
      });
      expect(result.violations, lines.join('\n')).toEqual([]);
      expect(result.receipts.uploaded).toBeGreaterThan(100);
      resent = result.resent;
    }
    expect(resent).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

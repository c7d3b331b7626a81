/** Every row of hostile-rows.ts through the queue: what was asked, what is recorded, how --once ends, what is said. */
import { describe, expect, test } from 'vitest';
import { onceExit } from '../../../src/cli/work/once-outcome.ts';
import type { Receipt } from '../../../src/domain/receipt.ts';
import { hostileDefinition, startHostileApi } from '../../support/hostile-api.ts';
import { EXIT_OF_FAULT, HOSTILE_ROWS, type HostileRow } from '../../support/hostile-rows.ts';
import { runRig } from '../../support/run-rig.ts';

const never = new AbortController().signal;
/** An answer that drips is cut off after this; nobody else is to be hurried, on whatever machine. */
const responseMs = ({ what }: Pick<HostileRow, 'what'>): number => (/drips/.test(what) ? 300 : 30_000);
const retry = { attempts: 2, baseDelay: 2, maxDelay: 4 };
const wordsOf = ({ error }: Receipt): string => error?.message ?? '';

describe('the queue', () => {
  test.for(HOSTILE_ROWS)('$what', { timeout: 60_000 }, async (row) => {
    const api = await startHostileApi('upload', row);
    const rig = await runRig({
      definition: hostileDefinition(api),
      atOnce: 2,
      retry,
      responseTimeoutMs: responseMs(row),
    });
    rig.files(2);
    const run = await rig.start();
    const ends = await run.once(1_000, never);
    const report = await run.report();
    expect(onceExit(ends, run, report)).toBe(EXIT_OF_FAULT[row.fault]);
    const receipts = rig.receipts();
    if (row.fault === 'nobody' || row.fault === 'file') {
      expect(receipts.map(({ status }) => status)).toEqual(
        Array(2).fill(row.fault === 'file' ? 'failed' : 'uploaded'),
      );
      expect(api.calls.upload).toBe(2);
    } else expect(receipts).toEqual([]);
    const said = [
      ...receipts.map(wordsOf),
      ...report.destinations.map(({ failure, lastTrouble }) => failure ?? lastTrouble ?? ''),
    ];
    expect(said.join('\n')).toMatch(row.fault === 'nobody' ? /^\s*$/ : row.says);
    // What is out is asked for a little, not hammered.
    expect(api.calls.upload).toBeLessThanOrEqual(12);
  });
});

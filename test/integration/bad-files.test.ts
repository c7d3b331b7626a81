/** Files that an API refuses among many that it takes. */
import { expect, test, vi } from 'vitest';
import { pacedDefinition, startPacedApi } from '../support/paced-api.ts';
import { runRig } from '../support/run-rig.ts';

const never = new AbortController().signal;
const GIVE_UP_MS = 60_000;

test.each([
  { bad: 20, all: 600, status: 402 },
  ...[401, 403, 404, 405, 410].map((status) => ({ bad: 5, all: 150, status })),
])(
  '$bad files among $all that get $status: the others are up, and those fail for themselves',
  async ({ bad, all, status }) => {
    const api = await startPacedApi(10);
    const isBad = (name: string): boolean => Number.parseInt(name, 10) % 30 === 17;
    api.answer = (name) => (isBad(name) ? { status } : undefined);
    const rig = await runRig({ definition: pacedDefinition(api), atOnce: 8 });
    rig.files(all);
    const run = await rig.start();
    await vi.waitFor(() => expect(api.accepted()).toHaveLength(all - bad), {
      timeout: 60_000,
      interval: 100,
    });
    expect(await run.once(GIVE_UP_MS, never)).toEqual(['drained']);
    const failed = rig
      .receipts()
      .filter((receipt) => receipt.status !== 'uploaded')
      .map(({ path }) => path);
    expect(failed.filter((path) => !isBad(path))).toEqual([]);
    expect(failed).toHaveLength(bad);
    expect((await run.report()).destinations[0]?.health).toBe('running');
  },
);

import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { startHttpServer } from '../../support/http-server.ts';
import { pacedDefinition } from '../../support/paced-api.ts';
import { runRig } from '../../support/run-rig.ts';

const GIVE_UP_MS = 30_000;

test('--once ends only when a file that changed while it waited for room in the queue is uploaded as it is now', async () => {
  const release = Promise.withResolvers<void>();
  const bodies: string[] = [];
  const server = await startHttpServer(async (visit) => {
    bodies.push((await visit.body()).toString('latin1'));
    // The second takes longer than it takes to see that nothing is left.
    await (bodies.length === 1 ? release.promise : delay(1_000));
    visit.json(200, { id: `file-${bodies.length}` });
  });
  const definition = pacedDefinition({ server } as Parameters<typeof pacedDefinition>[0]);
  // Without events only the look before it becomes a job can find it changed.
  const rig = await runRig({ definition, atOnce: 1, source: { polling: true, settle: 1_000 } });
  const run = await rig.start({ maxPending: 1 });
  // Not whole yet when the scan meets them: it has ended before they are queued.
  rig.file('0.txt', 'before');
  rig.file('1.txt', 'before');
  const once = run.once(GIVE_UP_MS, new AbortController().signal);
  await vi.waitFor(() => expect(bodies).toHaveLength(1), { timeout: GIVE_UP_MS, interval: 10 });
  const waits = bodies[0]?.includes('0.txt') ? '1.txt' : '0.txt';
  rig.file(waits, 'as it is now');
  // It has to be whole, and to have waited so long that it is looked at again.
  await delay(1_500);
  release.resolve();
  expect(await once).toEqual(['drained']);
  expect(rig.receipts()).toHaveLength(2);
  expect(bodies).toHaveLength(2);
  expect(bodies[1]).toContain('as it is now');
});

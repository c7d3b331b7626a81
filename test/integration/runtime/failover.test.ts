/** A primary dies under load and a replica of it, which may lack what was written last, takes its place. */
import { expect, test, vi } from 'vitest';
import type { RedisPlace } from '../../../src/redis/redis-place.ts';
import { complaintsIn } from '../../support/healthy-run.ts';
import { type FleetServer, startCluster, startSentinels } from '../../support/redis-fleet.ts';
import { type RunRig, runRig } from '../../support/run-rig.ts';
import { autoglm, GIVE_UP_MS, never } from '../../support/run-steps.ts';
import { sandboxForTest } from '../../support/sandbox.ts';

const FILES = 400;
const AT_ONCE = 8;
const PATIENCE = { timeout: 60_000, interval: 50 };

async function place(sources: readonly string[]) {
  const sandbox = await sandboxForTest({ capacity: { knee: AT_ONCE, serviceMs: 40 } });
  const rig = await runRig({ definition: autoglm(sandbox), atOnce: AT_ONCE, sources });
  for (const source of sources) rig.files(FILES / sources.length, source);
  return { sandbox, rig };
}

const recorded = (rig: RunRig, sources: readonly string[]) => sources.flatMap((name) => rig.receipts(name));

/** Every file has one receipt, and only what was in hand when something failed went twice. */
function expectAllOnce(rig: RunRig, sources: readonly string[]): void {
  const receipts = recorded(rig, sources);
  expect(receipts.filter(({ status }) => status !== 'uploaded')).toEqual([]);
  expect(new Set(receipts.map(({ source, path }) => `${source}/${path}`)).size).toBe(FILES);
  expect(receipts).toHaveLength(FILES);
}

async function runOver(
  redis: RedisPlace,
  sources: readonly string[],
  failures: readonly (() => Promise<void>)[],
): Promise<RunRig> {
  const { rig } = await place(sources);
  const run = await rig.start({ redis });
  const ended = run.once(GIVE_UP_MS, never);
  for (const fail of failures) {
    const due = recorded(rig, sources).length + FILES / 8;
    await vi.waitFor(() => expect(recorded(rig, sources).length).toBeGreaterThan(due), PATIENCE);
    await fail();
  }
  expect(await ended).toEqual(sources.map(() => 'drained'));
  expectAllOnce(rig, sources);
  return rig;
}

test('Sentinels: the primary is killed, then the next one hangs; nothing is lost or recorded twice', async () => {
  const fleet = await startSentinels();
  const servers = [fleet.primary, ...fleet.followers];
  const primary = async (): Promise<FleetServer> => {
    const port = await fleet.primaryPort();
    return servers.find((server) => server.port === port) as FleetServer;
  };
  const until = async (old: FleetServer): Promise<void> => {
    await vi.waitFor(async () => expect(await fleet.primaryPort()).not.toBe(old.port), PATIENCE);
  };
  const redis = { url: null, sentinels: fleet.addresses, name: 'mymaster', prefix: 'slipway' };
  let hanging: FleetServer | null = null;
  const failures = [
    async () => {
      const old = await primary();
      await old.kill();
      await until(old);
      await old.restart();
    },
    async () => {
      hanging = await primary();
      hanging.freeze();
      await until(hanging);
    },
  ];
  await runOver(redis, ['inbox'], failures).finally(() => hanging?.thaw());
});

test('a Cluster: sources lie on its nodes; each primary dies in turn, nothing is lost or recorded twice', async () => {
  const fleet = await startCluster();
  const sources = ['inbox', 'scans', 'letters', 'photos'];
  const redis = { url: null, cluster: fleet.addresses, prefix: 'slipway' };
  const failures = [0, 1, 2].map((index) => async () => {
    const node = fleet.nodes[index] as FleetServer;
    await node.kill();
    const replica = (fleet.nodes[index + 3] as FleetServer).admin();
    await vi.waitFor(
      async () => expect(await replica.info('replication')).toContain('role:master'),
      PATIENCE,
    );
    await node.restart();
  });
  const rig = await runOver(redis, sources, failures.slice(0, 2));
  const admin = (fleet.nodes[2] as FleetServer).admin();
  expect((await admin.keys('slipway:*')).every((key) => key.includes('{') || key === 'slipway:pauses')).toBe(
    true,
  );
  expect(
    complaintsIn(rig.log.lines).filter(({ message }) => !/Redis has lost jobs|connection lost/.test(message)),
  ).toEqual([]);
});

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Receipt } from '../../src/domain/receipt.ts';
import { type RunningCli, startCli } from '../support/cli.ts';
import { formOf } from '../support/gateway.ts';
import { startTestRedis } from '../support/redis-server.ts';
import { sandboxForTest } from '../support/sandbox.ts';

/** More of them, for hours when nobody waits: `SLIPWAY_KILLS=50 vitest run test/faults/gateway-kills.test.ts`. */
const KILLS = Number(process.env.SLIPWAY_KILLS ?? 5);
const CLIENTS = 6;

/** A fixed sequence of numbers from 0 to 1. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

async function started(config: string, folder: string): Promise<{ cli: RunningCli; url: string }> {
  const cli = startCli(['gateway', '--config', config], { cwd: folder, env: { PATH: process.env.PATH } });
  await cli.said('{"url":');
  return { cli, url: String((JSON.parse(cli.stdout().split('\n')[0] ?? '{}') as { url: string }).url) };
}

test('SIGKILLs under load: every 202 has exactly one receipt, and nothing else is left on disk', async () => {
  const sandbox = await sandboxForTest({ limits: { vectorxUploadsPerSecond: 10_000 } });
  const redis = await startTestRedis();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-gateway-kills-'));
  onTestFinished(async () => {
    await redis.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const config = join(folder, 'slipway.yaml');
  const destinations = { agent: { preset: 'vectorx', url: sandbox.vectorxUrl } };
  writeFileSync(
    config,
    JSON.stringify({
      ...{ dataDir: 'data', destinations, redis: { url: redis.socketPath }, log: { level: 'error' } },
      gateway: { port: 0 },
    }),
  );
  const random = dice(20_261_201);
  const accepted = new Set<string>();
  let door = await started(config, folder);
  let over = false;
  let sent = 0;

  async function client(number: number): Promise<void> {
    while (!over) {
      sent += 1;
      const large = sent % 10 === 0;
      const content = Buffer.alloc(large ? 1_500_000 : 200 + (sent % 50), `${number}-${sent};`);
      const mode = sent % 5 === 0 ? 'direct' : 'queue';
      try {
        const answer = await fetch(`${door.url}/v1/files?mode=${mode}`, {
          method: 'POST',
          body: formOf({ name: `${number}-${sent}.txt`, content }),
        });
        const body = (await answer.json()) as { id?: string };
        if (answer.status === 202) accepted.add(String(body.id));
      } catch {
        // The door was killed meanwhile; the next one is looked for.
        await pause(50);
      }
      await pause(20);
    }
  }

  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = accepted.size;
    await vi.waitFor(() => expect(accepted.size).toBeGreaterThan(before + 5), { timeout: 45_000 });
    await pause(random() * 150);
    door.cli.signal('SIGKILL');
    await door.cli.ended;
    door = await started(config, folder);
  }
  over = true;
  await Promise.all(clients);
  const data = join(folder, 'data');
  const receipts = (): Receipt[] =>
    readFileSync(join(data, 'gateway.manifest.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Receipt);
  await vi.waitFor(() => expect(readdirSync(join(data, 'gateway', 'accepted'))).toEqual([]), {
    timeout: 90_000,
  });
  const times = new Map<string, number>();
  for (const { path } of receipts()) {
    const id = path.split('/')[0] ?? '';
    times.set(id, (times.get(id) ?? 0) + 1);
  }
  expect([...accepted].filter((id) => times.get(id) !== 1)).toEqual([]);
  expect([...times.values()].filter((count) => count !== 1)).toEqual([]);
  door.cli.signal('SIGTERM');
  expect((await door.cli.ended).code).toBe(0);
  expect(readdirSync(join(data, 'gateway')).sort()).toEqual(['accepted', 'tus']);
  expect(readdirSync(join(data, 'gateway', 'tus'))).toEqual([]);
});

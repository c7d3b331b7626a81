import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import type { LiveReport } from '../../src/domain/live-report.ts';
import { serveMetrics } from '../../src/gateway/operators/serve-metrics.ts';

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

const REPORT = {
  sources: [
    {
      ...{ name: 'inbox', uploaded: 3, failed: 1, skipped: 2, pending: 4, trouble: null },
      oldestWaiting: new Date(Date.now() - 60_000).toISOString(),
      webhooks: [{ name: 'hook', oldestUnacknowledged: new Date(Date.now() - 5_000).toISOString() }],
    },
  ],
  destinations: [{ name: 'qwen', limit: 8, health: 'running', failure: null }],
} as unknown as LiveReport;

async function get(url: string) {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
}

test('health and metrics of a process without a door: before it runs, while it does, and when Redis is away', async () => {
  const server = await serveMetrics({ host: '127.0.0.1', port: 0 }, log);
  try {
    expect((await get(`${server.url}/healthz`)).text).toBe('{"status":"ok"}');
    expect((await get(`${server.url}/readyz`)).status).toBe(503);
    server.follow({ report: async () => REPORT, failure: () => null });
    server.receipts([
      { destination: 'qwen', status: 'uploaded', error: null, durationMs: 20 },
      { destination: 'qwen', status: 'failed', error: { kind: 'rejected' }, durationMs: null },
    ] as never);
    expect(JSON.parse((await get(`${server.url}/readyz`)).text)).toEqual({
      status: 'ok',
      checks: { redis: 'ok', disk: 'ok', destinations: { qwen: 'ok' }, sources: { inbox: 'ok' } },
    });
    const { text } = await get(`${server.url}/metrics`);
    for (const line of [
      'slipway_files{source="inbox",state="uploaded"} 3',
      'slipway_files{source="inbox",state="pending"} 4',
      'slipway_uploads_total{destination="qwen",outcome="uploaded"} 1',
      'slipway_uploads_total{destination="qwen",outcome="rejected"} 1',
      'slipway_upload_seconds_count{destination="qwen"} 1',
      'slipway_limit{destination="qwen"} 8',
      'slipway_circuit_open{destination="qwen"} 0',
    ])
      expect(text.split('\n')).toContain(line);
    expect(Number(/oldest_waiting_seconds\{source="inbox"\} (\S+)/.exec(text)?.[1])).toBeGreaterThanOrEqual(
      60,
    );
    expect(
      Number(/webhook_lag_seconds\{source="inbox",endpoint="hook"\} (\S+)/.exec(text)?.[1]),
    ).toBeGreaterThanOrEqual(5);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
    server.follow({ report: () => Promise.reject(new Error('away')), failure: () => null });
    expect((await get(`${server.url}/readyz`)).status).toBe(503);
    await vi.waitFor(async () => expect((await get(`${server.url}/metrics`)).status).toBe(200));
    expect((await get(`${server.url}/nothing`)).status).toBe(404);
    expect((await fetch(`${server.url}/metrics`, { method: 'POST' })).status).toBe(405);
  } finally {
    await server.close();
  }
});

test('a port in use ends it with the port in the message', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    await expect(serveMetrics({ host: '127.0.0.1', port }, log)).rejects.toThrow(String(port));
  } finally {
    taken.close();
  }
});

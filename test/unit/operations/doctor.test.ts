import { expect, test } from 'vitest';
import { resolveDestination } from '../../../src/destinations/definition/resolve-destination.ts';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { examineClock } from '../../../src/operations/doctor/doctor-clock.ts';
import { judgeTrial } from '../../../src/operations/doctor/doctor-folder.ts';
import { judgeInotify } from '../../../src/operations/doctor/doctor-inotify.ts';
import { examineToken } from '../../../src/operations/doctor/doctor-token.ts';

const { signal } = new AbortController();
const LIMITS = { watches: 65_536, instances: 128, queuedEvents: 16_384 };
const autoglm = resolveDestination('a', { preset: 'autoglm' });

test('enough watches are one line; too few, few instances and a short queue each name their sysctl', () => {
  expect(judgeInotify(LIMITS, 2_000)).toMatchObject([{ state: 'ok' }]);
  const messages = judgeInotify({ watches: 8_192, instances: 8, queuedEvents: 1_024 }, 10_000).map(
    ({ state, message }) => `${state} ${message}`,
  );
  expect(messages).toEqual([
    expect.stringMatching(/^warning 10000 folders .* sysctl fs\.inotify\.max_user_watches=65536 /),
    expect.stringContaining('sysctl fs.inotify.max_user_instances=128'),
    expect.stringContaining('sysctl fs.inotify.max_queued_events=16384'),
  ]);
});

test('a folder is told to be watched, scanned, deaf, or not to be tried', () => {
  const about = { check: 'events', subject: 'inbox' } as const;
  const plan = { root: '/in', rescan: 300_000 };
  const judge = (trial: Partial<Parameters<typeof judgeTrial>[2]>): string => {
    const canary = { kind: 'events', ms: 3.2 } as const;
    const found = judgeTrial(about, plan, { canary, network: null, scanEveryMs: null, folders: 1, ...trial });
    return `${found.state}: ${found.message}`;
  };
  expect(judge({})).toBe('ok: events arrive in 4 ms (/in)');
  expect(judge({ network: 'NFS', scanEveryMs: 2_000 })).toMatch(/^ok: this folder is scanned every 2s.*NFS/);
  expect(judge({ canary: { kind: 'none', reason: 'ENOSPC' } })).toMatch(
    /^warning: no events \(ENOSPC\): this folder is scanned every 5m only; set polling: true/,
  );
  expect(judge({ canary: { kind: 'unwritable', reason: 'EROFS' } })).toMatch(
    /^warning: \/in cannot be written \(EROFS\)/,
  );
});

function httpSaying(date: string | undefined): Parameters<typeof examineClock>[1] {
  return { send: async () => ({ status: 404, headers: { date }, body: '', early: false }) };
}

test('a clock is compared with the Date of an answer, and one that is wrong stops only what signs with it', async () => {
  const at = Date.parse('2026-11-25T12:00:00Z');
  const clock = async (offsetMs: number, definition = autoglm): Promise<string> => {
    const found = await examineClock(
      definition,
      httpSaying(new Date(at).toUTCString()),
      () => at + 400 + offsetMs,
    );
    return `${found.state}: ${found.message}`;
  };
  expect(await clock(0)).toMatch(/^ok: the clock agrees/);
  expect(await clock(600_000)).toMatch(/^problem: .* ahead of https:\/\/autoglm-api/);
  expect(await clock(-600_000)).toMatch(/^problem: .* behind /);
  const unsigned = resolveDestination('o', { preset: 'openai' });
  expect(await clock(600_000, unsigned)).toMatch(/^warning: /);
});

test('a destination that cannot be reached, or tells no time, is said to leave the clock unknown', async () => {
  const unreachable = {
    send: () =>
      Promise.reject(new SlipwayError('connection', { origin: 'https://x', reason: 'ECONNREFUSED' })),
  };
  for (const http of [unreachable, httpSaying(undefined)]) {
    expect(await examineClock(autoglm, http, Date.now)).toMatchObject({
      state: 'warning',
      message: expect.stringContaining('could not be compared'),
    });
  }
});

test('a token is read and never told; what is wrong with it names the fix', async () => {
  const definition = resolveDestination('q', { preset: 'openai' });
  const ports = {
    fetchText: () => Promise.reject(new Error('unused')),
    env: { OPENAI_API_KEY: 'sk-secret' },
  };
  const found = await examineToken(definition, ports, false, signal);
  expect(found).toMatchObject([{ state: 'ok' }]);
  expect(JSON.stringify(found)).not.toContain('sk-secret');
  expect(await examineToken(definition, { ...ports, env: {} }, false, signal)).toMatchObject([
    {
      state: 'problem',
      error: { code: 'token_missing' },
      message: expect.stringContaining('OPENAI_API_KEY'),
    },
  ]);
});

test('inside a container a loopback token service that does not answer is explained', async () => {
  const refused = () => Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
  const inside = await examineToken(autoglm, { fetchText: refused, env: {} }, true, signal);
  expect(inside.map(({ check, state }) => `${check} ${state}`)).toEqual([
    'token problem',
    'container warning',
  ]);
  expect(inside[1]?.message).toContain('host.docker.internal');
  const outside = await examineToken(autoglm, { fetchText: refused, env: {} }, false, signal);
  expect(outside.map(({ check }) => check)).toEqual(['token']);
  const reached = async () => ({ status: 200, body: 'Bearer abc' });
  const served = await examineToken(autoglm, { fetchText: reached, env: {} }, true, signal);
  expect(served.map(({ state }) => state)).toEqual(['ok', 'ok']);
});

/** `slipway doctor`: what a run depends on, tried before the run. */
import { expect, test } from 'vitest';
import { sandboxForTest } from '../support/sandbox.ts';
import { inboxConfig, newWorkplace, sandboxDestination, type Workplace } from '../support/workplace.ts';

interface Told {
  readonly ok: boolean;
  readonly findings: readonly { readonly check: string; readonly state: string; readonly message: string }[];
}

async function doctor(
  place: Workplace,
  args: readonly string[] = [],
): Promise<{ code: number | null; told: Told; stdout: string }> {
  const { code, stdout } = await place.read(['doctor', '--json', ...args]);
  return { code, stdout, told: JSON.parse(stdout) as Told };
}

test('all is well: every check says so, nothing is left behind, no token is printed', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox)));
  const { code, told, stdout } = await doctor(place);
  expect(code, stdout).toBe(0);
  expect(told.ok).toBe(true);
  const checks = new Set(told.findings.map(({ check }) => check));
  for (const check of ['redis', 'disk', 'token', 'clock', 'events', 'inotify'])
    expect(checks).toContain(check);
  expect(told.findings.find(({ check }) => check === 'events')?.message).toMatch(/^events arrive in \d+ ms/);
  expect(stdout).not.toMatch(/Bearer|eyJ/);
  expect(place.redisServers()).toEqual([]);
  const text = await place.run(['doctor']);
  expect([text.code, text.stderr]).toEqual([0, '']);
  expect(text.stdout).toMatch(/^ok +token demo: a token was read from http:\/\/127\.0\.0\.1:\d+$/m);
});

test('a missing folder ends with 2, a silent token service with 5, one that refuses with 7', async () => {
  const place = await newWorkplace();
  const sandbox = await sandboxForTest();
  await place.config(inboxConfig(sandboxDestination(sandbox), { source: { path: './nowhere' } }));
  expect(await doctor(place)).toMatchObject({ code: 2, told: { ok: false } });

  await place.config(
    inboxConfig(sandboxDestination(sandbox, { token: { url: 'http://127.0.0.1:9/get_token' } })),
  );
  const silent = await doctor(place);
  expect(silent.code).toBe(5);
  expect(silent.told.findings.filter(({ state }) => state === 'problem')).toMatchObject([
    { check: 'token', message: expect.stringContaining('start it or correct token.url') },
  ]);

  await place.config(
    inboxConfig(sandboxDestination(sandbox, { token: { url: `${sandbox.autoglmUrl}/none` } })),
  );
  expect((await doctor(place)).code).toBe(7);
});

test('a folder named on the command line is tried without any config file', async () => {
  const place = await newWorkplace();
  const { code, told } = await doctor(place, [place.path('inbox')]);
  expect(code).toBe(0);
  expect(told.findings.map(({ check }) => check)).toEqual(['redis', 'disk', 'disk', 'events', 'inotify']);
});

/** No container engine runs where these tests do: docker-compose.yml is read and checked, never started. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load-config.ts';
import { type ComposeFile, composeSchema, interpolated } from '../support/compose-file.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

function read(env: Readonly<Record<string, string>> = {}): ComposeFile {
  const { 'x-slipway': _shared, ...file } = parse(interpolated(text, env), { merge: true });
  return composeSchema.parse(stringified(file));
}

/** Compose takes booleans and numbers in `environment` for text. */
function stringified(file: { services: Record<string, { environment?: Record<string, unknown> }> }): unknown {
  for (const service of Object.values(file.services)) {
    for (const [key, value] of Object.entries(service.environment ?? {})) {
      Object.assign(service.environment ?? {}, { [key]: String(value) });
    }
  }
  return file;
}

const file = read();
const { redis, slipway, worker } = file.services;

test('it follows the Compose specification, without a variable set', () => {
  expect(Object.keys(file.services)).toEqual(['redis', 'slipway', 'worker']);
});

test('the check refuses what Compose would refuse', () => {
  const broken = [
    { ...file, service: {} },
    { ...file, services: { ...file.services, redis: { ...redis, restarts: 'always' } } },
    { ...file, services: { ...file.services, redis: { ...redis, image: 'redis' } } },
    { ...file, services: { ...file.services, redis: { ...redis, volumes: ['elsewhere:/data'] } } },
    { ...file, services: { slipway } },
    { ...file, services: { ...file.services, redis: { ...redis, healthcheck: { test: 'redis-cli ping' } } } },
  ];
  for (const one of broken) expect(composeSchema.safeParse(one).success, JSON.stringify(one)).toBe(false);
});

test('Redis keeps its data: append-only file, nothing evicted, a volume, and no port on the host', () => {
  const settings = redis?.command.join(' ') ?? '';
  expect(settings).toContain('--appendonly yes');
  expect(settings).toContain('--maxmemory-policy noeviction');
  expect(redis?.volumes).toEqual(['redis:/data']);
  expect(redis).not.toHaveProperty('ports');
  expect(redis?.image).not.toContain('latest');
});

test('Slipway waits for a healthy Redis', () => {
  expect(slipway?.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
});

function testOf(healthcheck: object | undefined): readonly string[] {
  return healthcheck !== undefined && 'test' in healthcheck ? (healthcheck.test as string[]) : [];
}

test('its health check asks whether anything runs, and says so by its exit code', () => {
  expect(testOf(slipway?.healthcheck)).toEqual(['CMD', 'node', '/app/bin/slipway.cjs', 'status', '--check']);
});

test('the first command of the header acknowledges what the destination is', () => {
  const command = text.split('\n').find((line) => line.includes('docker compose up'));
  expect(command).toContain('SLIPWAY_ACKNOWLEDGE_PUBLIC=true');
});

test('it runs as the user who owns the inbox', () => {
  expect(slipway?.user).toBe('1000:1000');
  expect(read({ SLIPWAY_UID: '501', SLIPWAY_GID: '20' }).services.slipway?.user).toBe('501:20');
  expect(slipway?.volumes).toEqual(expect.arrayContaining(['./inbox:/inbox', 'data:/data']));
});

test('extra workers come with the profile scale only, and see the same folder at the same path', () => {
  expect(slipway?.profiles).toBeUndefined();
  expect(worker?.profiles).toEqual(['scale']);
  expect(worker?.command).toEqual(['worker']);
  expect(worker?.volumes).toEqual(slipway?.volumes);
  expect(worker?.environment).toEqual(slipway?.environment);
});

test('a stop leaves more time than the drain takes, and an init hands the signal on', async () => {
  const { config } = await loadConfig({ file: join(root, 'config', 'docker.yaml'), env: {}, cwd: root });
  const graceMs = Number.parseInt(slipway?.stop_grace_period ?? '0', 10) * 1000;
  expect(graceMs).toBeGreaterThan(config.shutdown.drain);
  expect(slipway?.init).toBe(true);
});

test('files it mounts exist, and the mounted config is the one the image reads', () => {
  const mounted = (slipway?.volumes ?? [])
    .map((volume) => volume.split(':'))
    .filter(([from]) => from?.endsWith('.yaml'));
  expect(mounted).toHaveLength(1);
  for (const [from = '', to = ''] of mounted) {
    expect(existsSync(join(root, from)), from).toBe(true);
    expect(readFileSync(join(root, 'Dockerfile'), 'utf8')).toContain(`SLIPWAY_CONFIG=${to}`);
  }
});

test('the config it runs is valid as the container sees it, and every variable it reads is passed on', async () => {
  const env = slipway?.environment ?? {};
  const { config } = await loadConfig({ file: join(root, 'config', 'docker.yaml'), env, cwd: root });
  expect(config.redis.url).toBe('redis://redis:6379/0');
  const used = readFileSync(join(root, 'config', 'docker.yaml'), 'utf8').match(/SLIPWAY_\w+(?=:-)/g) ?? [];
  expect(Object.keys(env)).toEqual(expect.arrayContaining([...new Set(used)]));
});

test('nothing is published by accident: the acknowledgement is off until someone sets it', async () => {
  for (const [value, expected] of [
    [undefined, false],
    ['true', true],
  ] as const) {
    const env =
      read(value === undefined ? {} : { SLIPWAY_ACKNOWLEDGE_PUBLIC: value }).services.slipway?.environment ??
      {};
    const { config } = await loadConfig({ file: join(root, 'config', 'docker.yaml'), env, cwd: root });
    expect(config.destinations.autoglm).toMatchObject({ acknowledgePublic: expected });
  }
});

test('the token service on the host can be reached by name', () => {
  expect(slipway?.extra_hosts).toEqual(['host.docker.internal:host-gateway']);
  expect(slipway?.environment?.SLIPWAY_TOKEN_URL).toContain('host.docker.internal:18432');
});

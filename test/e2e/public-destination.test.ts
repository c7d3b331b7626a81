/** G9: nothing becomes readable by anyone before somebody has said that it may. */
import { expect, test } from 'vitest';
import { errorLine } from '../support/cli.ts';
import { startHttpServer } from '../support/http-server.ts';
import { inboxConfig, newWorkplace, type Workplace } from '../support/workplace.ts';

/** `.invalid` never resolves (RFC 2606): what would be sent there goes nowhere. */
const PUBLIC_URL = 'http://files.invalid/upload';

async function placeWithPublicDestination(
  more: object = {},
): Promise<{ place: Workplace; tokensRead: () => number }> {
  const place = await newWorkplace();
  const tokens = await startHttpServer(({ response }) => void response.end('some-token'));
  const destination = { preset: 'autoglm', url: PUBLIC_URL, token: { url: tokens.origin }, ...more };
  await place.config(
    inboxConfig(destination, { retry: { attempts: 2, baseDelay: '10ms', maxDelay: '20ms' } }),
  );
  await place.file('inbox/a.txt', 'twelve bytes');
  await place.file('inbox/sub/b.txt', 'eight by');
  await place.file('inbox/.hidden', 'does not count');
  return { place, tokensRead: tokens.visits };
}

const ONCE = ['run', '--once', '--give-up', '3s'];

test('run tells how many files and bytes would go, ends with 2 and sends nothing', async () => {
  const { place, tokensRead } = await placeWithPublicDestination();
  const refused = await place.run(ONCE);
  expect(refused.code).toBe(2);
  expect(errorLine(refused)).toMatch(
    /demo makes every file readable by anyone.*2 files, 20 B.*--yes.*acknowledgePublic/,
  );
  expect(tokensRead()).toBe(0);
  expect(place.redisServers()).toEqual([]);
  expect(await place.receipts()).toEqual([]);
});

test('--yes is said once: the next run goes on by itself', async () => {
  const { place, tokensRead } = await placeWithPublicDestination();
  const said = await place.run([...ONCE, '--yes']);
  // It got as far as the name that does not resolve.
  expect(said.code).toBe(5);
  expect(said.stderr).toContain('ENOTFOUND');
  const before = tokensRead();
  expect(before).toBeGreaterThan(0);

  expect((await place.run(ONCE)).code).toBe(5);
  expect(tokensRead()).toBeGreaterThan(before);
});

test('acknowledgePublic in the config is enough', async () => {
  const { place } = await placeWithPublicDestination({ acknowledgePublic: true });
  expect((await place.run(ONCE)).code).toBe(5);
});

test('upload asks the same, and --yes for one destination does not speak for another host', async () => {
  const { place, tokensRead } = await placeWithPublicDestination();
  const upload = (...args: string[]) =>
    place.run(['upload', 'inbox/a.txt', '--log-level', 'silent', ...args]);
  const refused = await upload();
  expect(refused.code).toBe(2);
  expect(errorLine(refused)).toMatch(/1 files?, 12 B/);
  expect(tokensRead()).toBe(0);

  expect((await upload('--yes')).code).toBe(5);
  expect((await upload()).code).toBe(5);

  const elsewhere = { preset: 'autoglm', url: 'http://other.invalid/upload', token: { value: 'x' } };
  await place.config(inboxConfig(elsewhere));
  expect((await upload()).code).toBe(2);
});

import { expect, test } from 'vitest';
import { createReleases } from '../../../src/platform/waiting/releases.ts';

test('what was opened last is closed first, also where one cannot be, or never ends', async () => {
  const releases = createReleases();
  const closed: string[] = [];
  releases.add(() => closed.push('lock'));
  releases.add(() => {
    throw new Error('already gone');
  });
  releases.add(() => new Promise(() => undefined));
  releases.add(async () => closed.push('queue'));
  await releases.all(1);
  expect(closed).toEqual(['queue', 'lock']);
});

test('a second caller waits for the first, and nothing is closed twice', async () => {
  const releases = createReleases();
  const closed: string[] = [];
  const held = Promise.withResolvers<void>();
  releases.add(() => closed.push('lock'));
  releases.add(() => held.promise);
  const both = [releases.all(60_000), releases.all(60_000)];
  held.resolve();
  await Promise.all(both);
  expect(closed).toEqual(['lock']);
});

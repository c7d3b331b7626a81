import { expect, test } from 'vitest';
import { SlipwayError } from '../../../src/domain/errors.ts';
import { createOwnerEvents } from '../../../src/runtime/owner/owner-events.ts';
import { watchHealth } from '../../../src/runtime/owner/owner-health.ts';

test('parts hear in the order of asking, and only what comes later', () => {
  const events = createOwnerEvents();
  const heard: string[] = [];
  events.tell('jobsLost', 1);
  events.on('jobsLost', (jobs) => heard.push(`first ${jobs}`));
  events.on('jobsLost', (jobs) => heard.push(`second ${jobs}`));
  events.tell('jobsLost', 2);
  events.tell('lost', new SlipwayError('source_lost', { source: 'inbox' }));
  expect(heard).toEqual(['first 2', 'second 2']);
});

test('a part that throws keeps no other from hearing, and whoever told knows of it', () => {
  const events = createOwnerEvents();
  const heard: number[] = [];
  events.on('jobsLost', () => {
    throw new Error('bad ear');
  });
  events.on('jobsLost', (jobs) => heard.push(jobs));
  expect(() => events.tell('jobsLost', 3)).toThrow('bad ear');
  expect(heard).toEqual([3]);
});

test('an owner is unwell while receipts cannot be kept, and for good once the source is lost', async () => {
  const events = createOwnerEvents();
  const health = watchHealth(events);
  const full = new SlipwayError('disk_full', { path: '/data', reason: 'ENOSPC' });
  events.tell('recording', { kind: 'paused', error: full, sinceMs: 0 });
  expect(health.failure()).toBe(full);
  events.tell('recording', { kind: 'recording' });
  expect(health.failure()).toBeNull();

  const waiting = health.unlessLost(new Promise(() => undefined));
  const lost = new SlipwayError('source_lost', { source: 'inbox' });
  events.tell('lost', lost);
  await expect(waiting).rejects.toBe(lost);
  await health.dead;
  events.tell('recording', { kind: 'stopped' });
  expect(health.failure()).toBe(lost);
});

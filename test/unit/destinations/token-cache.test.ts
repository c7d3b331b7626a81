import { describe, expect, test, vi } from 'vitest';
import { type CachedToken, createCachedToken } from '../../../src/destinations/token/cached-token.ts';
import { silentLog } from '../../../src/domain/log.ts';
import { jwtUntil, type ScriptedSource, scriptedSource } from '../../support/token-sources.ts';

const START = Date.parse('2026-11-22T00:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const never = new AbortController().signal;

function rig(source: ScriptedSource = scriptedSource()): {
  token: CachedToken;
  source: ScriptedSource;
  time: { ms: number };
} {
  const time = { ms: START };
  const token = createCachedToken({
    source,
    destination: 'test',
    log: silentLog,
    now: () => time.ms,
    random: () => 0.5,
  });
  return { token, source, time };
}

async function holding(value: string, source?: ScriptedSource) {
  const all = rig(source);
  const first = all.token.current(never);
  all.source.give(value);
  await first;
  return all;
}

test('a hundred uploads that need a token at once cause one reading', async () => {
  const { token, source } = rig();
  const waiting = Array.from({ length: 100 }, () => token.current(never));
  expect(source.begun).toBe(1);
  source.give('t1');
  const issued = await Promise.all(waiting);
  expect(new Set(issued.map(({ value, generation }) => `${value}/${generation}`))).toEqual(new Set(['t1/1']));
  expect(source.begun).toBe(1);
});

test('one caller that gives up leaves the reading to the others', async () => {
  const { token, source } = rig();
  const giveUp = new AbortController();
  const gone = token.current(giveUp.signal);
  const stays = token.current(never);
  giveUp.abort(new Error('enough'));
  await expect(gone).rejects.toThrow('enough');
  source.give('t1');
  await expect(stays).resolves.toMatchObject({ value: 't1' });
});

test('a JWT is read again ahead of its end while the old one still serves', async () => {
  const old = jwtUntil(START + 24 * HOUR);
  const { token, source, time } = await holding(old);
  time.ms = START + 23 * HOUR;
  await token.current(never);
  expect(source.begun).toBe(1);

  time.ms = START + 24 * HOUR - 5 * MINUTE;
  await expect(token.current(never)).resolves.toMatchObject({ value: old, generation: 1 });
  await expect(token.current(never)).resolves.toMatchObject({ value: old });
  expect(source.begun).toBe(2);

  const fresh = jwtUntil(START + 48 * HOUR);
  source.give(fresh);
  await vi.waitFor(async () => expect((await token.current(never)).value).toBe(fresh));
  expect((await token.current(never)).generation).toBe(2);
  expect(source.begun).toBe(2);
});

test('when the reading ahead fails the old token serves on, and the source is left alone for a while', async () => {
  const old = jwtUntil(START + 24 * HOUR);
  const { token, source, time } = await holding(old);
  time.ms = START + 24 * HOUR - 5 * MINUTE;
  await token.current(never);
  source.give(new Error('down'));
  await vi.waitFor(() => expect(token.problem()).toBe('down'));
  for (let i = 0; i < 50; i += 1) await expect(token.current(never)).resolves.toMatchObject({ value: old });
  expect(source.begun).toBe(2);
  time.ms += 11_000;
  await token.current(never);
  expect(source.begun).toBe(3);
});

test('a JWT that has ended does not serve any more', async () => {
  const { token, source, time } = await holding(jwtUntil(START + HOUR));
  time.ms = START + HOUR;
  const next = token.current(never);
  expect(source.underWay).toBe(1);
  source.give(new Error('down'));
  await expect(next).rejects.toThrow('down');
});

test('a token that does not say when it ends is read again after five minutes, and serves while that fails', async () => {
  const { token, source, time } = await holding('opaque');
  time.ms = START + 3 * MINUTE;
  await token.current(never);
  expect(source.begun).toBe(1);
  time.ms = START + 5 * MINUTE;
  await expect(token.current(never)).resolves.toMatchObject({ value: 'opaque' });
  expect(source.begun).toBe(2);
  source.give(new Error('down'));
  await vi.waitFor(() => expect(token.problem()).toBe('down'));
  await expect(token.current(never)).resolves.toMatchObject({ value: 'opaque' });
});

test('the same token read again ahead of time keeps its generation', async () => {
  const { token, source, time } = await holding('opaque');
  time.ms = START + 5 * MINUTE;
  await token.current(never);
  source.give('opaque');
  await vi.waitFor(() => expect(source.underWay).toBe(0));
  time.ms += MINUTE;
  await expect(token.current(never)).resolves.toEqual(
    expect.objectContaining({ value: 'opaque', generation: 1 }),
  );
});

test('a JWT that our clock takes for ended is used all the same when it has just been read', async () => {
  const { token, source } = await holding(jwtUntil(START - HOUR));
  await token.current(never);
  await token.current(never);
  expect(source.begun).toBe(1);
});

test('a refused token is read again once, whoever reports it', async () => {
  const { token, source } = await holding('t1');
  token.refused(1);
  token.refused(1);
  const waiting = [token.current(never), token.current(never)];
  expect(source.underWay).toBe(1);
  source.give('t2');
  expect((await Promise.all(waiting)).map(({ generation }) => generation)).toEqual([2, 2]);
  expect(source.begun).toBe(2);
});

test('a late refusal of an older token leaves the newer one alone', async () => {
  const { token, source } = await holding('t1');
  token.refused(1);
  const second = token.current(never);
  source.give('t2');
  await second;
  token.refused(1);
  await expect(token.current(never)).resolves.toMatchObject({ value: 't2', generation: 2 });
  expect(source.begun).toBe(2);
});

test('a reading that began before the refusal and brings the refused token is done again', async () => {
  const { token, source, time } = await holding('t1');
  time.ms = START + 5 * MINUTE;
  await token.current(never);
  expect(source.underWay).toBe(1);
  token.refused(1);
  const waiting = token.current(never);
  source.give('t1');
  await vi.waitFor(() => expect(source.begun).toBe(3));
  expect(source.underWay).toBe(1);
  source.give('t2');
  await expect(waiting).resolves.toMatchObject({ value: 't2', generation: 2 });
});

test('the same token read freshly after a refusal is a new generation', async () => {
  const { token, source } = await holding('t1');
  token.refused(1);
  const waiting = token.current(never);
  source.give('t1');
  await expect(waiting).resolves.toMatchObject({ value: 't1', generation: 2 });
});

test('a source that has just failed is not asked again by every waiting job', async () => {
  const { token, source, time } = rig();
  const first = token.current(never);
  source.give(new Error('down'));
  await expect(first).rejects.toThrow('down');
  for (let i = 0; i < 20; i += 1) await expect(token.current(never)).rejects.toThrow('down');
  expect(source.begun).toBe(1);
  expect(token.problem()).toBe('down');

  time.ms += 1000;
  const next = token.current(never);
  source.give('t1');
  await expect(next).resolves.toMatchObject({ value: 't1' });
  expect(token.problem()).toBeNull();
});

test('a source that only changes by hand is not read again as time passes', async () => {
  const { token, source, time } = await holding(jwtUntil(START + HOUR), scriptedSource(false));
  time.ms = START + 48 * HOUR;
  await token.current(never);
  expect(source.begun).toBe(1);
});

test('a source that has changed is read again', async () => {
  const { token, source, time } = await holding('t1', scriptedSource(false));
  source.setChanged(true);
  time.ms += 1001;
  await expect(token.current(never)).resolves.toMatchObject({ value: 't1' });
  await vi.waitFor(() => expect(source.underWay).toBe(1));
  source.give('t2');
  await vi.waitFor(async () => expect((await token.current(never)).value).toBe('t2'));
});

describe('whether a stopped destination may try again', () => {
  async function look(rig: Awaited<ReturnType<typeof holding>>, value: string): Promise<boolean> {
    const looking = rig.token.changed();
    rig.source.give(value);
    return await looking;
  }

  test('another token that the source keeps to is worth a try, and the next upload reads it', async () => {
    const held = await holding('t1', scriptedSource(false));
    expect(await look(held, 't1')).toBe(false);
    expect(await look(held, 't2')).toBe(false);
    expect(await look(held, 't2')).toBe(true);
    const next = held.token.current(never);
    held.source.give('t2');
    await expect(next).resolves.toMatchObject({ value: 't2' });
    expect(await look(held, 't2')).toBe(false);
  });

  test('a source that makes a new token for every reader says nothing by it', async () => {
    const held = await holding('t1', scriptedSource(false));
    for (const value of ['t2', 't3', 't4', 't5']) expect(await look(held, value)).toBe(false);
  });
});

test('closing gives up the reading under way', async () => {
  const { token, source } = rig();
  const waiting = token.current(never);
  token.close();
  await expect(waiting).rejects.toThrow('closed');
  expect(source.underWay).toBe(0);
  await expect(token.current(never)).rejects.toThrow('closed');
});

import { expect, test } from 'vitest';
import {
  decodePauses,
  encodePauses,
  NOTHING_PAUSED,
  newer,
  pauseOf,
  pauseOfBatch,
  pauseText,
  withoutPause,
  withPause,
} from '../../../src/domain/pause-list.ts';

const SINCE = '2026-11-22T01:02:03.000Z';
const inbox = { kind: 'source', name: 'inbox' } as const;
const qwen = { kind: 'destination', name: 'qwen' } as const;
const batch = { kind: 'batch', name: 'b1' } as const;
const everything = { kind: 'everything', name: '' } as const;

test('what is paused holds its own and nothing else', () => {
  const list = withPause(withPause(withPause(NOTHING_PAUSED, inbox, SINCE), qwen, SINCE), batch, SINCE);
  expect(pauseOf(list, { source: 'inbox', destination: 'x' })?.kind).toBe('source');
  expect(pauseOf(list, { source: 'scans', destination: 'qwen' })?.kind).toBe('destination');
  expect(pauseOf(list, { source: 'scans', destination: 'x' })).toBeNull();
  expect(pauseOfBatch(list, 'b1')?.kind).toBe('batch');
  expect(pauseOfBatch(list, 'b2')).toBeNull();
  expect(pauseOfBatch(list, null)).toBeNull();
});

test('everything holds every source and destination, and its end ends every pause', () => {
  const list = withPause(withPause(NOTHING_PAUSED, inbox, SINCE), everything, SINCE);
  expect(pauseOf(list, { source: 'scans', destination: 'x' })?.kind).toBe('everything');
  expect(withoutPause(list, everything).paused).toEqual([]);
  expect(withoutPause(list, inbox).paused).toHaveLength(1);
});

test('a change is a new revision, and what changes nothing is none', () => {
  const once = withPause(NOTHING_PAUSED, inbox, SINCE);
  expect(once.revision).toBe(1);
  expect(withPause(once, inbox, 'later')).toBe(once);
  expect(withoutPause(once, qwen)).toBe(once);
  expect(withoutPause(once, inbox).revision).toBe(2);
});

test('of two lists the newer one holds, the shared one where they are of an age', () => {
  const kept = withPause(NOTHING_PAUSED, inbox, SINCE);
  const shared = withPause(NOTHING_PAUSED, qwen, SINCE);
  expect(newer(kept, null)).toBe(kept);
  expect(newer(null, shared)).toBe(shared);
  expect(newer(kept, shared)).toBe(shared);
  expect(newer(withPause(kept, qwen, SINCE), shared).revision).toBe(2);
  expect(newer(null, null)).toBe(NOTHING_PAUSED);
});

test('a list survives its way to disk; what is no list is nothing', () => {
  const list = withPause(NOTHING_PAUSED, inbox, SINCE);
  expect(decodePauses(encodePauses(list))).toEqual(list);
  for (const text of [null, '', '{', '{"v":2,"revision":1,"paused":[]}', '[]'])
    expect(decodePauses(text)).toBeNull();
});

test('the text names the command that ends it', () => {
  const text = (target: typeof inbox | typeof qwen | typeof batch | typeof everything) =>
    pauseText({ ...target, since: SINCE });
  expect(text(inbox)).toBe(`source inbox is paused since ${SINCE}: slipway resume --source inbox`);
  expect(text(qwen)).toBe(`destination qwen is paused since ${SINCE}: slipway resume qwen`);
  expect(text(batch)).toBe(`batch b1 is paused since ${SINCE}: slipway resume --batch b1`);
  expect(text(everything)).toBe(`everything is paused since ${SINCE}: slipway resume`);
});

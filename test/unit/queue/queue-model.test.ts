import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RULES, type Rule, rulesWith } from '../../../scripts/queue-model/rules.ts';
import { runSchedule, shrink } from '../../../scripts/queue-model/schedule.ts';

/** 200,000 of them run in `npm run bench -- model`. */
const SCHEDULES = 5_000;
const FIRST_SEED = 1_000_003;

test('carriers: nothing is lost, recorded twice or sent again without a fault, in any of 5,000 random schedules', () => {
  const rules = rulesWith();
  const found: { seed: number; violation: string | null }[] = [];
  let faults = 0;
  let uploads = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
    const { world, violation } = runSchedule(seed, rules);
    faults += world.faults.length;
    uploads += world.uploads.length;
    if (violation !== null) found.push({ seed, violation });
  }
  expect(found).toEqual([]);
  // It was a model of something.
  expect(faults).toBeGreaterThan(SCHEDULES);
  expect(uploads).toBeGreaterThan(4 * SCHEDULES);
});

/** Each of them is missed within a few schedules: the model sees what it is for. */
test.each<[Rule, RegExp]>([
  ['skipHand', /^4/],
  ['lookHand', /^[456]/],
  ['mutex', /^[4567]/],
  ['dropLate', /^2/],
  ['kernel', /^2/],
  ['openPoll', /^1/],
  ['otherDest', /^1/],
])('without the rule %s a schedule fails', (rule, violation) => {
  const rules = rulesWith({ without: [rule] });
  let seed = FIRST_SEED;
  let ending = runSchedule(seed, rules);
  while (ending.violation === null && seed < FIRST_SEED + 500) ending = runSchedule(++seed, rules);
  expect(ending.violation).toMatch(violation);
});

test('a schedule that fails is cut shorter, and fails all the same', () => {
  const rules = rulesWith({ without: ['kernel'] });
  let seed = FIRST_SEED;
  let ending = runSchedule(seed, rules);
  while (ending.violation === null) ending = runSchedule(++seed, rules);
  const shorter = shrink(seed, rules, ending);
  expect(shorter.length).toBeLessThan(ending.plan.length);
  expect(runSchedule(seed, rules, {}, shorter).violation).toMatch(/^2/);
});

/** Kept in another way: keys in no list are found by the next comparison that misses them; other destinations end as `changed`. */
const IN_ANOTHER_WAY: readonly string[] = ['orphanScan', 'otherDest'];

test('every rule of the model is named where the code keeps it', () => {
  const src = join(import.meta.dirname, '../../../src');
  const text = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(src, name), 'utf8'))
    .join('\n');
  const named = new Set(
    [...text.matchAll(/\brules? ([a-zA-Z]+(?:, [a-zA-Z]+)*)/gi)].flatMap(([, names = '']) =>
      names.split(', '),
    ),
  );
  const needed = Object.entries(RULES)
    .filter(([name, what]) => !what.startsWith('?') && !IN_ANOTHER_WAY.includes(name))
    .map(([name]) => name);
  expect(needed.filter((name) => !named.has(name))).toEqual([]);
});

import { isRule, type Rule, rulesWith } from '../queue-model/rules.ts';
import { runSchedule, shrink } from '../queue-model/schedule.ts';
import type { WorldOptions } from '../queue-model/world.ts';
import { markdownTable } from './table.ts';

interface ModelBench {
  readonly schedules: number;
  readonly seed: number;
  /** Rules to be taken away. */
  readonly without: readonly string[];
  /** Rules to be added. */
  readonly plus: readonly string[];
  /** Only faults whose names begin so; none: all. */
  readonly only: readonly string[];
}

/** After so many the rest would show the same. */
const ENOUGH_VIOLATIONS = 5;

/**
 * Random schedules of the queue's model. @returns what they did, and the shortest schedule found of each violation
 * @throws Error for a rule that does not exist; and when a schedule fails with all rules in place
 */
export async function benchQueueModel(options: ModelBench): Promise<string> {
  const without = options.without.map(asRule);
  const rules = rulesWith({ without, plus: options.plus.map(asRule) });
  const world: WorldOptions = options.only.length === 0 ? {} : { only: options.only };
  const sums = { steps: 0, faults: 0, uploads: 0, 'found again': 0 };
  const failures: string[] = [];
  let run = 0;
  for (; run < options.schedules && failures.length < ENOUGH_VIOLATIONS; run += 1) {
    const seed = options.seed * 1_000_003 + run;
    const ending = runSchedule(seed, rules, world);
    sums.steps += ending.world.t;
    sums.faults += ending.world.faults.length;
    sums.uploads += ending.world.uploads.length;
    sums['found again'] += ending.world.lost;
    if (ending.violation === null) continue;
    const plan = shrink(seed, rules, ending, world);
    const again = runSchedule(seed, rules, world, plan);
    failures.push([`seed ${seed}: ${again.violation}`, ...again.world.log].join('\n'));
  }
  const rows = Object.entries({ schedules: run, ...sums, violations: failures.length });
  const report = [
    markdownTable(
      ['model of the queue', 'count'],
      rows.map(([name, count]) => [name, String(count)]),
    ),
    ...failures,
  ];
  if (failures.length > 0 && without.length === 0) throw new Error(report.join('\n\n'));
  return report.join('\n\n');
}

function asRule(name: string): Rule {
  if (!isRule(name)) throw new Error(`no rule is called ${name}: scripts/queue-model/rules.ts has them`);
  return name;
}

import { stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Role } from './live-report.ts';
import type { SourcePlan } from './source-plan.ts';

/**
 * The sources whose folders this process can see. An owner needs all of its own; a worker serves what it sees and says
 * what it does not.
 * @throws SlipwayError `source_missing`, `source_not_folder`
 */
export async function visiblePlans(
  plans: readonly SourcePlan[],
  roles: readonly Role[],
  log: Log,
): Promise<readonly SourcePlan[]> {
  if (roles.includes('intake')) {
    await Promise.all(plans.map(assertFolder));
    return plans;
  }
  const visible: SourcePlan[] = [];
  for (const plan of plans) {
    const seen = await assertFolder(plan).then(
      () => true,
      (error: unknown) => {
        log.warn({ source: plan.name }, `this worker does not serve source ${plan.name}: ${reasonOf(error)}`);
        return false;
      },
    );
    if (seen) visible.push(plan);
  }
  const [first] = plans;
  if (visible.length === 0 && first !== undefined) await assertFolder(first);
  return visible;
}

async function assertFolder({ name, root }: SourcePlan): Promise<void> {
  const stats = await stat(root).catch(() => null);
  if (stats === null) throw new SlipwayError('source_missing', { source: name, path: root });
  if (!stats.isDirectory()) throw new SlipwayError('source_not_folder', { source: name, path: root });
}

import { stat } from 'node:fs/promises';
import { reasonOf, SlipwayError } from '../../domain/errors.ts';
import type { Role } from '../../domain/live-report.ts';
import type { Log } from '../../domain/log.ts';
import { rootProblem } from '../plans/root-problem.ts';
import type { SourcePlan } from '../plans/source-plan.ts';

export interface PlansBySight {
  readonly visible: readonly SourcePlan[];
  /** Their queues are not opened before their folders are there. */
  readonly unseen: readonly SourcePlan[];
}

/**
 * The sources whose folders this process can see. An owner needs all of its own; a worker serves what it sees and says
 * what it does not.
 * @param tell how it is said
 * @throws SlipwayError `source_missing`, `source_not_folder`, `source_forbidden`: of an owner
 */
export async function plansBySight(
  plans: readonly SourcePlan[],
  roles: readonly Role[],
  tell: Log['warn'],
): Promise<PlansBySight> {
  if (roles.includes('intake')) {
    for (const { name, root } of plans) {
      const problem = await rootProblem(name, root);
      if (problem !== null) throw problem;
    }
    return { visible: plans, unseen: [] };
  }
  const visible: SourcePlan[] = [];
  const unseen: SourcePlan[] = [];
  for (const plan of plans) {
    const seen = await assertFolder(plan).then(
      () => true,
      (error: unknown) => {
        const source = plan.name;
        tell({ source }, `this worker does not serve source ${source} yet: ${reasonOf(error)}`);
        return false;
      },
    );
    (seen ? visible : unseen).push(plan);
  }
  return { visible, unseen };
}

/** @throws SlipwayError `source_missing`, `source_not_folder` */
export async function assertFolder({ name, root }: Pick<SourcePlan, 'name' | 'root'>): Promise<void> {
  const stats = await stat(root).catch(() => null);
  if (stats === null) throw new SlipwayError('source_missing', { source: name, path: root });
  if (!stats.isDirectory()) throw new SlipwayError('source_not_folder', { source: name, path: root });
}

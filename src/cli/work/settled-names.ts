import { resolve } from 'node:path';
import type { Role } from '../../domain/live-report.ts';
import { settleSourceNames, warnOfGoneSources } from '../../operations/control/renamed-sources.ts';
import { realRootOf } from '../../platform/files/real-root.ts';
import { titleOf } from '../../runtime/plans/source-plan.ts';
import type { Session } from '../session.ts';
import { confirmRenamed } from './confirm-renamed.ts';

/**
 * Sources that were renamed go on under their old names, and nothing is sent of one that may have been before somebody
 * has said so. A worker sends what an owner has settled: it only keeps what its config says.
 * @param named what the command line names; neither: every source of the config file
 * @throws SlipwayError `source_renamed`, `source_has_records`, `data_dir…`
 */
export async function withSettledNames(
  session: Session,
  roles: readonly Role[],
  named: { readonly paths: readonly string[]; readonly source?: string | undefined },
): Promise<Session> {
  const { log } = session;
  const owns = roles.includes('intake');
  const isAll = named.paths.length === 0 && named.source === undefined;
  const roots = named.paths.map((path) => realRootOf(resolve(path)));
  const settled = await settleSourceNames(session, {
    concerns: (plan) => isAll || titleOf(plan) === named.source || roots.includes(realRootOf(plan.root)),
    looks: owns,
    ask: confirmRenamed,
    log,
  });
  if (isAll && owns) await warnOfGoneSources(settled, log);
  return { ...settled, log };
}

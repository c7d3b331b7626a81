import type { Outcome } from '../../domain/receipt.ts';
import type { AdmissionPorts } from '../ports.ts';

/** What needs no job goes into no table on its way: it carries what is attached to its file at once. */
export async function attachTo(
  outcomes: readonly Outcome[],
  attached: AdmissionPorts['attached'],
): Promise<readonly Outcome[]> {
  if (outcomes.length === 0 || attached === undefined) return outcomes;
  const metas = await attached(outcomes);
  return outcomes.map((outcome, index) => {
    const meta = metas[index] ?? null;
    return meta === null ? outcome : { ...outcome, meta };
  });
}

import { type LimitRefusal, refusedBy } from '../destinations/definition/limits.ts';
import type { DestinationLimits } from '../destinations/destination.ts';

/**
 * What the destination is known to refuse is not sent at all. Null: nothing speaks against it. Without documented
 * limits everything is sent, an empty file too.
 * @param size bytes
 */
export function preflight(
  file: { readonly path: string; readonly size: number },
  limits: DestinationLimits,
): LimitRefusal | null {
  return refusedBy(limits, file, 'this destination');
}

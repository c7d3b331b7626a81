import { randomUUID } from 'node:crypto';
import type { LearnedRate } from '../pacing/learned-rate.ts';
import type { SharedDestination } from './shared-destination.ts';

/**
 * Keeps what this process learns of a quota, and what the others do, the same: each change is told through the record of the
 * destination, and what stands there is taken over, also by a process that comes later.
 * @param nowMs a clock that only goes forward, as the learner is told
 */
export function shareLearnedRate(
  learned: LearnedRate,
  shared: Pick<SharedDestination, 'learned' | 'onView'>,
  nowMs: () => number,
): { tell(): void } {
  const by = randomUUID();
  let toldVersion = learned.version();
  let seen = '';

  shared.onView(({ learned: found }) => {
    const name = found === null ? '' : `${found.by} ${found.version}`;
    if (name === seen) return;
    seen = name;
    // Our own, or one that we have gone beyond since: what we know is on its way there.
    if (found?.by === by || learned.version() !== toldVersion) return;
    learned.adopt(found, nowMs());
    toldVersion = learned.version();
  });

  return {
    tell() {
      const version = learned.version();
      if (version === toldVersion) return;
      toldVersion = version;
      const estimate = learned.estimate(nowMs());
      shared.learned(estimate === null ? null : { ...estimate, by, version });
    },
  };
}

import type { RecordStep } from '../../src/record/record-batch.ts';

/** Every place between two steps of recording where an owner can be made to die. */
export const RECORD_STEPS: readonly [RecordStep, ...RecordStep[]] = [
  'taken',
  'journaled',
  'committed',
  'removed',
  'announced',
];

/** Kills this very process once it has passed `step` `passes` times before. */
export function dyingAt(step: string, passes: number): (reached: RecordStep) => void {
  let left = passes;
  return (reached) => {
    if (reached !== step) return;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    left -= 1;
  };
}

import { reasonOf } from '../../domain/errors.ts';
import type { UploadWorker } from '../../queue/upload-worker.ts';

/** What has to hold for a worker to take jobs. */
export type WorkCondition = 'running' | 'recording' | 'destination' | 'owner' | 'paused' | 'root';

export interface WorkConditions {
  set(condition: WorkCondition, holds: boolean): void;
}

/** Lets a worker take jobs only while every condition holds. */
export function workConditions(
  worker: Pick<UploadWorker, 'pause' | 'resume'>,
  onTrouble: (reason: string) => void,
): WorkConditions {
  const broken = new Set<WorkCondition>();
  let paused = false;
  return {
    set(condition, holds) {
      if (holds) broken.delete(condition);
      else broken.add(condition);
      if (paused === broken.size > 0) return;
      paused = broken.size > 0;
      const change = paused ? worker.pause() : worker.resume();
      change.catch((error: unknown) => onTrouble(reasonOf(error)));
    },
  };
}

import { reasonOf } from '../domain/errors.ts';
import { untilIdle } from '../platform/waiting/until-idle.ts';
import { within } from '../platform/waiting/within.ts';
import { activeOf, type RunningProcess } from './running-process.ts';

/** Left of the shutdown budget for recording and leaving once uploads have been cut short. */
const CLOSING_SHARE = 0.25;
export const MAX_CLOSING_MS = 5_000;
const never = new AbortController().signal;

/**
 * Ends a process within its budget, in phases: nothing new is found or taken → what is being sent is finished, or given
 * back → what has finished is recorded → everything is left.
 * @param cut ends the wait for uploads in flight
 * @param leave closes what is not a source
 * @returns whether every upload in flight could finish
 */
export async function stopRun(
  here: RunningProcess,
  budgetMs: number,
  cut: AbortSignal,
  leave: () => Promise<void>,
): Promise<boolean> {
  const { owners, workers, options } = here;
  const deadlineMs = performance.now() + budgetMs;
  const closingMs = Math.min(MAX_CLOSING_MS, budgetMs * CLOSING_SHARE);
  const quiesced = takeNothingNew(here);
  const poolStopped = here.pool?.stop(budgetMs - closingMs) ?? true;
  const idle = await finishUploads(here, budgetMs - closingMs, closingMs / 2, cut);
  const complete = (await poolStopped) && idle;
  await within(quiesced, closingMs / 2);
  const leftMs = Math.max(0, deadlineMs - performance.now());
  await Promise.all(workers.map((worker) => worker.close(leftMs * 0.4)));
  const logged = (message: string) => (error: unknown) => {
    options.log.error({ reason: reasonOf(error) }, message);
  };
  // First the workers: what they have finished is still to be recorded.
  await Promise.all(
    owners.map((owner) => owner.close(leftMs * 0.4).catch(logged('a source did not close in order'))),
  );
  await leave().catch(logged('not everything was left in order'));
  return complete;
}

function takeNothingNew({ rootWatches, workers, owners, traffics }: RunningProcess): Promise<unknown> {
  for (const watch of rootWatches) watch.close();
  for (const { gate } of workers) gate.hold('shutdown', true);
  const quiesced = Promise.all(owners.map((owner) => owner.quiesce()));
  for (const traffic of traffics.all()) {
    // Only what is being sent is finished; whoever waits for a permit, or for a ruling, goes back at once.
    traffic.permits.dismiss();
    traffic.refusals.close();
  }
  return quiesced;
}

/** @returns whether all could finish */
async function finishUploads(
  { workers, options }: RunningProcess,
  budgetMs: number,
  abortMs: number,
  cut: AbortSignal,
): Promise<boolean> {
  const active = (): number => activeOf(workers);
  if (await untilIdle(active, budgetMs, cut)) return true;
  options.log.warn({ uploads: active() }, 'uploads cut short; their jobs go back');
  for (const worker of workers) worker.abort();
  await untilIdle(active, abortMs, never);
  return false;
}

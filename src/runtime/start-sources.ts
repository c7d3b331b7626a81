import { SlipwayError } from '../domain/errors.ts';
import type { UploadHandler } from '../domain/upload-step.ts';
import { spoolFolder } from '../intake/archives/spool.ts';
import { networkFileSystemOf } from '../intake/watch/network-fs.ts';
import { systemClock } from '../platform/waiting/clock.ts';
import { createSmallReads } from '../upload/body/small-reads.ts';
import { uploadHandler } from '../upload/job/upload-handler.ts';
import { startSourceOwner } from './owner/source-owner.ts';
import type { SourcePlan } from './plans/source-plan.ts';
import type { HeldRoots } from './processes/worker-config.ts';
import { isQuiet, nowMs, type RunningProcess, uploadsHere } from './running-process.ts';
import type { OpenTraffic } from './worker/open-traffic.ts';
import { type RootWatch, rootCheckOf } from './worker/root-watch.ts';
import { ruledOutBy } from './worker/ruled-out.ts';
import { type SourceWorker, startSourceWorker } from './worker/source-worker.ts';

/** Its parent's `--once` gives up on what fails, not on what nobody tries. */
const LOOKS_OF_A_CHILD = 7;

/**
 * Puts the sources of a process to work, one after the other, in the roles that it has.
 * @throws SlipwayError `source_missing` and `source_not_folder` of an owner, `source_owned`
 */
export async function startSources(here: RunningProcess, plans: readonly SourcePlan[]): Promise<void> {
  const { options } = here;
  for (const plan of plans) {
    const isOwned = here.owners.some((owner) => owner.plan.name === plan.name);
    if (options.roles.includes('intake') && !isOwned) await startOwner(here, plan);
    if (uploadsHere(options)) await startWorker(here, plan);
  }
  const heldRoots = (): HeldRoots =>
    Object.fromEntries(here.owners.map(({ plan, rootHeld }) => [plan.name, rootHeld()]));
  here.pool = options.pool?.(heldRoots) ?? null;
}

async function startOwner(here: RunningProcess, plan: SourcePlan): Promise<void> {
  const { redis, identity, spool, workers, counted } = here;
  const { dataDir, maxPending, ownPaths, destinations, batches, failpoint, meta, log } = here.options;
  const { prefix } = here.options.redis;
  const ofPlan = (): SourceWorker[] => workers.filter((worker) => worker.plan.name === plan.name);
  const to = destinations.find(({ destination }) => destination.name === plan.destination);
  const owner = await (here.options.received?.startOwner ?? startSourceOwner)({
    ...{ plan, redis, prefix, dataDir, maxPending, ownPaths, owner: identity, log, now: nowMs },
    ...{ spool, failpoint, meta, onRecorded: counted.onRecorded },
    uploadsHere: uploadsHere(here.options),
    limits: to?.destination.limits ?? null,
    batch: batches?.find(({ source }) => source === plan.name),
    telling: here.options.telling ?? null,
    onRecording(recording) {
      for (const { gate } of ofPlan()) gate.hold('recording', !recording);
    },
    onLost() {
      for (const worker of ofPlan()) {
        worker.gate.hold('owner-lost', true);
        worker.abort();
      }
    },
  });
  here.owners.push(owner);
}

/** Serves the queue of one source; of a folder that appeared while this process ends, nothing. */
export async function startWorker(here: RunningProcess, plan: SourcePlan): Promise<void> {
  const { redis, pauses, identity, workers, options } = here;
  const { prefix } = options.redis;
  const { log } = options;
  const { traffic, max } = trafficOf(here, plan);
  const owner = here.owners.find((one) => one.plan.name === plan.name);
  const ofPlan = (): SourceWorker[] => workers.filter((worker) => worker.plan === plan);
  const rootCheck = await rootCheckOf(plan, owner, {
    ...{
      connection: redis.connection,
      prefix,
      host: identity.host,
      monotonicMs: systemClock.monotonicMs,
      log,
    },
    told: options.heldRoots?.[plan.name] ?? null,
    maxLooks: isQuiet(options) ? LOOKS_OF_A_CHILD : Number.POSITIVE_INFINITY,
    set(holds) {
      for (const { gate } of ofPlan()) gate.hold('root-gone', !holds);
    },
  });
  const handler = await handlerOf(here, plan, rootCheck, traffic);
  if (here.stopping) return rootCheck.close();
  here.rootWatches.push(rootCheck);
  const worker = startSourceWorker({
    ...{ plan, traffic, pauses, handler, redis, prefix, log, now: nowMs },
    onFinished: owner?.wake ?? (() => undefined),
    maxConcurrency: max,
    own: owner?.books ?? null,
    ownerElsewhere: owner === undefined,
  });
  workers.push(worker);
}

async function handlerOf(
  { pauses, options }: RunningProcess,
  plan: SourcePlan,
  rootCheck: RootWatch,
  traffic: OpenTraffic['traffic'],
): Promise<UploadHandler> {
  const { name, root } = plan;
  const { dataDir, http, retry, log, ownPaths, received } = options;
  const isLocal = (await networkFileSystemOf(root)) === null;
  return uploadHandler({
    ...{ root, rootCheck, traffic, pauses, retry, log },
    spool: spoolFolder(dataDir, name),
    send: http.send,
    smallReads: createSmallReads(isLocal, systemClock.monotonicMs),
    clock: systemClock,
    random: Math.random,
    ownUpload: received?.ownUpload,
    ruledOut: received === undefined ? await ruledOutBy(plan, ownPaths) : undefined,
  });
}

/** What looks after the destination of a source in this process. */
export function trafficOf({ traffics }: RunningProcess, { destination }: SourcePlan): OpenTraffic {
  const found = traffics.find(destination);
  if (found === undefined) throw new SlipwayError('internal', { reason: `no destination ${destination}` });
  return found;
}

import type { DestinationLimits } from '../../destinations/destination.ts';
import { rulesOf } from '../../intake/admit/decision.ts';
import { type BatchRunner, batchIntake, createBatchRunner } from '../../intake/batch/batch-runner.ts';
import type { Intake } from '../../intake/intake.ts';
import type { AdmissionPorts } from '../../intake/ports.ts';
import type { Instant } from '../../intake/scan/settle.ts';
import type { RootMemory } from '../../intake/watch/root-guard.ts';
import { startIntake } from '../../intake/watch/watcher.ts';
import { openFirstPass } from '../../ledger/tables/first-pass.ts';
import { openKeptRoot } from '../../ledger/tables/root-memory.ts';
import { isEmptyFolderOf } from '../../platform/files/folder-identity.ts';
import type { Releases } from '../../platform/waiting/releases.ts';
import { dropOrphans } from '../../record/batches/batch-orphans.ts';
import { hearRequests } from '../../redis/coordination/owner-requests.ts';
import { watchForOthers } from '../../redis/coordination/shared-source.ts';
import { admissionPorts } from './admission-ports.ts';
import { endFirstPass } from './first-pass-end.ts';
import type { KeepOptions, Kept } from './keep-records.ts';
import type { Owned } from './own-source.ts';
import type { OwnerEvents } from './owner-events.ts';
import { answerRequest, type OwnerRequest } from './owner-request.ts';

export interface FindOptions extends KeepOptions {
  /** What its destination takes; null: not known here. */
  readonly limits: DestinationLimits | null;
  readonly ownPaths: readonly string[];
  /** Whether this process uploads what it finds. */
  readonly uploadsHere: boolean;
}

/** Whatever finds the files of a source. */
export interface Found {
  readonly intake: Intake;
  readonly runner: BatchRunner;
  /** Which folder held the files. */
  readonly rootMemory: RootMemory;
}

interface Parts {
  readonly options: FindOptions;
  readonly owned: Owned;
  readonly kept: Kept;
  readonly ports: AdmissionPorts;
  readonly rootMemory: RootMemory;
}

/**
 * Third step of an owner: files are looked for, by a watcher or for one batch, and whoever asks the owner is answered.
 * @param signal ends the watcher
 */
export async function findFiles(
  options: FindOptions,
  { owned, kept }: Pick<Parts, 'owned' | 'kept'>,
  events: OwnerEvents,
  releases: Releases,
  signal: AbortSignal,
): Promise<Found> {
  const { plan, batch, log } = options;
  const { ledger } = owned.store;
  const { folders } = kept;
  const rootMemory = openKeptRoot(ledger, plan.root, log);
  const { uploadsHere, redis, prefix } = options;
  const others = await watchForOthers({ connection: redis.connection, prefix, source: plan.name, log });
  releases.add(() => others.close());
  const ports = admissionPorts(owned, kept, () => !uploadsHere || others.isShared());
  const parts: Parts = { options, owned, kept, rootMemory, ports };
  const runner = findBatches(parts);
  releases.add(() => runner.stop());
  events.on('recorded', ({ receipts }) => runner.recorded(receipts));
  if (batch !== undefined) runner.start(batch);
  const intake = batch === undefined ? await watch(parts, signal) : batchIntake(batch.batch, runner);
  releases.add(() => intake.stop());
  events.on('lostFreed', () => {
    intake.rescan();
    runner.rescan();
  });
  const touchFolders = (): void => folders?.folders().forEach(intake.touch);
  touchFolders();
  events.on('jobsLost', touchFolders);
  answerRequests(parts, { intake, runner }, releases);
  return { intake, runner, rootMemory };
}

function clockOf({ now }: FindOptions): () => Instant {
  return () => ({ wallMs: now(), monotonicMs: performance.now() });
}

function findBatches({ options, owned, kept, ports, rootMemory }: Parts): BatchRunner {
  const { plan, ownPaths, maxPending, limits, log } = options;
  const { store, pending, exclusive } = owned;
  const { batches, attachments, spool } = kept;
  return createBatchRunner({
    ...{ ...plan, source: plan.name, rootMemory, ownPaths, maxPending, ports, spool, log },
    now: clockOf(options),
    rules: rulesOf({ ...plan, limits }, () => null),
    attachmentsOf: attachments.ofBatch,
    records: {
      ...batches,
      dropOrphans: (batch) => dropOrphans({ ledger: store.ledger, batch, isPending: pending.has, exclusive }),
    },
  });
}

async function watch(
  { options, owned, kept, ports, rootMemory }: Parts,
  signal: AbortSignal,
): Promise<Intake> {
  const { plan, ownPaths, maxPending, limits, log, now } = options;
  // Only now: what the journal alone knew has been replayed.
  const firstPass = openFirstPass(owned.store.ledger, plan.existing, now());
  const watching = await startIntake(
    { ...plan, source: plan.name, ownPaths, maxPending, limits },
    {
      ...{ ...ports, folders: kept.folders ?? undefined, rootMemory, log, now: clockOf(options) },
      firstStartMs: firstPass.startedMs,
    },
    signal,
  );
  void endFirstPass(watching, firstPass, signal, log);
  return watching;
}

/** Others may ask the owner. */
function answerRequests(
  { options, owned, kept, rootMemory }: Parts,
  { intake, runner }: Pick<Found, 'intake' | 'runner'>,
  releases: Releases,
): void {
  const { plan, redis, prefix, dataDir, log } = options;
  const { store } = owned;
  const { connection } = redis;
  const source = plan.name;
  const requests = hearRequests({
    ...{ connection, prefix, source, log },
    handle: (request) =>
      answerRequest(request as OwnerRequest, {
        ...{ store, plan, log, dataDir, runs: runner, telling: kept.notifier, rescan: intake.rescan },
        rootEmptied: async () => await isEmptyFolderOf(plan.root, rootMemory.held() ?? ''),
      }),
  });
  releases.add(() => requests.close());
}

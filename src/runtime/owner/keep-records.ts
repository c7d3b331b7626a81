import { join } from 'node:path';
import type { BatchSource } from '../../domain/batch-source.ts';
import type { GivenMeta } from '../../domain/file-meta.ts';
import { openSpool, type Spool, spoolFolder } from '../../intake/archives/spool.ts';
import type { SpoolBudget } from '../../intake/archives/spool-budget.ts';
import type { AdmissionPorts } from '../../intake/ports.ts';
import { type IntentOf, intentsFor } from '../../ledger/intent.ts';
import { batchFolder } from '../../ledger/store/batch-spec.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import { type Notifier, type NotifierOptions, startNotifier } from '../../notify/notifier.ts';
import type { Releases } from '../../platform/waiting/releases.ts';
import { dropLeftDeliveryQueues } from '../../queue/left-delivery-queues.ts';
import { type AfterActionRunner, startAfterActions } from '../../record/after/after-actions.ts';
import { type BatchBook, openBatchBook } from '../../record/batches/batch-book.ts';
import {
  closeFolderBatches,
  type FolderBatches,
  openFolderBatches,
} from '../../record/batches/folder-batches.ts';
import { createSnapshot, type ManifestSnapshot } from '../../record/manifest/manifest-snapshot.ts';
import { type Recorder, type RecorderOptions, startRecorder } from '../../record/recorder.ts';
import { hearFinished } from '../../redis/coordination/finished-signal.ts';
import { type Attachments, openAttachments } from './attachments.ts';
import { openIntakeMemory } from './intake-memory.ts';
import type { Owned, OwnOptions } from './own-source.ts';
import type { OwnerEvents } from './owner-events.ts';

/** Who is told what is recorded, and how they are reached. */
export interface NotifyOptions extends Pick<NotifierOptions, 'senders' | 'timing' | 'failpoint'> {
  endpointsOf(source: string): Endpoint[];
}

export interface KeepOptions extends OwnOptions {
  /** What the command line attaches to every file. */
  readonly meta?: GivenMeta | undefined;
  /** What may lie unpacked out of archives, shared by the sources of this process. */
  readonly spool: SpoolBudget;
  /** To be found and sent instead of watching the folder. */
  readonly batch: BatchSource | undefined;
  /** null: nobody is told. */
  readonly telling: NotifyOptions | null;
  /** For the fault harness only: nothing in the product sets it. */
  readonly failpoint: RecorderOptions['failpoint'];
}

/** Everything that follows what is recorded of a source. */
export interface Kept {
  readonly recorder: Recorder;
  readonly batches: BatchBook;
  /** null: folders are no batches, or nobody watches. */
  readonly folders: FolderBatches | null;
  readonly attachments: Attachments;
  /** What intake asks of the records. */
  readonly memory: Pick<
    AdmissionPorts,
    'recorded' | 'uploads' | 'contents' | 'entryMarks' | 'markDisk' | 'sendAgain'
  >;
  readonly spool: Spool;
  readonly snapshot: ManifestSnapshot;
  readonly afterActions: AfterActionRunner;
  readonly notifier: Notifier | null;
}

/**
 * Second step of an owner: what has finished is recorded, and whatever follows from that follows. What is kept with the
 * commits is opened before the recorder, which begins by following the journal.
 */
export async function keepRecords(
  options: KeepOptions,
  owned: Owned,
  events: OwnerEvents,
  releases: Releases,
): Promise<Kept> {
  const { plan, redis, prefix, dataDir, log, now } = options;
  const { store, pending } = owned;
  const source = plan.name;
  const spool = await openSpool(spoolFolder(dataDir, source), options.spool, pending.has);
  events.on('recorded', ({ jobIds }) => void spool.release(jobIds));
  const snapshot = createSnapshot({ path: plan.manifest, mode: plan.snapshot, ...store, now, log });
  const afterActions = startAfterActions({
    ...{ ...plan, ledger: store.ledger, journal: store.journal.path, log },
  });
  releases.add(() => afterActions.stop());
  events.on('recorded', afterActions.wake);
  const attachments = await openAttachments({ plan, store, given: options.meta, log });
  const { stateOf, diskOf, ...memory } = await openIntakeMemory({ plan, store, pending, now, log });
  const batches = openBatchBook({
    ...{ source, now, log, ledger: store.ledger, journal: store.journal },
    onEnded: (end) => events.tell('batchEnded', end),
  });
  const intentOf = intentsFor(plan, stateOf);
  const notifier = await tellEndpoints(options, intentOf, owned, events);
  releases.add(() => notifier?.close());
  events.on('recorded', () => {
    if (pending.size() === 0) void snapshot.refresh();
  });
  events.on('batchEnded', () => void snapshot.refresh());
  const recorder = await record(intentOf, diskOf, { options, owned, attachments, events });
  releases.add(() => recorder.stop());
  await batches.begin();
  releases.add(() => batches.stop());
  const folders = foldersAsBatches(options, owned, batches);
  events.on('recorded', () => folders?.recorded());
  const finishedSignal = await hearFinished(redis.connection, prefix, source, recorder.wake);
  releases.add(() => finishedSignal.close());
  return { recorder, batches, folders, attachments, memory, spool, snapshot, afterActions, notifier };
}

async function tellEndpoints(
  { plan, redis, prefix, telling, log, now }: KeepOptions,
  intentOf: IntentOf,
  { store }: Owned,
  events: OwnerEvents,
): Promise<Notifier | null> {
  const source = plan.name;
  await dropLeftDeliveryQueues({ connection: redis.connection, prefix, source, ledger: store.ledger });
  if (telling === null) return null;
  const endpoints = telling.endpointsOf(source);
  const notifier = await startNotifier({
    ...{ ...telling, endpoints, source, store, intentOf, log, now },
  });
  events.on('recorded', notifier.wake);
  events.on('batchEnded', notifier.wake);
  return notifier;
}

async function record(
  intentOf: IntentOf,
  diskOf: RecorderOptions['diskOf'],
  parts: {
    readonly options: KeepOptions;
    readonly owned: Owned;
    readonly attachments: Attachments;
    readonly events: OwnerEvents;
  },
): Promise<Recorder> {
  const { options, owned, attachments, events } = parts;
  const { store, queue, pending, exclusive } = owned;
  const { failpoint, now, log } = options;
  return await startRecorder({
    ...{ ...store, intentOf, diskOf, exclusive, failpoint, now, log },
    finish: attachments.finish,
    finished: { take: (max) => queue.takeFinished(max), remove: (jobIds) => queue.removeFinished(jobIds) },
    onRecorded(receipts, finished, handedOver) {
      // A file that is a job of its own stays pending until that has left Redis (rule keepKnown).
      const settled = handedOver.filter((jobId) => !pending.has(jobId) || pending.carrierOf(jobId) !== null);
      events.tell('recorded', { receipts, jobIds: [...finished, ...settled] });
    },
    onState: (state) => events.tell('recording', state),
  });
}

/** Nobody watches while a batch is ingested: what is open then waits for the next run. */
function foldersAsBatches(
  { plan, dataDir, batch, log, now }: KeepOptions,
  { store, pending, exclusive }: Owned,
  batchBook: BatchBook,
): FolderBatches | null {
  if (batch !== undefined) return null;
  const { ledger } = store;
  if (plan.batch == null) {
    closeFolderBatches(ledger, batchBook);
    return null;
  }
  return openFolderBatches({
    ...{ source: plan.name, destination: plan.destination, ledger, batchBook },
    ...{ exclusive, now, log, isPending: pending.has },
    manifestOf: (id) => join(batchFolder(dataDir), `${id}.manifest.json`),
  });
}

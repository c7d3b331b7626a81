import { reasonOf } from '../../domain/errors.ts';
import { isoOfNs } from '../../domain/file-version.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import { GATEWAY_SOURCE, receivedIdIn, receivedQueue } from '../../domain/received-source.ts';
import { readSourceLedger } from '../../ledger/store/source-store.ts';
import { openAcceptedFiles } from '../../ledger/tables/accepted-files.ts';
import type { Endpoint } from '../../notify/endpoint/endpoint.ts';
import { findQueued, type QueuedFile } from '../../queue/queued-jobs.ts';
import { findRedis } from '../../redis/redis-access.ts';
import type { RedisPlace } from '../../redis/redis-place.ts';
import { deliveryEvents } from './delivery-events.ts';
import { findFiles, type NamedFile } from './named-file.ts';
import { eventsOfJob, eventsOfReceipt } from './timeline.ts';
import type { TraceEvent } from './trace-event.ts';

export type { TraceEvent } from './trace-event.ts';

/** Everything that is known of one file. */
export interface Trace {
  readonly v: 1;
  readonly source: string;
  readonly path: string;
  readonly pathBytes?: string;
  readonly timeline: readonly TraceEvent[];
  /** Jobs of it in Redis now; null: Redis does not run, or does not answer. */
  readonly queue: readonly { readonly jobId: string; readonly state: QueuedFile['state'] }[] | null;
  readonly disk: { readonly state: DiskWord; readonly detail: string };
}

/** How what lies on disk compares with the latest receipt. */
export type DiskWord = 'unchanged' | 'changed' | 'new' | 'settling' | 'ignored' | 'gone' | 'unknown';

/**
 * The timeline of one file from what is recorded, what waits in Redis (which is never started for it) and what lies on
 * disk.
 * @returns one per source that knows the path
 */
export async function traceFile(
  options: Omit<Parameters<typeof findFiles>[0], 'history'> & {
    readonly redis: RedisPlace;
    /** Who is told of a source; left out: nobody. */
    readonly endpointsOf?: (source: string) => Endpoint[];
  },
): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (const file of await findFiles({ ...options, history: true })) {
    const queued = await queuedOf(file, options);
    const { source, name, receipts, latest } = file;
    const endpoints = options.endpointsOf?.(source.name) ?? [];
    const told =
      latest === null
        ? []
        : await deliveryEvents(latest, { dataDir: options.dataDir, source: source.name, endpoints });
    traces.push({
      v: 1,
      source: source.name,
      ...name,
      timeline: [
        ...receipts.flatMap(eventsOfReceipt),
        ...told,
        ...(queued ?? []).flatMap((job) => eventsOfJob(job, source.plan.destination)),
      ],
      queue: queued?.map(({ jobId, state }) => ({ jobId, state })) ?? null,
      disk: diskOf(file),
    });
  }
  return traces;
}

async function queuedOf(
  { source, name }: NamedFile,
  { dataDir, redis, log }: { dataDir: string; redis: RedisPlace; log: Log },
): Promise<QueuedFile[] | null> {
  try {
    const connection = await findRedis({ dataDir, redis, log });
    if (connection === null) return null;
    try {
      const queue = source.name === GATEWAY_SOURCE ? await queueOfReceived(name, dataDir) : source.name;
      if (queue === null) return [];
      return await findQueued({ connection, prefix: redis.prefix, source: queue }, name);
    } finally {
      connection.disconnect();
    }
  } catch (error) {
    log.warn({ reason: reasonOf(error) }, 'the queue could not be read');
    return null;
  }
}

/** What came in by HTTP waits in the queue of its destination; null: it does not wait. */
async function queueOfReceived({ path }: PathName, dataDir: string): Promise<string | null> {
  const ledger = readSourceLedger(dataDir, GATEWAY_SOURCE);
  const file = ledger === null ? null : openAcceptedFiles(ledger).find(receivedIdIn(path) ?? '');
  await ledger?.close();
  return file === null ? null : receivedQueue(file.destination);
}

function diskOf({ disk, latest }: NamedFile): Trace['disk'] {
  switch (disk.kind) {
    case 'gone':
      return { state: 'gone', detail: 'not on disk' };
    case 'root-gone':
      return { state: 'unknown', detail: 'the folder of the source is not there' };
    case 'folder':
      return { state: 'unknown', detail: 'it is a folder' };
    case 'unreadable':
      return { state: 'unknown', detail: `cannot be looked at (${reasonOf(disk.error)})` };
    case 'ignored':
      return { state: 'ignored', detail: disk.rule };
    case 'file': {
      const { size, mtimeNs } = disk.file;
      const detail = `${size} bytes, modified ${isoOfNs(mtimeNs)}`;
      if (latest !== null && latest.bytes === size && latest.mtimeNs === mtimeNs)
        return { state: 'unchanged', detail: `${detail}: as recorded` };
      if (disk.settling)
        return { state: 'settling', detail: `${detail}: waits until it has not changed for a while` };
      return latest === null
        ? { state: 'new', detail: `${detail}: nothing is recorded of it yet` }
        : { state: 'changed', detail: `${detail}: another version than the recorded one` };
    }
  }
}

import { type AttemptEntry, MAX_ATTEMPT_ENTRIES } from '../../domain/attempt-entry.ts';
import { fileVersionId } from '../../domain/file-version.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { type SeenTimes, sightOf } from '../../domain/sight.ts';
import { failedAttempts } from '../../domain/upload-job.ts';
import { formatDuration } from '../../platform/units.ts';
import type { QueuedFile } from '../../queue/queued-jobs.ts';
import type { TraceEvent } from './trace-event.ts';

/** What happened to one generation of a file version, by its receipt; in the order of time. */
export function eventsOfReceipt(receipt: Receipt): TraceEvent[] {
  const { status, queuedAt, uploadedAt, recordedAt, attempts, error, destination, reusedFrom } = receipt;
  const version = `${receipt.id}-${receipt.gen}`;
  const sent = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  const tries = reusedFrom === undefined ? sent : `nothing sent, the upload of ${reusedFrom} stands for it`;
  const outcome =
    status === 'uploaded'
      ? `to ${destination}, ${tries}: ${receipt.url ?? receipt.ref ?? receipt.fileId ?? 'accepted'}`
      : `${error?.code ?? 'no code'}: ${error?.message ?? 'no reason given'} (${tries})`;
  const { attemptLog = [] } = receipt;
  // The attempt that was accepted is in no log: the receipt is its record.
  const failures = attempts - (status === 'uploaded' ? 1 : 0);
  const isFull = attemptLog.length >= MAX_ATTEMPT_ENTRIES;
  const dropped = isFull ? failures - failedAttempts({ attemptLog }) : 0;
  return [
    ...sightEvents(sightOf(receipt, Date.parse(queuedAt)), version),
    { at: queuedAt, event: 'queued', detail: `for ${destination}, ${receipt.bytes} bytes`, version },
    ...attemptEvents(attemptLog, dropped, version),
    { at: uploadedAt ?? error?.at ?? null, event: status, detail: outcome, version },
    { at: recordedAt, event: 'recorded', detail: status, version },
  ];
}

/**
 * What has happened to a job that is still in Redis; in the order of time.
 * @param destination where its source sends now; '' when nobody knows
 */
export function eventsOfJob(queued: QueuedFile, destination: string): TraceEvent[] {
  const { job, jobId, state, queuedAtMs, dueAtMs } = queued;
  const id = destination === '' ? null : fileVersionId({ ...job, destination });
  const stale = id !== null && !jobId.startsWith(`${id}-`) ? ', for another destination than now' : '';
  const { seenAtMs, settledAtMs = seenAtMs } = job;
  const sight = seenAtMs === undefined || settledAtMs === undefined ? null : { seenAtMs, settledAtMs };
  const events: TraceEvent[] = [
    ...sightEvents(sight, jobId),
    {
      at: isoOf(queuedAtMs),
      event: 'queued',
      detail: `${job.size} bytes, ${state} now${stale}`,
      version: jobId,
    },
    ...attemptEvents(job.attemptLog, job.dropped?.attempted ?? 0, jobId),
  ];
  if (job.remoteId !== undefined) {
    const at = job.uploaded?.uploadedAt ?? null;
    events.push({ at, event: 'accepted', detail: `${job.remoteId}, being processed there`, version: jobId });
  }
  if (dueAtMs !== null) events.push({ at: isoOf(dueAtMs), event: 'due', detail: 'next try', version: jobId });
  return events;
}

/** @param sight null: not known, as of what nobody watched for */
function sightEvents(sight: SeenTimes | null, version: string): TraceEvent[] {
  if (sight === null) return [];
  const { seenAtMs, settledAtMs } = sight;
  const waited = settledAtMs - seenAtMs;
  const whole = waited > 0 ? `unchanged for long enough, ${formatDuration(waited)} later` : 'at first sight';
  return [
    { at: isoOf(seenAtMs), event: 'seen', detail: 'this version of it', version },
    { at: isoOf(settledAtMs), event: 'settled', detail: whole, version },
  ];
}

/** @param dropped attempts that the log had no room for */
function attemptEvents(log: readonly AttemptEntry[], dropped: number, version: string): TraceEvent[] {
  const events = log.map(({ at, code, kind, httpStatus }): TraceEvent => {
    const http = httpStatus === null ? '' : `HTTP ${httpStatus} `;
    const reason = code === kind ? kind : `${code} (${kind})`;
    return { at, event: 'attempt', detail: `${http}${reason}`, version };
  });
  if (dropped <= 0) return events;
  const detail = `${dropped} more, not kept one by one`;
  return [{ at: null, event: 'attempt', detail, version }, ...events];
}

/** null: not a time. */
function isoOf(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

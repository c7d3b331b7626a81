import { reasonOf } from '../../domain/errors.ts';
import type { Arrival } from '../../domain/lane.ts';
import type { Log } from '../../domain/log.ts';
import type { Receipt } from '../../domain/receipt.ts';
import { type Condition, createCondition } from '../../platform/waiting/condition.ts';
import type { HashedFile } from '../scan/hash-file.ts';
import type { EarlierUploads } from './earlier-uploads.ts';

/** Files read at once: enough to keep a disk busy, few enough to leave it to the uploads. */
const AT_ONCE = 2;
/** Files of one kind that wait to be read; past it whoever brings more waits, and the folder is the queue (G3). */
const MAX_WAITING = 1_000;
/** Files of one kind, read, that wait for room in the queue: past it none is read, so that no backlog gathers here. */
const MAX_SENDING = 200;
/** Files held until an equal one is recorded; past it they are sent, each for itself. */
const MAX_HELD = 10_000;

/** One that is to be sent, unless its bytes are uploaded already; whoever brings it says how each step is done. */
export interface Comparable {
  readonly jobId: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly arrival: Arrival;
  hash(signal: AbortSignal): Promise<HashedFile>;
  /** Whether it lies there exactly as it was seen. */
  isThere(): Promise<boolean>;
  /** An upload with the same bytes stands for it. */
  reuse(upload: Receipt, signal: AbortSignal): Promise<void>;
  /** Resolves when it is in the queue, or out of sight. */
  send(signal: AbortSignal): Promise<void>;
  /** Another version lies there now, or none. */
  changed(): Promise<void>;
}

/** `dedupe: content`: what has been uploaded under any name is not sent once more. */
export interface ContentCheck {
  /** Resolves when it has taken the file, which is at once unless too many wait. */
  take(file: Comparable, signal: AbortSignal): Promise<void>;
}

interface Waiting {
  readonly file: Comparable;
  readonly signal: AbortSignal;
}

interface State {
  readonly uploads: EarlierUploads;
  readonly log: Log;
  /** To be read. */
  readonly waiting: Record<Arrival, Waiting[]>;
  /** Read, and waiting for room in the queue. */
  readonly sending: Record<Arrival, number>;
  readonly room: Condition;
  /** Hash of what is on its way → those that are equal to it. */
  readonly underWay: Map<string, Comparable[]>;
  held: number;
  reading: number;
}

/**
 * Reads files beside intake and compares their hash with those of recorded uploads. Of equal files that come together
 * the first is sent and the others are held until it is recorded: then its upload stands for them, or the next is sent.
 * One for each source, whoever finds its files: a watcher and a batch may find equal ones at the same time.
 */
export function createContentCheck(uploads: EarlierUploads, log: Log): ContentCheck {
  const state: State = {
    ...{ uploads, log, waiting: { live: [], backlog: [] }, sending: { live: 0, backlog: 0 } },
    ...{ room: createCondition(), underWay: new Map(), held: 0, reading: 0 },
  };
  return {
    async take(file, signal) {
      const ofItsKind = state.waiting[file.arrival];
      await state.room.until(() => ofItsKind.length < MAX_WAITING, signal);
      ofItsKind.push({ file, signal });
      pump(state);
    },
  };
}

function pump(state: State): void {
  while (state.reading < AT_ONCE) {
    const taken = next(state);
    if (taken === undefined) break;
    state.reading += 1;
    void check(state, taken.file, taken.signal).finally(() => {
      state.reading -= 1;
      pump(state);
    });
  }
  state.room.changed();
}

/** The live ones first; found ones that wait for room in the queue do not hold them up. */
function next({ waiting, sending }: State): Waiting | undefined {
  const arrival = (['live', 'backlog'] as const).find(
    (kind) => waiting[kind].length > 0 && sending[kind] < MAX_SENDING,
  );
  return arrival === undefined ? undefined : waiting[arrival].shift();
}

async function check(state: State, file: Comparable, signal: AbortSignal): Promise<void> {
  try {
    const read = await file.hash(signal);
    if (read.kind === 'hashed') await decide(state, file, read.sha256, signal);
    else if (read.kind === 'changed') await file.changed();
    // Whoever uploads it says what is wrong with it.
    else start(state, file, null, signal);
  } catch (error) {
    if (signal.aborted) return;
    const reason = reasonOf(error);
    state.log.error({ path: file.path, reason }, 'a file could not be compared; it is sent');
    start(state, file, null, signal);
  }
}

async function decide(state: State, file: Comparable, sha256: string, signal: AbortSignal): Promise<void> {
  const { uploads } = state;
  if (hold(state, file, sha256)) return;
  const id = uploads.ofContent(sha256);
  const upload = id === null ? null : await uploads.standIn(id, file.size);
  if (upload !== null && upload.sha256 === sha256) {
    if (await file.isThere()) await file.reuse(upload, signal);
    else await file.changed();
  } else if (!hold(state, file, sha256)) start(state, file, sha256, signal);
}

function hold(state: State, file: Comparable, sha256: string): boolean {
  const equals = state.underWay.get(sha256);
  if (equals === undefined || state.held >= MAX_HELD) return false;
  equals.push(file);
  state.held += 1;
  return true;
}

/** @param sha256 null: nothing waits for what becomes of it */
function start(state: State, file: Comparable, sha256: string | null, signal: AbortSignal): void {
  const { sending, underWay, uploads } = state;
  // Full, with one of these under way: sent beside it.
  const leads = sha256 !== null && !underWay.has(sha256);
  if (leads) underWay.set(sha256, []);
  sending[file.arrival] += 1;
  void file
    .send(signal)
    .finally(() => {
      sending[file.arrival] -= 1;
      pump(state);
    })
    .then(() => (leads ? uploads.untilRecorded(file.jobId, signal) : undefined))
    .catch(() => undefined)
    .finally(() => {
      if (leads && !signal.aborted) release(state, sha256, signal);
    });
}

function release(state: State, sha256: string, signal: AbortSignal): void {
  const equals = state.underWay.get(sha256) ?? [];
  state.underWay.delete(sha256);
  state.held -= equals.length;
  void (async () => {
    // One after the other: where the first failed, the next leads and the rest is held again.
    for (const file of equals) {
      await decide(state, file, sha256, signal).catch(
        () => signal.aborted || start(state, file, null, signal),
      );
    }
  })();
}

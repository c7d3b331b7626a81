import type { Arrival } from '../domain/arrival.ts';
import { reasonOf } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { Receipt } from '../domain/receipt.ts';
import { createCondition } from '../platform/condition.ts';
import type { HashedFile } from './hash-file.ts';
import type { UploadNeed } from './open-needs.ts';
import type { EarlierUploads } from './ports.ts';
import type { SeenFile } from './seen-file.ts';

/** Files read at once: enough to keep a disk busy, few enough to leave it to the uploads. */
const AT_ONCE = 2;
/** Files of one kind that wait to be read; past it whoever brings more waits, and the folder is the queue (G3). */
const MAX_WAITING = 1_000;
/** Files of one kind, read, that wait for room in the queue: past it none is read, so that no backlog gathers here. */
const MAX_SENDING = 200;
/** Files held until an equal one is recorded; past it they are sent, each for itself. */
const MAX_HELD = 10_000;

export interface ContentCheckOptions {
  readonly hash: (file: SeenFile, signal: AbortSignal) => Promise<HashedFile>;
  readonly uploads: EarlierUploads;
  /** Whether it lies there exactly as it was seen. */
  readonly isThere: (file: SeenFile) => Promise<boolean>;
  /** An upload with the same bytes stands for it. */
  readonly reuse: (need: UploadNeed, upload: Receipt, signal: AbortSignal) => Promise<void>;
  /** Resolves when it is in the queue, or out of sight. */
  readonly send: (need: UploadNeed, signal: AbortSignal) => Promise<void>;
  /** Another version lies there now, or none. */
  readonly changed: (need: UploadNeed) => Promise<void>;
  readonly log: Log;
}

/** `dedupe: content`: what has been uploaded under any name is not sent once more. */
export interface ContentCheck {
  /** Resolves when it has taken the file, which is at once unless too many wait. */
  take(need: UploadNeed, signal: AbortSignal): Promise<void>;
}

/**
 * Reads files beside intake and compares their hash with those of recorded uploads. Of equal files that come together
 * the first is sent and the others are held until it is recorded: then its upload stands for them, or the next is sent.
 */
export function createContentCheck(options: ContentCheckOptions): ContentCheck {
  const { hash, uploads, isThere, reuse, send, changed, log } = options;
  type Waiting = { readonly need: UploadNeed; readonly signal: AbortSignal };
  const waiting: Record<Arrival, Waiting[]> = { live: [], found: [] };
  const room = createCondition();
  /** Hash of what is on its way → those that are equal to it. */
  const underWay = new Map<string, UploadNeed[]>();
  let held = 0;
  let reading = 0;
  const sending: Record<Arrival, number> = { live: 0, found: 0 };

  /** The live ones first; found ones that wait for room in the queue do not hold them up. */
  function next(): Waiting | undefined {
    const arrival = (['live', 'found'] as const).find(
      (kind) => waiting[kind].length > 0 && sending[kind] < MAX_SENDING,
    );
    return arrival === undefined ? undefined : waiting[arrival].shift();
  }

  function pump(): void {
    while (reading < AT_ONCE) {
      const taken = next();
      if (taken === undefined) break;
      reading += 1;
      void check(taken.need, taken.signal).finally(() => {
        reading -= 1;
        pump();
      });
    }
    room.changed();
  }

  async function check(need: UploadNeed, signal: AbortSignal): Promise<void> {
    try {
      const read = await hash(need.file, signal);
      if (read.kind === 'hashed') await decide(need, read.sha256, signal);
      else if (read.kind === 'changed') await changed(need);
      // Whoever uploads it says what is wrong with it.
      else start(need, null, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.error(
        { path: need.file.name.path, reason: reasonOf(error) },
        'a file could not be compared; it is sent',
      );
      start(need, null, signal);
    }
  }

  async function decide(need: UploadNeed, sha256: string, signal: AbortSignal): Promise<void> {
    if (hold(need, sha256)) return;
    const id = uploads.ofContent(sha256);
    const upload = id === null ? null : await uploads.standIn(id, need.file.size);
    if (upload !== null && upload.sha256 === sha256) {
      if (await isThere(need.file)) await reuse(need, upload, signal);
      else await changed(need);
    } else if (!hold(need, sha256)) start(need, sha256, signal);
  }

  function hold(need: UploadNeed, sha256: string): boolean {
    const equals = underWay.get(sha256);
    if (equals === undefined || held >= MAX_HELD) return false;
    equals.push(need);
    held += 1;
    return true;
  }

  /** @param sha256 null: nothing waits for what becomes of it */
  function start(need: UploadNeed, sha256: string | null, signal: AbortSignal): void {
    // Full, with one of these under way: sent beside it.
    const leads = sha256 !== null && !underWay.has(sha256);
    if (leads) underWay.set(sha256, []);
    sending[need.arrival] += 1;
    void send(need, signal)
      .finally(() => {
        sending[need.arrival] -= 1;
        pump();
      })
      .then(() => (leads ? uploads.untilRecorded(need.jobId, signal) : undefined))
      .catch(() => undefined)
      .finally(() => {
        if (leads && !signal.aborted) release(sha256, signal);
      });
  }

  function release(sha256: string, signal: AbortSignal): void {
    const equals = underWay.get(sha256) ?? [];
    underWay.delete(sha256);
    held -= equals.length;
    void (async () => {
      // One after the other: where the first failed, the next leads and the rest is held again.
      for (const need of equals) {
        await decide(need, sha256, signal).catch(() => signal.aborted || start(need, null, signal));
      }
    })();
  }

  return {
    async take(need, signal) {
      const ofItsKind = waiting[need.arrival];
      await room.until(() => ofItsKind.length < MAX_WAITING, signal);
      ofItsKind.push({ need, signal });
      pump();
    },
  };
}

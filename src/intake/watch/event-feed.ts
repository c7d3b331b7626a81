import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { PathName } from '../../domain/path-bytes.ts';
import type { EventSource } from './event-source.ts';
import { networkFileSystemOf } from './network-fs.ts';
import type { ReconcileSchedule, Urgency } from './reconcile-schedule.ts';
import { type StallDetector, startStallDetector } from './stall-detector.ts';

export interface EventFeedOptions {
  readonly root: string;
  readonly source: string;
  readonly polling: 'auto' | boolean;
  readonly rescanMs: number;
  /** Asked for a fresh one every time the root appears. */
  readonly openSource: () => EventSource;
  readonly schedule: ReconcileSchedule;
  readonly hint: (path: string) => void;
  readonly request: (urgency: Urgency) => void;
  readonly monotonicMs: () => number;
  readonly log: Log;
}

/** How one root is watched: by events, or by scans alone where events do not come. */
export interface EventFeed {
  /** The root is there (again): finds out what it lies on and subscribes. Ends when events come, or shortly after. */
  attach(): Promise<void>;
  detach(): Promise<void>;
  /** Whether file times come from this machine's clock. */
  trustTimes(): boolean;
  /** Whether it is the scans that say which folders are watched. */
  isFollowing(): boolean;
  /** A scan is about to list this folder. */
  entering(folder: PathName): void;
  /** An event named this path, and no folder is there. */
  noFolder(path: string): void;
  scanBegan(): void;
  /** @param complete nothing of the tree was out of its sight */
  scanEnded(complete: boolean): void;
}

/** Without events this is how late a file is noticed; the schedule stretches it by what a scan costs. */
export const POLL_MS = 2_000;
/** A scan that begins before events come is repeated when they do, so small trees wait for them. */
const READY_MS = 500;

const EXHAUSTED: Readonly<Record<string, string>> = {
  ENOSPC: 'raise the sysctl fs.inotify.max_user_watches',
  EMFILE: 'raise the sysctl fs.inotify.max_user_instances, or the limit of open files (ulimit -n)',
};

// Over 80 lines: one source of events from attach to detach; what follows an error changes the same three values as what follows a start.
/** Not attached yet. */
export function createEventFeed(options: EventFeedOptions): EventFeed {
  const { root, source, polling, rescanMs, openSource, schedule, request, log } = options;
  let network: string | null = null;
  let events: EventSource | null = null;
  let detector: StallDetector | null = null;
  let blind = false;

  /** `ready` is resolved once events come, or will not come. */
  function subscribe(subscribed: EventSource, ready: () => void): void {
    events = subscribed;
    subscribed.start({
      hint(path) {
        detector?.event();
        options.hint(path);
      },
      ready() {
        ready();
        // chokidar says so even where it could not watch everything.
        if (blind && subscribed.follower !== undefined) recovered();
        request('now');
      },
      failed(error) {
        ready();
        failed(error);
      },
    });
  }

  function failed(error: unknown): void {
    const fix = EXHAUSTED[(error as NodeJS.ErrnoException).code ?? ''];
    if (fix === undefined) {
      log.debug({ source, reason: reasonOf(error) }, 'the event source reports an error');
      request('soon');
      return;
    }
    // One error per folder that could not be watched: said once.
    if (blind) return;
    blind = true;
    log.warn(
      { source, reason: reasonOf(error), fix },
      'the system has no watches left; scanning the folder instead',
    );
    schedule.setEveryMs(Math.min(rescanMs, POLL_MS));
    request('soon');
  }

  function recovered(): void {
    blind = false;
    log.info({ source }, 'the system has watches again; waiting for events');
    schedule.setEveryMs(rescanMs);
  }

  /** A watcher that cannot be closed (its mount hangs) must hold nothing up; it is deaf already. */
  async function closeSource(closing: EventSource | null): Promise<void> {
    await closing
      ?.close()
      .catch((error) => log.debug({ source, reason: reasonOf(error) }, 'closing the watcher failed'));
  }

  async function detach(): Promise<void> {
    detector?.stop();
    detector = null;
    const closing = events;
    events = null;
    await closeSource(closing);
  }

  return {
    async attach() {
      await detach();
      blind = false;
      network = await networkFileSystemOf(root);
      const scanOnly = polling === 'auto' ? network !== null : polling;
      schedule.setEveryMs(scanOnly ? Math.min(rescanMs, POLL_MS) : rescanMs);
      if (scanOnly) {
        log.info({ source, fileSystem: network, polling }, 'scanning the folder every few seconds');
        return;
      }
      detector = startStallDetector((suspicion) => {
        log.debug({ source, suspicion }, 'events may have been lost; comparing the whole folder');
        request('soon');
      }, options.monotonicMs);
      const { promise, resolve } = Promise.withResolvers<void>();
      subscribe(openSource(), resolve);
      await Promise.race([promise, delay(READY_MS, undefined, { ref: false })]);
    },
    detach,
    trustTimes: () => network === null,

    isFollowing: () => events?.follower !== undefined,
    entering: (folder) => events?.follower?.folder(folder),
    noFolder: (path) => events?.follower?.gone(path),
    scanBegan: () => events?.follower?.scanBegan(),

    scanEnded(complete) {
      // What could not be listed may hold folders that are still there.
      if (complete) events?.follower?.scanEnded();
    },
  };
}

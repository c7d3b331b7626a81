import { readFileSync } from 'node:fs';
import { type Finding, ok, warning } from './doctor-finding.ts';

/** What the kernel allows this user; NaN where it does not say. */
export interface InotifyLimits {
  readonly watches: number;
  readonly instances: number;
  readonly queuedEvents: number;
}

/** null: this system has no inotify. */
export function inotifyLimits(): InotifyLimits | null {
  if (process.platform !== 'linux') return null;
  const least = (...paths: string[]): number => {
    const known = paths.map(numberIn).filter((value) => value > 0);
    return known.length === 0 ? Number.NaN : Math.min(...known);
  };
  return {
    // A user namespace (a container) may allow less than the machine.
    watches: least('/proc/sys/fs/inotify/max_user_watches', '/proc/sys/user/max_inotify_watches'),
    instances: least('/proc/sys/fs/inotify/max_user_instances', '/proc/sys/user/max_inotify_instances'),
    queuedEvents: least('/proc/sys/fs/inotify/max_queued_events'),
  };
}

function numberIn(path: string): number {
  try {
    return Number(readFileSync(path, 'latin1'));
  } catch {
    return Number.NaN;
  }
}

/** Other programs of this user (editors, desktops) share the limit. */
const HEADROOM = 1.25;
const FEW_INSTANCES = 16;
const FEW_EVENTS = 8_192;

/** @param folders to be watched, of all sources together */
export function judgeInotify(
  { watches, instances, queuedEvents }: InotifyLimits,
  folders: number,
): Finding[] {
  const about = { check: 'inotify', subject: null } as const;
  const found: Finding[] = [];
  if (folders * HEADROOM > watches) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(folders * 2, 65_536)));
    found.push(
      warning(
        about,
        `${folders} folders are to be watched and this user may watch ${watches}: run sysctl fs.inotify.max_user_watches=${wanted} (and write it to /etc/sysctl.d), or the folders are scanned instead`,
      ),
    );
  }
  if (instances < FEW_INSTANCES)
    found.push(
      warning(
        about,
        `this user may open ${instances} inotify instances: run sysctl fs.inotify.max_user_instances=128`,
      ),
    );
  if (queuedEvents < FEW_EVENTS)
    found.push(
      warning(
        about,
        `the kernel queues ${queuedEvents} events: larger bursts are found by a scan, later; run sysctl fs.inotify.max_queued_events=16384`,
      ),
    );
  if (found.length > 0) return found;
  return [
    ok(
      about,
      `${folders} folders to watch, ${watches} watches allowed; the kernel queues ${queuedEvents} events`,
    ),
  ];
}

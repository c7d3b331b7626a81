import { formatDuration } from '../platform/units.ts';

/** What a server says of itself; see `INFO` of Redis. */
export type ServerInfo = ReadonlyMap<string, string>;

/** INFO is `key:value` lines between `# Section` lines. */
export function parseInfo(text: string): ServerInfo {
  return new Map(
    text.split('\r\n').flatMap((line): [string, string][] => {
      const colon = line.indexOf(':');
      return line.startsWith('#') || colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/**
 * What would lose jobs one day, one sentence each, with the fix.
 * @param snapshots the `save` setting; null where the service does not let clients read settings
 */
export function warningsOfServer(info: ServerInfo, snapshots: string | null, where: string): string[] {
  return [...evictionWarnings(info, where), ...persistenceWarnings(info, snapshots, where)];
}

function evictionWarnings(info: ServerInfo, where: string): readonly string[] {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return [];
  return [
    `Redis at ${where} has maxmemory-policy ${policy} and may throw away jobs when memory is short: set it to noeviction`,
  ];
}

function persistenceWarnings(info: ServerInfo, snapshots: string | null, where: string): readonly string[] {
  if (info.get('aof_enabled') !== '0') return [];
  if (snapshots !== null && snapshots !== '') {
    return [
      `Redis at ${where} keeps snapshots alone and goes back by up to ${formatDuration(longestGapMs(snapshots))} when it crashes: uploads in hand then are sent twice and a pause may be forgotten; set appendonly yes`,
    ];
  }
  return [
    snapshots === null
      ? `Redis at ${where} has no append-only file and does not tell whether it makes snapshots: make sure that it keeps its data over a restart`
      : `Redis at ${where} has persistence off and forgets every job when it restarts: set appendonly yes`,
  ];
}

/** `save` is pairs of seconds and changes: after one change the longest of them may pass. */
function longestGapMs(snapshots: string): number {
  const numbers = snapshots.trim().split(/\s+/).map(Number);
  return 1_000 * Math.max(...numbers.filter((_, index) => index % 2 === 0));
}

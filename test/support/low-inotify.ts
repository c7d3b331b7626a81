import { spawnSync } from 'node:child_process';

/** Runs a command with so few inotify watches, in a user namespace of its own: nothing outside it changes. */
export function withFewWatches(watches: number, command: readonly string[]): readonly string[] {
  const script = `echo ${watches} > /proc/sys/user/max_inotify_watches && exec "$@"`;
  return ['unshare', '--user', '--map-root-user', 'sh', '-c', script, 'sh', ...command];
}

/** Whether this system lets us; many containers do not. */
export function mayLimitWatches(): boolean {
  const [program = '', ...args] = withFewWatches(10, ['true']);
  return process.platform === 'linux' && spawnSync(program, args).status === 0;
}

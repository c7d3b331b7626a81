/** `7.0.15` */
export type RedisVersion = string;

/** BullMQ's scripts use commands of 6.2 (contract §5). */
const MINIMUM = [6, 2] as const;

/** Whether a server of this version can hold the queue. */
export function isSupportedRedis(version: RedisVersion): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]);
}

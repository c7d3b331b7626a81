import type { RedisPlace } from './embedded-redis-place.ts';

/**
 * The private server's whole configuration (redis.conf syntax): reachable by its owner through the socket only,
 * every write in the append-only file, nothing ever evicted.
 */
export function embeddedRedisConfig(place: RedisPlace, socketPath: string): string {
  return [
    '# Written by Slipway at every start; changes made here are lost.',
    'port 0',
    `unixsocket ${quoted(socketPath)}`,
    'unixsocketperm 700',
    `dir ${quoted(place.folder)}`,
    `logfile ${quoted(place.logFile)}`,
    'appendonly yes',
    'appendfsync everysec',
    // The append-only file is the persistence; a snapshot beside it would only cost.
    'save ""',
    'maxmemory-policy noeviction',
    'daemonize no',
    // The arguments tell whose server a pid is; a title would hide them.
    'set-proc-title no',
    '',
  ].join('\n');
}

/** Between double quotes backslash and the quote are escaped, control characters too; UTF-8 stays as it is. */
function quoted(text: string): string {
  const escaped = [...text].map((char) => {
    if (char === '"' || char === '\\') return `\\${char}`;
    const code = char.charCodeAt(0);
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : char;
  });
  return `"${escaped.join('')}"`;
}

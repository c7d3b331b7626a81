import type { Redis } from 'ioredis';

/** What the user has paused, shared by all processes and hosts: one text with a revision. The newer one wins. */

/** ARGV: text, revision. → 1 when it was newer than what is there. */
const WRITE_LUA = `
local known = redis.call('GET', KEYS[1])
if known then
  local at = tonumber(string.match(known, '^(%d+) ')) or 0
  if at >= tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[1])
redis.call('PUBLISH', KEYS[1] .. ':changed', '')
return 1`;

export async function readPauseRecord(connection: Redis, prefix: string): Promise<string | null> {
  const text = await connection.get(pauseKey(prefix));
  return text === null ? null : text.slice(text.indexOf(' ') + 1);
}

/** @returns false when Redis holds this revision, or a newer one */
export async function writePauseRecord(
  connection: Redis,
  prefix: string,
  record: { readonly text: string; readonly revision: number },
): Promise<boolean> {
  return (await connection.eval(WRITE_LUA, 1, pauseKey(prefix), record.text, record.revision)) === 1;
}

/** Where a change is told. */
export function pauseChannel(prefix: string): string {
  return `${pauseKey(prefix)}:changed`;
}

function pauseKey(prefix: string): string {
  return `${prefix}:pauses`;
}

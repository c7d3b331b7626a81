/**
 * KEYS: the queue's delayed set, its list of waiting jobs, its marker; the job's hash. ARGV: its id, until when it was
 * delayed (milliseconds since the epoch). → 1 when it still was. One that has been taken since (`resume` tries all at
 * once) and failed again is delayed anew: it stays until then. BullMQ itself puts whatever has been delayed behind all
 * that waits, what had gone before it too. Its score is the time, times 4096, and a little so that no two are the same.
 */
export const BRING_FORWARD_LUA = `
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or math.floor(tonumber(score) / 4096) > tonumber(ARGV[2]) + 100 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[4], 'delay', 0)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, '0')
return 1`;

/**
 * KEYS: the queue's delayed set, its list of waiting jobs, its marker; the job's hash. ARGV: its id; when it comes
 * back by itself at the latest, in milliseconds since the epoch: one that comes later was tried meanwhile, and waits for
 * another time. → 1 when it was brought forward. BullMQ's scores are those times × 4096. BullMQ itself puts whatever has been delayed behind all that waits, what had gone before it too.
 */
export const BRING_FORWARD_LUA = `
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) >= (tonumber(ARGV[2]) + 1) * 4096 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[4], 'delay', 0)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, '0')
return 1`;

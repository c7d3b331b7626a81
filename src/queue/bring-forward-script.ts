/**
 * KEYS: the queue's delayed set, its list of waiting jobs, its marker; the job's hash. ARGV: its id. → 1 when it was
 * delayed. BullMQ itself puts whatever has been delayed behind all that waits, what had gone before it too.
 */
export const BRING_FORWARD_LUA = `
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[4], 'delay', 0)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], 0, '0')
return 1`;

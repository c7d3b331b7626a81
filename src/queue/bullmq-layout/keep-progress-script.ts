/**
 * Writes what a job carries, for whoever holds its lock. BullMQ's own update asks for no lock: a worker that was
 * stopped for long would overwrite what another has learnt since, that the file has been accepted included.
 * KEYS: job, its lock. ARGV: token, data. → 1, or 0 when the lock is not ours (any more).
 */
export const KEEP_PROGRESS_LUA = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'data', ARGV[2])
return 1`;

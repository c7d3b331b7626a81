/**
 * The two Redis scripts of the results path. BullMQ reads and removes jobs one round trip each; a batch of 500 costs
 * one here. They touch only what BullMQ 6 itself deletes of a finished job (its hash and the five keys beside it).
 */

/** KEYS: completed, failed. ARGV: job key prefix, most jobs. → [id, state, returnvalue, failedReason, data, timestamp][] */
export const TAKE_FINISHED_LUA = `
local out = {}
for s = 1, 2 do
  local room = tonumber(ARGV[2]) - #out
  if room > 0 then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[s], 0, room - 1)) do
      local f = redis.call('HMGET', ARGV[1] .. id, 'returnvalue', 'failedReason', 'data', 'timestamp')
      out[#out + 1] = { id, s == 1 and 'completed' or 'failed', f[1], f[2], f[3], f[4] }
    end
  end
end
return out`;

/** KEYS: completed, failed. ARGV: job key prefix, ids…. Removes only finished jobs; → how many there were. */
export const REMOVE_FINISHED_LUA = `
local removed = 0
for i = 2, #ARGV do
  local id = ARGV[i]
  if redis.call('ZREM', KEYS[1], id) + redis.call('ZREM', KEYS[2], id) > 0 then
    local key = ARGV[1] .. id
    redis.call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':unsuccessful')
    removed = removed + 1
  end
end
return removed`;

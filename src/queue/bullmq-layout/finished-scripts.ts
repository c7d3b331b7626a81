/**
 * The two Redis scripts of the results path. BullMQ reads and removes jobs one round trip each; a batch of 500 costs
 * one here. They touch only what BullMQ 6 itself deletes of a finished job that has no children: its hash and its log.
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

/** KEYS: completed, failed. ARGV: job key prefix, ids… (at least one). Removes only finished jobs; → how many there were. */
export const REMOVE_FINISHED_LUA = `
local ids, prefix = {}, ARGV[1]
for i = 2, #ARGV do ids[#ids + 1] = ARGV[i] end
local keys, removed = {}, 0
for s = 1, 2 do
  local scores = redis.call('ZMSCORE', KEYS[s], unpack(ids))
  local found = {}
  for i, id in ipairs(ids) do
    if scores[i] then
      found[#found + 1] = id
      keys[#keys + 1] = prefix .. id
      keys[#keys + 1] = prefix .. id .. ':logs'
    end
  end
  if #found > 0 then removed = removed + redis.call('ZREM', KEYS[s], unpack(found)) end
end
if #keys > 0 then redis.call('DEL', unpack(keys)) end
return removed`;

/**
 * Many jobs into a queue in one script, in the keys and fields that BullMQ 6.7's own `addStandardJob` leaves (a test
 * compares the two key by key), but for the event stream, which nobody reads, and the counter for ids of its own making.
 * A taken id is a no-op. All or none: a script that Redis refuses has written nothing.
 *
 * KEYS: wait, meta, active, marker.
 * ARGV: job key prefix, now (ms), name, where to push (LPUSH: in line; RPUSH: ahead), options as JSON; then of
 * each job: id, data.
 */
export const ADD_MANY_LUA = `
local call = redis.call
local prefix, now, name, push, options = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local added = {}
for i = 6, #ARGV, 2 do
  local id = ARGV[i]
  local key = prefix .. id
  if call('EXISTS', key) == 0 then
    call('HSET', key, 'name', name, 'data', ARGV[i + 1], 'opts', options, 'timestamp', now, 'delay', 0, 'priority', 0)
    added[#added + 1] = id
  end
end
if #added == 0 then return 0 end
call(push, KEYS[1], unpack(added))
local limits = call('HMGET', KEYS[2], 'paused', 'concurrency')
local stands = limits[1] or (limits[2] and call('LLEN', KEYS[3]) >= tonumber(limits[2]))
if not stands then call('ZADD', KEYS[4], 0, '0') end
return #added`;

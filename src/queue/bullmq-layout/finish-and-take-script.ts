/**
 * Many uploads done and as many jobs taken in one script, in the keys and fields that BullMQ 6.7's own `moveToFinished`
 * leaves (a test compares the two key by key), but for the event stream, which nobody reads, and for what these queues
 * never have: parents, deduplication, metrics, limits on kept jobs. From a queue that is paused or limited nothing is
 * taken; delayed and prioritized jobs are left to BullMQ, which takes one job after every batch.
 *
 * It differs where BullMQ throws a result away. A lock that ran out and was given to nobody else is no reason: the job is
 * finished wherever it stands by now. Where another worker holds it the result is laid beside the job for it to find.
 *
 * KEYS: wait, active, completed, stalled, meta, marker, delayed, failed.
 * ARGV: job key prefix, now (ms), lock duration (ms), key prefix of results beside jobs, their life (s); then of each
 * job: id, lock token, return value, 1 when another is wanted.
 * → of each job, in order: -1 it is gone, -6 another holds it, 0, [hash of the job that was taken, its id, 0, 0], or, where
 * none was left, [0, 0, 0, when the next delayed job is due (ms)]: the worker sleeps no longer than that.
 * At most some 2,000 jobs at a time: Lua unpacks no more than 8,000 values, and would fail after the first write.
 */
export const FINISH_AND_TAKE_LUA = `
local call = redis.call
local prefix, now, lock_ms, done_prefix, done_s = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local out, wanting, scores, locks, done = {}, {}, {}, {}, {}

for i = 6, #ARGV, 4 do
  local id, token, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key, slot, code = prefix .. id, #out + 1, 0
  local found = call('HMGET', key, 'name', 'atm')
  local held = call('GET', key .. ':lock')
  if not found[1] then code = -1
  elseif held and held ~= token then
    call('SET', done_prefix .. id, value, 'EX', done_s)
    code = -6
  else
    locks[#locks + 1] = key .. ':lock'
    done[#done + 1] = id
    if call('LREM', KEYS[2], -1, id) < 1 then
      call('LREM', KEYS[1], 1, id)
      call('ZREM', KEYS[7], id)
      call('ZREM', KEYS[8], id)
    end
    if not call('ZSCORE', KEYS[3], id) then
      call('HSET', key, 'returnvalue', value, 'finishedOn', now, 'atm', (tonumber(found[2]) or 0) + 1)
      scores[#scores + 1] = now
      scores[#scores + 1] = id
    end
    if ARGV[i + 3] == '1' then wanting[#wanting + 1] = { slot, token } end
  end
  out[slot] = code
end
if #locks > 0 then
  call('DEL', unpack(locks))
  call('SREM', KEYS[4], unpack(done))
end
if #scores > 0 then call('ZADD', KEYS[3], unpack(scores)) end
if #wanting == 0 then return out end

local limits = call('HMGET', KEYS[5], 'paused', 'concurrency', 'max')
if limits[1] or limits[2] or limits[3] then return out end
local waiting = call('LRANGE', KEYS[1], -#wanting, -1)
local taken = {}
for i = #waiting, 1, -1 do
  if string.sub(waiting[i], 1, 2) == '0:' then break end
  taken[#taken + 1] = waiting[i]
end
if #taken < #wanting then
  local due = call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')
  for i = #taken + 1, due[2] and #wanting or 0 do
    out[wanting[i][1]] = { 0, 0, 0, math.floor(tonumber(due[2]) / 4096) }
  end
end
if #taken == 0 then return out end
call('LTRIM', KEYS[1], 0, -(#taken + 1))
call('LPUSH', KEYS[2], unpack(taken))
for i, id in ipairs(taken) do
  local key, slot, token = prefix .. id, wanting[i][1], wanting[i][2]
  call('SET', key .. ':lock', token, 'PX', lock_ms)
  local hash, started = call('HGETALL', key), 0
  for f = 1, #hash, 2 do
    if hash[f] == 'ats' then started = tonumber(hash[f + 1]) end
  end
  started = tostring(started + 1)
  call('HSET', key, 'processedOn', now, 'ats', started)
  for _, text in ipairs({ 'processedOn', now, 'ats', started }) do hash[#hash + 1] = text end
  out[slot] = { hash, id, 0, 0 }
end
call('ZADD', KEYS[6], 0, '0')
return out`;

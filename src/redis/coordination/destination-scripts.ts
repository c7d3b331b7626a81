/**
 * The Redis scripts of a destination's record: one hash, written by every process that sends there. Times are Redis's
 * own (`TIME`), in milliseconds, and go in and out as distances from now, so that no two clocks have to agree.
 *
 * Fields: `standstill` what keeps everybody from sending (JSON); `probeAt` when one upload may try; `prober` and
 * `proberUntil` who does, until when; `gateUntil` no upload before; `liftedAt` when `resume` last took all of that
 * away; `slotAt` (microseconds) the first free slot of the
 * rate; `learned` what some process has learned of a quota that nobody told, and `learnedAt` when; `okAt` when any process last had a file accepted; `m:<member>` a process and its last sign of life.
 */

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local key = KEYS[1]
local function get(field) return redis.call('HGET', key, field) end
local function num(field) return tonumber(get(field) or '0') end
local function clear() redis.call('HDEL', key, 'standstill', 'probeAt', 'prober', 'proberUntil') end
local function tell() redis.call('PUBLISH', key .. ':changed', '') end`;

/**
 * ARGV: member, its life in ms, renew the probe lease ('1'), lease ms, joining ('1'), ms since its last success that it
 * has not told yet (-1: none).
 * → [members, standstill, ms to the probe, prober, ms to the end of the gate, ms since anybody's last success (-1: never),
 * the time, ms since it was last lifted by hand (-1: never), what was learned of the quota within the last hour]
 * A process that comes to an empty house begins anew: whoever started it wants it tried.
 */
export const SYNC_LUA = `${NOW}
local life = tonumber(ARGV[2])
local members = 1
local all = redis.call('HGETALL', key)
local last = 0
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'm:' then
    local seen = tonumber(all[i + 1])
    if all[i] == 'm:' .. ARGV[1] then last = seen
    elseif seen < now - life then redis.call('HDEL', key, all[i])
    else members = members + 1 end
  end
end
if last < now - life / 4 then redis.call('HSET', key, 'm:' .. ARGV[1], now) end
if ARGV[5] == '1' and get('standstill') then
  if members == 1 then clear() else redis.call('HSET', key, 'probeAt', now) end
  tell()
end
if ARGV[3] == '1' and get('prober') == ARGV[1] then redis.call('HSET', key, 'proberUntil', now + ARGV[4]) end
-- What lies in the future is from before the clock was set back: it would be a moment ago until the clock gets there.
if num('okAt') > now then redis.call('HDEL', key, 'okAt') end
if num('liftedAt') > now then redis.call('HDEL', key, 'liftedAt') end
local okAt = num('okAt')
local told = tonumber(ARGV[6])
if told >= 0 and now - told > okAt then
  okAt = now - told
  redis.call('HSET', key, 'okAt', okAt)
end
local okAgo = -1
if okAt > 0 then okAgo = now - okAt end
local learned = get('learned') or ''
if learned ~= '' and math.abs(now - num('learnedAt')) > 3600000 then learned = '' end
local liftedAgo = -1
if get('liftedAt') then liftedAgo = now - num('liftedAt') end
return {
  members, get('standstill') or '', num('probeAt') - now, get('prober') or '', num('gateUntil') - now, okAgo, now, liftedAgo,
  learned
}`;

/**
 * ARGV: member, standstill, its kind, ms to the probe, after a probe of ours ('1'). → 1 when it was written.
 * What two processes notice at once is one standstill; being stopped outweighs being down.
 */
export const STAND_STILL_LUA = `${NOW}
local known = get('standstill')
if known and not (ARGV[5] == '1' and get('prober') == ARGV[1]) then
  local kind = cjson.decode(known).kind
  if kind == 'stopped' or kind == ARGV[3] then return 0 end
end
redis.call('HSET', key, 'standstill', ARGV[2], 'probeAt', now + ARGV[4])
redis.call('HDEL', key, 'prober', 'proberUntil')
tell()
return 1`;

export const GO_ON_LUA = `${NOW}
clear()
tell()`;

/** ARGV: member, lease ms. → 0: this process probes now; -1: nothing to probe; else ms to wait. */
export const PROBE_LUA = `${NOW}
if not get('standstill') then return -1 end
local wait = num('probeAt') - now
if wait > 0 then return wait end
local left = num('proberUntil') - now
if left > 0 and get('prober') ~= ARGV[1] then return left end
redis.call('HSET', key, 'prober', ARGV[1], 'proberUntil', now + ARGV[2])
return 0`;

/** ARGV: member. Somebody else may probe. */
export const PASS_ON_LUA = `${NOW}
if get('prober') == ARGV[1] then redis.call('HDEL', key, 'prober', 'proberUntil') end`;

/** ARGV: what was learned of the quota; empty: nothing is known any more. */
export const LEARN_LUA = `${NOW}
if ARGV[1] == '' then redis.call('HDEL', key, 'learned', 'learnedAt')
else redis.call('HSET', key, 'learned', ARGV[1], 'learnedAt', now) end
tell()`;

export const HURRY_LUA = `${NOW}
if not get('standstill') then return end
redis.call('HSET', key, 'probeAt', now)
tell()`;

/** ARGV: ms. Never shortens. */
export const SHUT_GATE_LUA = `${NOW}
if num('gateUntil') >= now + ARGV[1] then return end
redis.call('HSET', key, 'gateUntil', now + ARGV[1])
tell()`;

/**
 * Takes away what keeps everybody from sending, but for the quota. That it was by hand is kept: a gate that is merely
 * gone went with the data of Redis, and is shut again by who knows of it.
 */
export const LIFT_LUA = `${NOW}
clear()
redis.call('HDEL', key, 'gateUntil')
redis.call('HSET', key, 'liftedAt', now)
tell()`;

/**
 * ARGV: microseconds between two slots, slots wanted. → microseconds until the first of them.
 * A backlog no number of processes explains (the clock was set back) is forgotten.
 */
export const RESERVE_LUA = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local at = tonumber(redis.call('HGET', KEYS[1], 'slotAt') or '0')
local interval = tonumber(ARGV[1])
if at < now or at > now + 1000 * interval + 1000000 then at = now end
redis.call('HSET', KEYS[1], 'slotAt', string.format('%.0f', at + interval * ARGV[2]))
return string.format('%.0f', at - now)`;

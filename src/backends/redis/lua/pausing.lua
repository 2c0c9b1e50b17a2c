-- What the scripts that change pauses have in common; it goes before each of them.
-- KEYS: 1 revision (string), 2 broken (hash: endpoint -> "<end of the pause> <times> <1 when it is being probed, or 0>"),
-- 3 slowed (sorted set: endpoint, by the end of the pause). All times are in microseconds since 1970.
local time = redis.call('TIME')
local now = time[1] * 1e6 + time[2]

-- As Lua writes them by itself, large numbers lose digits.
local function exact(number) return string.format('%.0f', number) end

-- Of a broken endpoint the end of its pause, times, and whether it is being probed; otherwise nothing.
local function broken(endpoint)
  local state = redis.call('HGET', KEYS[2], endpoint)
  if not state then return end
  local ends, times, probing = string.match(state, '^(%d+) (%d+) ([01])$')
  if not ends then return end
  return tonumber(ends), tonumber(times), probing == '1'
end

local function put_broken(endpoint, ends, times, probing)
  redis.call('HSET', KEYS[2], endpoint, exact(ends) .. ' ' .. exact(times) .. ' ' .. probing)
end

-- 1. forgets slowings that are over; 2. gives the pauses another revision, later than all before, also than those before Redis came back
-- empty; 3. lets go of everything when nothing is paused any more: at once, or with the last slowing.
local function changed()
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', exact(now))
  local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]
  local any_broken = redis.call('EXISTS', KEYS[2]) == 1
  if not any_broken and not last then
    redis.call('DEL', KEYS[1])
    return
  end
  local revision = tonumber(redis.call('GET', KEYS[1]) or 0)
  redis.call('SET', KEYS[1], exact(math.max(revision + 1, now)))
  if last then
    local ends = exact(math.ceil(last / 1000))
    redis.call('PEXPIREAT', KEYS[3], ends)
    if not any_broken then redis.call('PEXPIREAT', KEYS[1], ends) end
  end
end

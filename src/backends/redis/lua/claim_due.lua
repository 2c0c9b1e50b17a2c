-- Leases due deliveries.
-- KEYS: 1 retries (sorted set)
-- ARGV: 1 how many at most, 2 lease in seconds
-- 1. finds those with a due time that has passed, oldest first; 2. moves their due time to the end of the lease
-- Returns {members, score of the first one of all afterwards or ''}.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'LIMIT', 0, ARGV[1])
if #due > 0 then
  local lease = string.format('%.6f', now + ARGV[2])
  local moved = {}
  for i = 1, #due do
    moved[2 * i - 1] = lease
    moved[2 * i] = due[i]
  end
  redis.call('ZADD', KEYS[1], unpack(moved))
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { due, first[2] or '' }

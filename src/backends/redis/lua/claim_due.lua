-- Leases deliveries: those whose lease ran out, and due ones.
-- KEYS: 1 retries (sorted set), 2 leased (sorted set)
-- ARGV: 1 how many at most, 2 lease in seconds, 3 how many of them may be ones whose lease ran out
-- 1. finds leases that ran out; 2. takes those with a due time that has passed off the schedule, oldest first, and forgets those whose
-- attempt is running already: its end will schedule them; 3. leases all of them
-- Returns {ids whose lease ran out, due ids, seconds until the first due time or end of a lease afterwards, or ''}.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local until_now = string.format('%.6f', now)
local lapsed = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', until_now, 'LIMIT', 0, ARGV[3])
local due = {}
if #lapsed < tonumber(ARGV[1]) then
  local passed = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', until_now, 'LIMIT', 0, ARGV[1] - #lapsed)
  if #passed > 0 then
    redis.call('ZREM', KEYS[1], unpack(passed))
    local leases = redis.call('ZMSCORE', KEYS[2], unpack(passed))
    for i = 1, #passed do
      if not leases[i] then due[#due + 1] = passed[i] end
    end
  end
end
local lease = string.format('%.6f', now + ARGV[2])
local leased = {}
for _, ids in ipairs({ lapsed, due }) do
  for i = 1, #ids do
    leased[#leased + 1] = lease
    leased[#leased + 1] = ids[i]
  end
end
if #leased > 0 then redis.call('ZADD', KEYS[2], unpack(leased)) end
local next_due = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local next_end = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
if next_due and next_end and tonumber(next_end) < tonumber(next_due) then next_due = next_end end
local next = next_due or next_end
return { lapsed, due, next and string.format('%.6f', next - now) or '' }

-- Lets the leases of deliveries start anew, also of those that a Redis which lost its memory knows nothing of.
-- KEYS: 1 leased (sorted set), 2 retries (sorted set)
-- ARGV: 1 lease in seconds, then the ids
-- 1. passes over those that are on the schedule; 2. leases the others
local time = redis.call('TIME')
local lease = string.format('%.6f', time[1] + time[2] / 1e6 + ARGV[1])
local ids = { unpack(ARGV, 2) }
local due = redis.call('ZMSCORE', KEYS[2], unpack(ids))
local leased = {}
for i = 1, #ids do
  if not due[i] then
    leased[#leased + 1] = lease
    leased[#leased + 1] = ids[i]
  end
end
if #leased > 0 then redis.call('ZADD', KEYS[1], unpack(leased)) end
return 1

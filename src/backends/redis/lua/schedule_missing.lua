-- Puts deliveries on the schedule that are neither on it nor leased.
-- KEYS: 1 retries (sorted set), 2 leased (sorted set)
-- ARGV: score and id of each
-- Returns how many were new.
local ids = {}
for i = 2, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
local leases = redis.call('ZMSCORE', KEYS[2], unpack(ids))
local missing = {}
for i = 1, #ids do
  if not leases[i] then
    missing[#missing + 1] = ARGV[2 * i - 1]
    missing[#missing + 1] = ids[i]
  end
end
if #missing == 0 then return 0 end
return redis.call('ZADD', KEYS[1], 'NX', unpack(missing))

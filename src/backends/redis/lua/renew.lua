-- Lets leases start anew. What is no longer held is passed over.
-- KEYS: 1 a sorted set of leases
-- ARGV: 1 lease in seconds, then the members
local time = redis.call('TIME')
local lease = string.format('%.6f', time[1] + time[2] / 1e6 + ARGV[1])
local renewed = {}
for i = 2, #ARGV do
  renewed[2 * i - 3] = lease
  renewed[2 * i - 2] = ARGV[i]
end
redis.call('ZADD', KEYS[1], 'XX', unpack(renewed))
return 1

-- Claims the oldest entries of door 1.
-- KEYS: 1 events (list), 2 claims (sorted set), 3 this claim (list, new)
-- ARGV: 1 how many at most, 2 lease in seconds, 3 the claim's id
-- 1. takes them off the right end; 2. keeps them, oldest first, under the claim; 3. starts the lease
-- Returns the entries, or nothing when there is none.
local entries = redis.call('RPOP', KEYS[1], ARGV[1])
if not entries then return false end
redis.call('RPUSH', KEYS[3], unpack(entries))
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], string.format('%.6f', time[1] + time[2] / 1e6 + ARGV[2]), ARGV[3])
return entries

-- Starts the lease of a claim before anything is in it, so that what a blocking move puts there is never without one.
-- KEYS: 1 claims (sorted set)
-- ARGV: 1 lease in seconds, 2 the claim's id
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.6f', time[1] + time[2] / 1e6 + ARGV[1]), ARGV[2])
return 1

-- Finds claims whose lease ran out.
-- KEYS: 1 claims (sorted set)
-- ARGV: 1 how many at most
-- Returns their ids, longest expired first.
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', time[1] + time[2] / 1e6), 'LIMIT', 0, ARGV[1])

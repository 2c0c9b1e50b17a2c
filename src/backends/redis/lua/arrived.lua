-- Gives a claim that a blocking move has filled a new id, which holds the time of the arrival instead of that at which the wait began.
-- KEYS: 1 claims (sorted set), 2 the claim that waited (list), 3 the claim (list, new)
-- ARGV: 1 the id that waited, 2 the new id, 3 lease in seconds
-- 1. makes sure that nobody took it over meanwhile; 2. renames it; 3. starts the lease anew
-- Returns 1, or 0 when it is somebody else's.
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('RENAME', KEYS[2], KEYS[3])
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.6f', time[1] + time[2] / 1e6 + ARGV[3]), ARGV[2])
return 1

-- Takes over one claim whose lease ran out, under a new id: whoever held it can no longer settle it.
-- KEYS: 1 claims (sorted set), 2 the old claim (list), 3 the new claim (list)
-- ARGV: 1 the old id, 2 the new id, 3 lease in seconds
-- 1. makes sure that nobody renewed or took it meanwhile; 2. renames it; 3. starts the lease
-- Returns its items, or nothing when it is not to be had or was empty.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) > now then return false end
redis.call('ZREM', KEYS[1], ARGV[1])
local items = redis.call('LRANGE', KEYS[2], 0, -1)
if #items == 0 then return false end
redis.call('RENAME', KEYS[2], KEYS[3])
redis.call('ZADD', KEYS[1], string.format('%.6f', now + ARGV[3]), ARGV[2])
return items

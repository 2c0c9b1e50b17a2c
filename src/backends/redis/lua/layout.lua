-- Tells whether the queue has as many shards as the caller thinks, and lets one caller change that.
-- KEYS: 1 shards (hash: shards, most: as many as there ever were, changing: until when somebody changes it)
-- ARGV: 1 how many there are to be, 2 how long a change may take, in seconds
-- 1. a queue that was never sharded stays what it is when there is to be one; 2. of those that want another number one is let
-- Returns 0 (it has that many), 1 (the caller changes it), 2 (somebody else does); how many shards there are, 0 where it is not known or there
-- are none; and how many there ever were.
local found = redis.call('HMGET', KEYS[1], 'shards', 'most', 'changing')
local shards, most, changing = found[1], tonumber(found[2] or 0), found[3]
if shards == ARGV[1] or (most == 0 and ARGV[1] == '1') then return { 0, tonumber(shards or 0), most } end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
if changing and tonumber(changing) > now then return { 2, tonumber(shards or 0), most } end
most = math.max(most, tonumber(shards or 0), tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'most', most, 'changing', string.format('%.6f', now + ARGV[2]))
return { 1, tonumber(shards or 0), most }

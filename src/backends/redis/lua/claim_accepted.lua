-- Claims the oldest accepted events.
-- KEYS: 1 accepted (sorted set), 2 claims (sorted set), 3 this claim (list, new)
-- ARGV: 1 how many at most, 2 lease in seconds, 3 the claim's id, 4 and 5 score and member that a blocking pop took (optional)
-- 1. puts back what the pop took; 2. takes the oldest; 3. keeps them, oldest first, under the claim; 4. starts the lease
-- Returns the members, or nothing when there is none.
if ARGV[5] then redis.call('ZADD', KEYS[1], 'NX', ARGV[4], ARGV[5]) end
local popped = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
if #popped == 0 then return false end
local members = {}
for i = 1, #popped, 2 do members[#members + 1] = popped[i] end
redis.call('RPUSH', KEYS[3], unpack(members))
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], string.format('%.6f', time[1] + time[2] / 1e6 + ARGV[2]), ARGV[3])
return members

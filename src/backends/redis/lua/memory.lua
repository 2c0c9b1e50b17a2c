-- Tells whether this Redis still holds what it was given. The mark goes with everything else when Redis comes back empty.
-- KEYS: 1 the mark (string: whole, or restoring)
-- ARGV: 1 how long the one who is told first has for putting everything back, in milliseconds
-- Returns 0 (whole), 1 (lost: the caller puts everything back), 2 (somebody else does).
local mark = redis.call('GET', KEYS[1])
if mark == 'whole' then return 0 end
if mark then return 2 end
redis.call('SET', KEYS[1], 'restoring', 'PX', ARGV[1])
return 1

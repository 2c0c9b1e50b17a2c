-- Forgets that endpoints are broken. Stands after pausing.lua.
-- KEYS: 1 revision (string), 2 broken (hash), 3 slowed (sorted set)
-- ARGV: the endpoints
-- 1. takes them out; 2. gives a new revision if any of them was broken
-- Returns how many were.
local mended = redis.call('HDEL', KEYS[2], unpack(ARGV))
if mended > 0 then changed() end
return mended

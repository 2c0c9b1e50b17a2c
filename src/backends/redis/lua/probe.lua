-- Lets one caller probe a broken endpoint. Stands after pausing.lua.
-- KEYS: 1 revision (string), 2 broken (hash), 3 slowed (sorted set)
-- ARGV: 1 the endpoint, 2 how long the probe has, in microseconds
-- 1. makes sure that its pause is over; 2. pauses it for the others; 3. gives a new revision
-- Returns 1 (ours), or 0 when it is not broken, paused, or being probed.
local ends, times = broken(ARGV[1])
if not ends or ends > now then return 0 end
put_broken(ARGV[1], now + ARGV[2], times, 1)
changed()
return 1

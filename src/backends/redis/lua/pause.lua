-- Pauses endpoints that are broken or slowed. Stands after pausing.lua.
-- KEYS: 1 revision (string), 2 broken (hash), 3 slowed (sorted set)
-- ARGV: of each pause four: 'broken' or 'slowed', endpoint, how long (of a broken one: the first time), how long at most; in microseconds
-- 1. a broken one that is paused, and not being probed, is left alone, others are paused for longer each time; 2. a slowing only grows;
-- 3. there is a new revision if that changed anything
-- Returns 1.
local any = false
for i = 1, #ARGV, 4 do
  local endpoint, lasts, most = ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  if ARGV[i] == 'slowed' then
    if redis.call('ZADD', KEYS[3], 'GT', 'CH', exact(now + lasts), endpoint) == 1 then any = true end
  else
    local ends, times, probing = broken(endpoint)
    if not ends or ends <= now or probing then
      times = times or 0
      -- Beyond that it has long been at its most.
      local length = math.min(lasts * 2 ^ math.min(times, 60), most)
      put_broken(endpoint, now + length, times + 1, 0)
      any = true
    end
  end
end
if any then changed() end
return 1

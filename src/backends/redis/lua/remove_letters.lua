-- Removes dead letters by their ids, one for each, newest first.
-- KEYS: 1 dead letters (list)
-- ARGV: 1 the place to start after, or 0 for the newest (see letters.lua); 2 letters, and 3 bytes, to look at; then the ids
-- 1. marks what goes; 2. takes it out in one go, from the end that is nearer
-- Returns the place of the last one looked at (0 at the end), and the ids of what went.
local length = redis.call('LLEN', KEYS[1])
local place = tonumber(ARGV[1]) - 1
if place < 0 or place > length then place = length end
local wanted, left, gone = {}, 0, {}
for i = 4, #ARGV do
  wanted[ARGV[i]] = (wanted[ARGV[i]] or 0) + 1
  left = left + 1
end
local mark = 'this dead letter goes: ' .. redis.sha1hex(ARGV[4])
local looked, bytes, last = 0, 0, 0
while place > 0 and left > 0 and looked < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local letter = redis.call('LINDEX', KEYS[1], -place)
  local id = redis.sha1hex(letter)
  if (wanted[id] or 0) > 0 then
    redis.call('LSET', KEYS[1], -place, mark)
    wanted[id], left = wanted[id] - 1, left - 1
    gone[#gone + 1] = id
  end
  looked, bytes, last, place = looked + 1, bytes + #letter, place, place - 1
end
if #gone > 0 then
  local count = #gone
  if last * 2 < length then count = -count end
  redis.call('LREM', KEYS[1], count, mark)
end
return {place > 0 and left > 0 and last or 0, gone}

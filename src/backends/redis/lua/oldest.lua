-- The entry that is claimed next.
-- KEYS: the list. ARGV: how many bytes are read at most.
-- Returns nothing when the list is empty; else whether it is whole, and the entry, or its length, its start and its end.
local entry = redis.call('LINDEX', KEYS[1], -1)
if not entry then return false end
local most = tonumber(ARGV[1])
if #entry <= most then return { 1, entry } end
return { 0, #entry .. ' ' .. string.sub(entry, 1, most / 2) .. string.sub(entry, -most / 2) }

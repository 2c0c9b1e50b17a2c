-- Reserves the routing of events for one claim, which may be of another shard. Whether a holder lives is known where it was claimed, so
-- the caller asks there, and comes again.
-- KEYS: 1 routing (hash: event -> claim id)
-- ARGV: 1 the claim's id, then of each event two: its key, and the id of a claim that does not live any more, or ''
-- 1. looks who holds them; 2. those that nobody holds, or the claim itself, or the one that does not live, become ours
-- Returns for each event '' (ours) or its holder.
local events = {}
for i = 2, #ARGV, 2 do events[#events + 1] = ARGV[i] end
local holders = redis.call('HMGET', KEYS[1], unpack(events))
local answers, ours = {}, {}
for i = 1, #events do
  local holder = holders[i]
  if holder and holder ~= ARGV[1] and holder ~= ARGV[2 * i + 1] then
    answers[i] = holder
  else
    answers[i] = ''
    ours[#ours + 1] = events[i]
    ours[#ours + 1] = ARGV[1]
  end
end
if #ours > 0 then redis.call('HSET', KEYS[1], unpack(ours)) end
return answers

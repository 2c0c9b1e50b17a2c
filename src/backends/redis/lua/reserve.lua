-- Reserves the routing of events for one claim.
-- KEYS: 1 routing (hash: event -> claim id), 2 claims (sorted set)
-- ARGV: 1 the claim's id, then the events
-- 0. a claim without a lease of its own reserves nothing; 1. looks who holds them; 2. a holder that is another claim with a lease keeps its event, all other events become ours
-- Returns for each event 1 (ours) or 0.
local events = { unpack(ARGV, 2) }
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  local none = {}
  for i = 1, #events do none[i] = 0 end
  return none
end
local holders = redis.call('HMGET', KEYS[1], unpack(events))
local answers, ours = {}, {}
for i = 1, #events do
  local holder = holders[i]
  if holder and holder ~= ARGV[1] and redis.call('ZSCORE', KEYS[2], holder) then
    answers[i] = 0
  else
    answers[i] = 1
    ours[#ours + 1] = events[i]
    ours[#ours + 1] = ARGV[1]
  end
end
if #ours > 0 then redis.call('HSET', KEYS[1], unpack(ours)) end
return answers

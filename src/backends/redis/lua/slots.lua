-- Reserves slots of rate limits.
-- KEYS: for each ask, its endpoint's last slot (string, microseconds since 1970)
-- ARGV: of each ask three: the time from slot to slot, how many at most, how far off at most; in microseconds
-- 1. finds the first free slot, and how many fit; 2. keeps the last one taken until it no longer matters
-- Returns for each ask two numbers: how far off the first slot is, in microseconds, and how many there are. The others follow evenly.
local time = redis.call('TIME')
local now = time[1] * 1e6 + time[2]
local answers = {}
for i = 1, #KEYS do
  local every, count, ahead = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local last = redis.call('GET', KEYS[i])
  local first = now
  if last then first = math.max(now, last + every) end
  local fit = math.min(count, math.floor((now + ahead - first) / every) + 1)
  if fit > 0 then
    last = first + (fit - 1) * every
    local matters = math.max(1, math.ceil((last + every - now) / 1000))
    redis.call('SET', KEYS[i], string.format('%.0f', last), 'PX', string.format('%.0f', matters))
  else
    fit = 0
  end
  answers[2 * i - 1] = first - now
  answers[2 * i] = fit
end
return answers

-- Reserves slots of rate limits, and gives places in the lines of those that wait for one.
-- KEYS: for each ask, its endpoint's last slot and the last place in its line (strings, microseconds since 1970)
-- ARGV: of each ask five: the time from slot to slot, how many there are, how far off a slot may be, how far off a place may be, all in
-- microseconds, and 1 for newcomers or 0
-- 1. finds the first free slot, and how many fit, unless newcomers would overtake the line; 2. finds places for the rest, and how many
-- fit; 3. keeps the last slot and the last place until they no longer matter
-- Returns for each ask four numbers: how far off the first slot is, in microseconds, how many there are, and the same of places. The
-- others follow evenly.
local time = redis.call('TIME')
local now = time[1] * 1e6 + time[2]
local function fit(first, stop, every, most)
  return math.max(0, math.min(most, math.floor((stop - first) / every) + 1))
end
local function keep(key, last, every)
  local matters = math.max(1, math.ceil((last + every - now) / 1000))
  redis.call('SET', key, string.format('%.0f', last), 'PX', string.format('%.0f', matters))
end
local answers = {}
for i = 1, #KEYS / 2 do
  local slot_key, line_key, arg = KEYS[2 * i - 1], KEYS[2 * i], 5 * i - 5
  local every, count = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local ahead, line = now + ARGV[arg + 3], now + ARGV[arg + 4]
  local last_slot, last_place = redis.call('GET', slot_key), redis.call('GET', line_key)
  local first = now
  if last_slot then first = math.max(now, last_slot + every) end
  local slots = 0
  if ARGV[arg + 5] == '0' or not last_place or tonumber(last_place) <= ahead then
    slots = fit(first, ahead, every, count)
  end
  local place = first + slots * every
  if last_place then place = math.max(place, last_place + every) end
  local places = fit(place, line, every, count - slots)
  if slots > 0 then keep(slot_key, first + (slots - 1) * every, every) end
  if places > 0 then keep(line_key, place + (places - 1) * every, every) end
  answers[4 * i - 3], answers[4 * i - 2] = first - now, slots
  answers[4 * i - 1], answers[4 * i] = place - now, places
end
return answers

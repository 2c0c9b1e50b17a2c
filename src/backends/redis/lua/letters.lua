-- Reads dead letters, newest first, one at a time: they may be large.
-- KEYS: 1 dead letters (list)
-- ARGV: 1 the place to start after, or 0 for the newest; 2 letters to answer at most; 3 letters, and 4 bytes, to look at; 5 bytes of a letter
--       that is answered whole; 6 bytes that are left of the entry of a longer one; then the ids of those to answer, or none for all
-- A place counts from the oldest letter, which has 1, so that what comes in moves nothing.
-- Returns how many there are, the place of the last one looked at (0 at the end), and for each: id, 0 and the letter; or, of one that is
-- too long, its id, 1 (2 where it is none of ours), bytes of the whole entry, at, reason, and the start of the entry.
local length = redis.call('LLEN', KEYS[1])
local place = tonumber(ARGV[1]) - 1
if place < 0 or place > length then place = length end
local wanted = nil
if #ARGV > 6 then
  wanted = {}
  for i = 7, #ARGV do wanted[ARGV[i]] = true end
end

local function row(id, letter)
  if #letter <= tonumber(ARGV[5]) then return {id, 0, 0, '', '', letter} end
  local ok, read = pcall(cjson.decode, letter)
  if not ok or type(read) ~= 'table' or type(read.entry) ~= 'string' or type(read.reason) ~= 'string' then
    return {id, 2, #letter, '', '', string.sub(letter, 1, tonumber(ARGV[6]))}
  end
  local size = #read.entry
  if type(read.entry_base64) == 'string' then
    local text = read.entry_base64
    size = math.floor(#text / 4) * 3 - #string.match(text, '=*$')
  end
  -- Inside of a string, this quote would have a backslash before it.
  local at = string.match(letter, '"at":%s*([%d%.eE+-]+)') or ''
  return {id, 1, size, at, string.sub(read.reason, 1, 1000), string.sub(read.entry, 1, tonumber(ARGV[6]))}
end

local rows, looked, bytes, last = {}, 0, 0, 0
while place > 0 and #rows < tonumber(ARGV[2]) and looked < tonumber(ARGV[3]) and bytes < tonumber(ARGV[4]) do
  local letter = redis.call('LINDEX', KEYS[1], -place)
  local id = redis.sha1hex(letter)
  if not wanted or wanted[id] then rows[#rows + 1] = row(id, letter) end
  looked, bytes, last, place = looked + 1, bytes + #letter, place, place - 1
end
return {length, place > 0 and last or 0, rows}

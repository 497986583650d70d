-- Reads JSON. null is `json.null`, so that an array or a map keeps its place for it.

local json = { null = setmetatable({}, { __tostring = function() return "null" end }) }

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local WORDS = { ["true"] = true, ["false"] = false, null = json.null }

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function unescape(text)
  -- A character beyond 16 bits is written as two.
  text = text:gsub("\\u([Dd][89ABab]%x%x)\\u([Dd][C-Fc-f]%x%x)", function(high, low)
    return utf8(0x10000 + (tonumber(high, 16) - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00)
  end)
  return (text:gsub("\\(.)(%x?%x?%x?%x?)", function(letter, digits)
    if letter == "u" then return utf8(tonumber(digits, 16)) end
    return (ESCAPES[letter] or letter) .. digits
  end))
end

-- Each reader takes the text and a position, and gives the value and the position behind it.
local value

local function skip(text, at) return text:find("%S", at) or #text + 1 end

local function fail(text, at)
  error(("not JSON at byte %d: %s"):format(at, text:sub(at, at + 20)), 0)
end

local function quoted(text, at)
  local stop = at + 1
  while true do
    stop = text:find('["\\]', stop) or fail(text, at)
    if text:sub(stop, stop) == '"' then return unescape(text:sub(at + 1, stop - 1)), stop + 1 end
    stop = stop + 2
  end
end

-- The members between two brackets, each read by `member`.
local function members(text, at, close, member)
  local items = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return items, at + 1 end
  while true do
    at = skip(text, member(items, at))
    local mark = text:sub(at, at)
    at = skip(text, at + 1)
    if mark == close then return items, at end
    if mark ~= "," then fail(text, at) end
  end
end

local function array(text, at)
  return members(text, at, "]", function(items, start)
    items[#items + 1], start = value(text, start)
    return start
  end)
end

local function object(text, at)
  return members(text, at, "}", function(items, start)
    local key, colon = quoted(text, start)
    colon = skip(text, colon)
    if text:sub(colon, colon) ~= ":" then fail(text, colon) end
    items[key], start = value(text, skip(text, colon + 1))
    return start
  end)
end

function value(text, at)
  local first = text:sub(at, at)
  if first == "{" then return object(text, at) end
  if first == "[" then return array(text, at) end
  if first == '"' then return quoted(text, at) end
  local word = text:match("^%a+", at)
  if word and WORDS[word] ~= nil then return WORDS[word], at + #word end
  local number = text:match("^-?%d[%d.eE+-]*", at) or fail(text, at)
  return tonumber(number), at + #number
end

-- The value that a text is.
function json.decode(text)
  local found, stop = value(text, skip(text, 1))
  stop = skip(text, stop)
  if stop <= #text then fail(text, stop) end
  return found
end

return json

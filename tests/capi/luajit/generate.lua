-- Writes a binding for LuaJIT from include/tinyci.json, and from nothing else:
--
--     luajit generate.lua tinyci.json >tinyci.lua
--
-- In that binding an object has the functions that take it first as methods, and is freed when
-- nothing refers to it any more. What a function stores comes back as results, before its status;
-- lengths are not seen; an error is thrown, as an object that `tostring` gives the message of.
-- Constants stand in tables by their group: `tinyci.OUTCOME.SUCCESS`.
--
-- It fails on what it has no rule for, so that no function is bound by a guess.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path
local json = require("json")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return json.decode(text)
end

local header = read(arg[1])
local lines = {}
local function line(text, ...) lines[#lines + 1] = select("#", ...) > 0 and text:format(...) or text end
local function some(value) if value ~= json.null then return value end end

local handles, groups, numbers = {}, {}, {}
for _, handle in ipairs(header.handles) do handles[handle.name] = handle end
for _, group in ipairs(header.groups) do groups[group.name] = group end
for _, type in ipairs(header.types) do numbers[type.name] = type.type end

-- `const tinyci_engine *` as `tinyci_engine`.
local function bare(type) return (type:gsub("const ", ""):gsub("[ *]", "")) end
local function short(name) return (name:gsub("^tinyci_", "")) end

-- What every binding of this kind has, before its functions.
local RUNTIME = [[
local library = ffi.load(os.getenv("TINYCI_LIBRARY") or "libtinyci.so." .. ABI)
if library.tinyci_abi() ~= ABI then error("tinyci: the library has another ABI than " .. ABI) end
if library.tinyci_version_number() < VERSION_NUMBER then error("tinyci: the library is too old") end

local tinyci = {}
-- The classes of objects, by their C type; and how one is freed that belongs to nothing else.
local classes, free = {}, {}

-- Whether an object can be used: it was not freed, and what it belongs to was not either.
local function is_alive(object)
  return object.pointer ~= nil and (object.owner == nil or is_alive(object.owner))
end

-- An object of a pointer. One that belongs to another keeps that alive; the others free themselves.
local function object(kind, pointer, owner)
  if pointer == nil then return nil end
  if owner == nil then pointer = ffi.gc(pointer, free[kind]) end
  return setmetatable({ pointer = pointer, owner = owner }, classes[kind])
end

local function wrong(name, expected, value)
  error(("`%s` has to be %s, not %s"):format(name, expected, type(value)), 3)
end

local function pointer_of(value, kind, name)
  if getmetatable(value) ~= classes[kind] then wrong(name, "a " .. kind, value) end
  if not is_alive(value) then error(("`%s` is gone"):format(name), 3) end
  return value.pointer
end

-- The pointer of an object that the call takes for good.
local function taken(value, kind, name)
  local pointer = ffi.gc(pointer_of(value, kind, name), nil)
  value.pointer = nil
  return pointer
end

-- Ends what the owner lent last, since its next one takes the place.
local function expire(owner)
  if owner.lent then owner.lent.pointer = nil end
end

local function lend(owner, lent)
  owner.lent = lent
  return lent
end

local function bytes_of(value, name)
  if type(value) ~= "string" then wrong(name, "a string", value) end
  return value
end

local function text_of(value, name)
  if bytes_of(value, name):find("\0", 1, true) then error(("`%s` has a NUL in it"):format(name), 3) end
  return value
end

local RANGES = {
  int32_t = { -2 ^ 31, 2 ^ 31 - 1 }, uint32_t = { 0, 2 ^ 32 - 1 },
  int64_t = { -2 ^ 53, 2 ^ 53 }, uint64_t = { 0, 2 ^ 53 }, size_t = { 0, 2 ^ 53 },
  double = { -math.huge, math.huge },
}

-- A number on its way in. Numbers of 64 bits may come as those of the ffi, too.
local function number_of(value, kind, name)
  if type(value) == "boolean" then return value and 1 or 0 end
  if type(value) == "cdata" then return value end
  if type(value) ~= "number" then wrong(name, "a number", value) end
  local range = RANGES[kind]
  if value < range[1] or value > range[2] or (kind ~= "double" and value % 1 ~= 0) then
    error(("`%s` is no %s: %s"):format(name, kind, value), 3)
  end
  return value
end

-- A number on its way out: Lua's own, if it can have it.
local function number(value)
  if type(value) ~= "cdata" then return value end
  local plain = tonumber(value)
  return (plain > -2 ^ 53 and plain < 2 ^ 53) and plain or value
end

local function text(pointer)
  if pointer ~= nil then return ffi.string(pointer) end
end

local function bytes(pointer, length)
  if pointer ~= nil then return ffi.string(pointer, length) end
end

-- A text that the caller owns: copied, and freed.
local function owned_text(pointer, free_it)
  local copy = text(pointer)
  free_it(pointer)
  return copy
end

-- Throws the error that a call stored.
local function check(status, stored)
  if status >= 0 then return end
  error(object("tinyci_error", stored[0]) or ("tinyci: status " .. status), 3)
end
]]

local function declarations()
  line("ffi.cdef[[")
  for _, handle in ipairs(header.handles) do line("typedef struct %s %s;", handle.name, handle.name) end
  for _, type in ipairs(header.types) do line("typedef %s %s;", type.type, type.name) end
  for _, it in ipairs(header.functions) do
    local parameters = {}
    for index, parameter in ipairs(it.parameters) do parameters[index] = parameter.type end
    line("%s %s(%s);", it.returns.type, it.name, #parameters > 0 and table.concat(parameters, ", ") or "void")
  end
  line("]]")
end

local function constants()
  local tables = {}
  for _, it in ipairs(header.constants) do
    local group = groups[it.group] or error(it.name .. " is in no group")
    if not tables[group.name] then
      tables[group.name] = true
      line("-- %s", group.doc:gsub("\n", " "))
      line("tinyci.%s = {}", group.name:upper())
    end
    local value = type(it.value) == "string" and ("%q"):format(it.value) or it.value
    line("tinyci.%s.%s = %s", group.name:upper(), it.name:sub(#group.prefix + 1), value)
  end
end

local function class(handle)
  line("classes.%s = { __index = {}, __name = %q }", handle.name, handle.name)
  if some(handle.free) then line("free.%s = library.%s", handle.name, handle.free) end
end

-- What one function takes and gives, gathered while its parameters are read.
local function plan(it)
  return { it = it, takes = {}, before = {}, passes = {}, gives = {} }
end

local function add(list, text, ...) list[#list + 1] = text:format(...) end

-- A parameter that the caller gives: `_name` in Lua, `c_name` for C.
local function given(call, parameter)
  local name, kind = parameter.name, parameter.type
  local convert
  if parameter.direction == "consumed" then
    convert = ("taken(_%s, %q, %q)"):format(name, bare(kind), name)
  elseif handles[bare(kind)] then
    convert = ("pointer_of(_%s, %q, %q)"):format(name, bare(kind), name)
  elseif kind == "const char *" or kind == "const uint8_t *" then
    convert = ("%s(_%s, %q)"):format(some(parameter.length) and "bytes_of" or "text_of", name, name)
  elseif not some(parameter.ownership) then
    convert = ("number_of(_%s, %q, %q)"):format(name, numbers[kind] or kind, name)
  else
    error(("%s: no rule for `%s`"):format(call.it.name, name))
  end
  if parameter.nullable then convert = ("_%s ~= nil and %s or nil"):format(name, convert) end
  add(call.takes, "_%s", name)
  add(call.before, "local c_%s = %s", name, convert)
  add(call.passes, "c_%s", name)
end

-- A parameter that the call stores something in.
local function stored(call, parameter)
  local name = parameter.name
  local kind = assert(parameter.type:match("^(.*)%*$"), parameter.type)
  add(call.before, "local c_%s = ffi.new(%q)", name, kind .. "[1]")
  add(call.passes, "c_%s", name)
  if name == "err" then
    call.error = "c_err"
  elseif some(parameter.length_of) then
    call.length = ("c_%s[0]"):format(name)
  elseif not some(parameter.ownership) then
    add(call.gives, "number(c_%s[0])", name)
  elseif bare(kind) == "char" then
    add(call.gives, "owned_text(c_%s[0], library.%s)", name, parameter.free)
  elseif parameter.ownership == "owned" then
    add(call.gives, "object(%q, c_%s[0])", bare(kind), name)
  elseif handles[bare(kind)]["until"] == call.it.name then
    add(call.before, "expire(_%s)", parameter.owner)
    add(call.gives, "lend(_%s, object(%q, c_%s[0], _%s))", parameter.owner, bare(kind), name, parameter.owner)
  else
    add(call.gives, "object(%q, c_%s[0], _%s)", bare(kind), name, parameter.owner)
  end
end

-- What the call gives, of what C returns as `result`.
local function returned(call)
  local returns = call.it.returns
  local kind = returns.type
  if call.error then
    add(call.gives, "result")
  elseif kind == "void" then
    return
  elseif not some(returns.ownership) then
    add(call.gives, "number(result)")
  elseif kind == "const char *" then
    add(call.gives, "text(result)")
  elseif some(returns.length) then
    add(call.gives, "bytes(result, %s)", assert(call.length, call.it.name))
  elseif handles[bare(kind)] then
    local owner = some(returns.owner)
    add(call.gives, "object(%q, result%s)", bare(kind), owner and ", _" .. owner or "")
  else
    error(call.it.name .. ": no rule for its result")
  end
end

-- Where Lua finds it: a method of the object that it takes first, or a function of the module.
local function place(it)
  local first = it.parameters[1]
  local kind = first and first.direction ~= "out" and bare(first.type)
  if not handles[kind] then return "tinyci." .. short(it.name) end
  local prefix = kind .. "_"
  local name = it.name:sub(1, #prefix) == prefix and it.name:sub(#prefix + 1) or short(it.name)
  return ("classes.%s.__index.%s"):format(kind, name)
end

local seen = {}
local function bind(it)
  local call = plan(it)
  local counted = {}
  for _, parameter in ipairs(it.parameters) do
    if some(parameter.length) then counted[parameter.length] = parameter.name end
  end
  for _, parameter in ipairs(it.parameters) do
    if parameter.direction == "out" then
      stored(call, parameter)
    elseif counted[parameter.name] then
      add(call.passes, "#c_%s", counted[parameter.name])
    else
      given(call, parameter)
    end
  end
  returned(call)
  local name = place(it)
  assert(not seen[name], name)
  seen[name] = true
  line("%s = function(%s)", name, table.concat(call.takes, ", "))
  for _, text in ipairs(call.before) do line("  %s", text) end
  line("  local result = library.%s(%s)", it.name, table.concat(call.passes, ", "))
  if call.error then line("  check(result, %s)", call.error) end
  line("  return %s", table.concat(call.gives, ", "))
  line("end")
end

-- Texts that the caller owns are freed as they are copied.
local function is_for_texts(it)
  local first = it.parameters[1]
  return first and first.direction == "consumed" and not handles[bare(first.type)]
end

line("-- A binding of tinyci %s for LuaJIT. Written by generate.lua from tinyci.json.", header.version)
line('local ffi = require("ffi")')
line("local VERSION, ABI = %q, %d", header.version, header.abi)
for _, it in ipairs(header.constants) do
  if it.name == "TINYCI_VERSION_NUMBER" then line("local VERSION_NUMBER = %d", it.value) end
end
declarations()
line(RUNTIME)
constants()
for _, handle in ipairs(header.handles) do class(handle) end
for _, it in ipairs(header.functions) do
  if not is_for_texts(it) then bind(it) end
end
line("classes.tinyci_error.__tostring = function(error) return error:message() end")
line("return tinyci")
io.write(table.concat(lines, "\n"), "\n")

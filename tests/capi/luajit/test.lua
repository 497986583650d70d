-- A host in LuaJIT, by the binding that generate.lua wrote. It checks for itself what comes of:
--
--     luajit test.lua REPOSITORY COMMIT LIVE ROUNDS
--
-- a push of COMMIT to REPOSITORY, whose script asks for a hook, a function and a secret, and deploys
-- to the file LIVE. What a round of calls makes is gone after ROUNDS of them.

local ffi = require("ffi")
local json = require("json")
local tinyci = require("tinyci")

local repository, commit, live, rounds = arg[1], arg[2], arg[3], tonumber(arg[4])
local OK, DONE = tinyci.CODE.OK, tinyci.CODE.DONE
local SUCCESS = tinyci.OUTCOME.SUCCESS

local function same(given, expected)
  if given ~= expected then
    error(("expected %s, got %s"):format(tostring(expected), tostring(given)), 2)
  end
end

-- An engine whose host is asked for a hook, a function and a secret.
local function open()
  local options = tinyci.options_new()
  options:set_var("greeting", "hello")
  options:add_hook("before_build")
  options:add_function("double", 1, 2, tinyci.EFFECT.PURE, "Doubles a number.")
  options:set_handlers(tinyci.HANDLER.SECRET)
  return (tinyci.engine_open(repository, options))
end

local answers = {
  [tinyci.EVENT.HOOK] = function(request)
    same(request:name(), "before_build")
    same(request:commit(), commit)
    request:set_var("release", "7")
    request:ok()
  end,
  [tinyci.EVENT.FUNCTION] = function(request)
    same(request:name(), "double")
    same(request:arg_count(), 2)
    same(request:arg_kind(0), tinyci.VALUE.INT)
    same(request:arg_json(1), '{"unit":"m"}')
    request:return_json(('{"length":%d}'):format(2 * request:arg_int(0)))
  end,
  [tinyci.EVENT.SECRET] = function(request)
    same(request:name(), "TOKEN")
    request:return_bytes("opensesame")
  end,
}

-- Pulls a run to its end. Gives what its commands wrote, and how often each kind came.
local function drain(run)
  local output, kinds = {}, {}
  while true do
    local event, status = run:next(-1)
    if status == DONE then return table.concat(output), kinds end
    local kind = event:kind()
    kinds[kind] = (kinds[kind] or 0) + 1
    if kind == tinyci.EVENT.OUTPUT then output[#output + 1] = event:data() end
    local answer = answers[kind]
    if answer then answer(event:take_request()) end
  end
end

local function runs_a_push(engine)
  local output, kinds = drain(engine:run_start())
  same(output, "hello 42 in release 7\n***\n")
  for kind in pairs(answers) do same(kinds[kind], 1) end
  local records = engine:records_query(nil, 0, 0)
  local record, status = records:next()
  same(status, OK)
  same(record:commit(), commit)
  same(record:outcome(), SUCCESS)
  same(tinyci.outcome_name(record:outcome()), "success")
  same(record:branch_bytes(), "main")
  same(record:step_count(), 2)
  same(json.decode(record:json()).steps[1].name, "before_build")
  same(records:next(), nil)
  same(select(2, records:next()), DONE)
end

local function deploys(engine)
  local request = tinyci.deploy_request_new()
  request:set_revision(commit)
  request:set_by("Ada", "ada@example.org")
  local plan = json.decode((engine:deploy_plan_json(nil, request)))
  same(plan.commit.id, commit)
  request:set_plan((engine:deploy_plan_json(nil, request)))
  local run = engine:deploy_start(nil, request)
  local _, kinds = drain(run)
  same(kinds[tinyci.EVENT.DEPLOY_STARTED], 1)
  same(run:deploy_outcome(), SUCCESS)
  local deployment = json.decode((run:deployment_json()))
  same(deployment.commit, commit)
  same(deployment.outcome, "success")
  same(deployment.environment, "production")
  same(assert(io.open(live)):read("*a"), "released\n")
end

-- What a call throws.
local function thrown(call, ...)
  local done, what = pcall(call, ...)
  assert(not done, "nothing was thrown")
  return what
end

local function has(text, part)
  assert(tostring(text):find(part, 1, true), ("%q has no %q"):format(tostring(text), part))
end

local function throws_what_goes_wrong(engine)
  local missing = thrown(engine.pipeline_load, engine, "no-such-revision")
  same(missing:code(), tinyci.CODE.NOT_FOUND)
  has(missing, "no-such-revision")
  local config = "build: [\n"
  local broken = thrown(engine.pipeline_parse, engine, config, tinyci.FORMAT.YAML, "a.yml")
  same(broken:code(), tinyci.CODE.CONFIG)
  assert(broken:line() > 0)
  has(thrown(engine.pipeline_load, engine, nil), "`revision` has to be a string")
  has(thrown(engine.pipeline_load, engine, "a\0b"), "`revision` has a NUL")
  has(thrown(engine.run_start, engine, engine), "`selection` has to be a tinyci_selection")
  has(thrown(tinyci.options_new().set_jobs, tinyci.options_new(), -1), "is no uint32_t")
end

-- What is gone is not used: what was taken, what was lent for a while, what died with its owner.
local function knows_what_is_gone(engine)
  local selection = tinyci.selection_new()
  selection:add_revision(commit)
  selection:set_retry(true)
  local run = engine:run_start(selection)
  local first = run:next(-1)
  local second = run:next(-1)
  has(thrown(first.kind, first), "`event` is gone")
  assert(second:kind() > 0)
  local event = second
  while event:kind() ~= tinyci.EVENT.HOOK do event = run:next(-1) end
  local request = event:take_request()
  same(event:take_request(), nil)
  run:free()
  -- It is taken by the call also where that gives an error.
  same(thrown(request.ok, request):code(), tinyci.CODE.CANCELED)
  has(thrown(request.ok, request), "`request` is gone")
  has(thrown(event.kind, event), "`event` is gone")
  has(thrown(run.next, run, 0), "`run` is gone")
  local records = engine:records_query(nil, 0, 1)
  local record = records:next()
  records:free()
  has(thrown(record.json, record), "`record` is gone")
end

ffi.cdef [[
struct mallinfo2 { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; };
struct mallinfo2 mallinfo2(void);
]]

-- The bytes that malloc has given to somebody. Lua's own memory is not among them.
local function allocated()
  -- The first frees what has a finalizer, the second what that let go.
  collectgarbage()
  collectgarbage()
  local info = ffi.C.mallinfo2()
  return tonumber(info.uordblks) + tonumber(info.hblkhd)
end

-- What is made so often is freed as often, by the garbage collection and by hand.
local function leaves_nothing_behind()
  local function round()
    local options = tinyci.options_new()
    options:set_var("greeting", "hello")
    local other = tinyci.engine_open(repository, options)
    local pipeline = other:pipeline_parse("build: make\ntest: make check\n", tinyci.FORMAT.YAML, "a.yml")
    same(pipeline:step_count(), 2)
    same(pipeline:step_name(1), "test")
    pipeline:free()
    local vars = tinyci.vars_new()
    vars:set("name", "value")
    same(tinyci.interpolate("<%= name %>", vars), "value")
    assert(#other:settings_json() > 0)
    thrown(other.pipeline_load, other, "no-such-revision")
    local records = other:records_query(nil, 0, 1)
    assert(#records:next():json() > 0)
    tinyci.cancel_new():child():trigger()
  end
  for _ = 1, math.min(rounds, 100) do round() end
  -- A leak grows with every batch; what malloc keeps for later does not.
  local left
  for _ = 1, 3 do
    local before = allocated()
    for _ = 1, rounds do round() end
    left = allocated() - before
    -- No object of the library is as small as 32 bytes.
    if left < 32 * rounds then return end
  end
  error(("%d bytes are left of %d rounds, in each of three batches"):format(left, rounds))
end

local engine = open()
same(engine:path(), repository)
runs_a_push(engine)
knows_what_is_gone(engine)
deploys(engine)
throws_what_goes_wrong(engine)
leaves_nothing_behind()
print("ok")

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hasFeature, open, Refusal } from "tinyci";
import { Repository, eventsOf, eventually, outputOf } from "./support.js";

/** Runs what is pending, with these options, in a repository of these files. */
async function run(t, files, options) {
  const repository = new Repository(t, files);
  const engine = await open(repository.path, options);
  t.after(() => engine.close());
  const running = engine.run();
  let events = [];
  let error = null;
  try {
    events = await eventsOf(running);
  } catch (thrown) {
    error = thrown;
  }
  return { repository, events, error, record: running.records[0], engine };
}

const yaml = (text) => ({ ".tinyci.yml": text });
const script = (text) => ({ ".tinyci.rhai": text });
const scripts = { skip: hasFeature("rhai") ? false : "the library was built without scripts" };

test("hooks are told where they are, and set variables", async (t) => {
  const seen = [];
  const at = (hook) => {
    seen.push([hook.name, hook.step, hook.outcome]);
    hook.setVar("release", `${hook.name}-1`);
    assert.ok(existsSync(`${hook.exportDir}/.tinyci.yml`));
    assert.match(hook.commit, /^[0-9a-f]{40}$/);
    assert.ok(hook.jobId.length > 0);
    assert.equal(hook.label, null);
    assert.equal(hook.signal.aborted, false);
  };
  const hooks = { before_build: at, before_test: at, after_all: at };
  const { events, error } = await run(t, yaml("build: echo <%= release %>\ntest: echo <%= release %>\n"), { hooks });
  assert.equal(error, null);
  assert.equal(outputOf(events), "before_build-1\nbefore_test-1\n");
  assert.deepEqual(
    seen.map(([name, step]) => [name, step]),
    Object.keys(hooks).map((name) => [name, name]),
  );
  assert.equal(seen.at(-1)[2], "success");
});

test("a hook may take its time, and others go on meanwhile", async (t) => {
  const repository = new Repository(t, yaml("build: echo <%= release %>\n"));
  repository.commit({ more: "1" });
  let here = 0;
  const before_build = async (hook) => {
    here += 1;
    await eventually("the hooks of both commits are here at once", () => here === 2);
    hook.setVar("release", "late");
  };
  const engine = await open(repository.path, { jobs: 2, hooks: { before_build } });
  t.after(() => engine.close());
  const events = await eventsOf(engine.run());
  assert.equal(outputOf(events), "late\nlate\n");
});

test("an error in a hook leaves no verdict, and comes out of the loop at the end", async (t) => {
  let oops;
  const throwing = [
    () => {
      throw oops;
    },
    async () => {
      await sleep(1);
      throw oops;
    },
  ];
  for (const before_build of throwing) {
    oops = new Error("no release on Fridays");
    const { repository, error, record } = await run(t, yaml("build: touch ran\n"), { hooks: { before_build } });
    assert.equal(error, oops);
    assert.equal(record.outcome, "error");
    assert.match(record.steps[0].error, /no release on Fridays/);
    assert.equal(oops.cause.code, "host_fault");
    assert.ok(oops.cause.message.endsWith(record.steps[0].error));
    assert.equal(repository.verdict(), null);
  }
});

test("an error comes out of a loop that is left early, too, unless the loop throws itself", async (t) => {
  const repository = new Repository(t, yaml("build: 'true'\n"));
  const oops = new Error("oops");
  const before_build = () => {
    throw oops;
  };
  const engine = await open(repository.path, { hooks: { before_build } });
  t.after(() => engine.close());
  const leave = async (how) => {
    const run = engine.run({ revisions: "HEAD", retry: true });
    for await (const event of run) if (event.kind === "step_finished") how();
  };
  const own = new Error("the loop's own");
  const throwOwn = () => {
    throw own;
  };
  await assert.rejects(leave(throwOwn), own);
  const broken = async () => {
    for await (const event of engine.run({ revisions: "HEAD", retry: true })) if (event.kind === "step_finished") break;
  };
  await assert.rejects(broken(), oops);
});

test("a hook refuses and skips", async (t) => {
  const hooks = {
    before_build: () => Promise.reject(new Refusal("frozen\0", 7)),
    after_all: (hook) => hook.skip("no need"),
  };
  const config = "build: touch ran\nhooks:\n  after_all: echo cleaned\n";
  const { error, record, events } = await run(t, yaml(config), { hooks });
  assert.equal(error, null);
  assert.equal(outputOf(events), "");
  const [before, after] = record.steps;
  assert.match(before.error, /frozen\uFFFD.*7/);
  assert.equal(after.name, "after_all");
  assert.equal(after.outcome, "skipped");
  assert.match(after.error, /no need/);
});

test("a hook that asks for nonsense leaves no verdict", async (t) => {
  const wrong = [
    [(hook) => hook.setVar("Release!", "1"), { name: "TinyciError", code: "invalid_arg" }],
    [(hook) => hook.setVar("release", "a\0b"), { name: "TypeError" }],
    [(hook) => hook.setVar("release", "\ud800"), { name: "TypeError" }],
    [(hook) => hook.setVar("release", 42), { name: "TypeError" }],
    [(hook) => hook.fail("x", 2 ** 40), { name: "RangeError" }],
  ];
  for (const [before_build, expected] of wrong) {
    const { error, record } = await run(t, yaml("build: 'true'\n"), { hooks: { before_build } });
    assert.throws(() => {
      throw error;
    }, expected);
    assert.equal(record.outcome, "error");
  }
});

test("what was kept of a hook is of no use afterwards", async (t) => {
  let kept;
  await run(t, yaml("build: 'true'\n"), { hooks: { before_build: (hook) => void (kept = hook) } });
  assert.equal(kept.name, "before_build");
  assert.throws(() => kept.setVar("a", "b"), { name: "TinyciError", code: "invalid_arg" });
  kept.skip("too late");
});

test("a hook is told that nobody waits for it any more", async (t) => {
  const repository = new Repository(t, yaml("build: 'true'\n"));
  repository.commit({ more: "1" });
  const reasons = [];
  let called = 0;
  const before_build = async (hook) => {
    called += 1;
    // The second commit's is only over once the first one has heard that it is late.
    if (called === 2) return eventually("the first was told", () => reasons.length === 1);
    await once(hook.signal, "abort");
    reasons.push(hook.signal.reason.name);
    hook.signal.throwIfAborted();
  };
  const engine = await open(repository.path, { hooks: { before_build }, jobTimeoutMs: 3000 });
  t.after(() => engine.close());
  const records = await engine.run().wait();
  assert.deepEqual(
    records.map((record) => record.outcome),
    ["timed_out", "success"],
  );
  const stop = new AbortController();
  const run = engine.run({ revisions: "HEAD", retry: true, signal: stop.signal });
  for await (const event of run) if (event.kind === "step_started") stop.abort();
  assert.equal(run.records[0].outcome, "canceled");
  await eventually("it was told of the cancel", () => reasons.length === 2);
  assert.deepEqual(reasons, ["AbortError", "AbortError"]);
});

test("functions get and give values of all kinds", scripts, async (t) => {
  const given = [];
  const functions = {
    same: {
      call: (value) => (given.push(value), value),
      args: [1, 1],
      effect: "pure",
      doc: "Gives its argument back.",
    },
    half: { call: async (value) => value / 2, returns: "float" },
    "host::many": { call: (...args) => args.length, args: [0, 3] },
    who() {
      return `${this.name} ${this.step} ${this.commit.length}`;
    },
  };
  const config = `
fn build(ctx) {
  for value in [(), true, false, 42, -7, 9223372036854775807, 9007199254740993, 1.5, "text", "käse", "a\\u0000b", [1, "two", ()], #{ a: [true], b: 1.25, big: 9007199254740993 }] {
    let back = same(value);
    if type_of(back) != type_of(value) || back != value { throw \`\${value} came back as \${back}\`; }
  }
  if type_of(half(4.0)) != "f64" { throw "no float"; }
  print(host::many() + host::many(1, 2, 3));
  print(who());
}`;
  const { error, events, record } = await run(t, script(config), { functions });
  assert.equal(error, null);
  assert.equal(record.outcome, "success", JSON.stringify(record));
  assert.match(outputOf(events) + events.map((event) => event.logLines).join(""), /3[^]*who build 40/);
  assert.deepEqual(given.slice(0, 11), [
    null,
    true,
    false,
    42,
    -7,
    9223372036854775807n,
    9007199254740993n,
    1.5,
    "text",
    "käse",
    "a\0b",
  ]);
  assert.deepEqual(given.slice(11), [[1, "two", null], { a: [true], b: 1.25, big: 9007199254740993n }]);
});

test(
  "an error in a function fails its step and comes out, and so does a value no script can have",
  scripts,
  async (t) => {
    const oops = new TypeError("oops");
    const failing = [
      [() => Promise.reject(oops), oops],
      [() => NaN - 1, null],
      [() => [NaN], TypeError],
      [() => 2n ** 64n, RangeError],
      [() => [2n ** 64n], RangeError],
      [() => "\ud800", TypeError],
      [() => () => 1, TypeError],
    ];
    for (const [ask, expected] of failing) {
      const { error, record } = await run(t, script("fn build(ctx) { ask(); }"), { functions: { ask } });
      if (expected === null) assert.equal(error, null);
      else if (expected === oops) assert.equal(error, oops);
      else assert.ok(error instanceof expected, String(error));
      assert.equal(record.outcome, expected === null ? "success" : "error");
    }
  },
);

test("no script catches a mistake of the host's", scripts, async (t) => {
  const oops = new Error("oops", { cause: "of my own" });
  const functions = { ask: () => Promise.reject(oops) };
  const { error, record } = await run(t, script("fn build(ctx) { try { ask(); } catch { } }"), { functions });
  assert.equal(error, oops);
  assert.equal(oops.cause, "of my own");
  assert.equal(record.outcome, "error");
});

test("a script may catch what a function refuses", scripts, async (t) => {
  const functions = {
    ask() {
      this.fail("not now", 3);
    },
  };
  const config = "fn build(ctx) { try { ask(); } catch (error) { print(`caught ${error}`); } }";
  const { error, record, events } = await run(t, script(config), { functions });
  assert.equal(error, null);
  assert.equal(record.outcome, "success");
  assert.match(outputOf(events) + events.map((event) => event.logLines).join(""), /caught .*not now/);
});

test("functions called by parallel branches work at the same time", scripts, async (t) => {
  let here = 0;
  const labels = new Set();
  const functions = {
    async meet() {
      here += 1;
      labels.add(this.label);
      await eventually("both are here", () => here === 2);
    },
  };
  const config = "fn build(ctx) { parallel(#{ a: || meet(), b: || meet() }); }";
  const { error, record } = await run(t, script(config), { functions });
  assert.equal(error, null);
  assert.equal(record.outcome, "success", JSON.stringify(record));
  assert.equal(labels.size, 2);
});

test("secrets are answered, and masked", async (t) => {
  const asked = [];
  const secrets = async (name, request) => {
    asked.push([name, request.step]);
    return name === "token" ? "hunter2hunter2" : null;
  };
  const config = 'build:\n  run: echo "it is $TOKEN"; printf \'%s\' "$TOKEN" > kept\n  secrets: [TOKEN]\n';
  const settings = { secretRefs: "refs/heads/*" };
  const answer = (name, request) => secrets(name.toLowerCase(), request);
  const { error, events, record } = await run(t, yaml(config), { secrets: answer, settings });
  assert.equal(error, null);
  assert.equal(record.outcome, "success", JSON.stringify(record));
  assert.match(outputOf(events), /^it is \*+\n$/);
  assert.deepEqual(asked, [["token", "build"]]);
});

test("a secret that nobody has fails the step, and so does an error", async (t) => {
  const config = "build:\n  run: 'true'\n  secrets: [TOKEN]\n";
  const settings = { secretRefs: "refs/heads/*" };
  const none = await run(t, yaml(config), { secrets: () => undefined, settings });
  assert.equal(none.error, null);
  assert.notEqual(none.record.outcome, "success");
  const oops = new Error("the vault is closed");
  const failed = await run(t, yaml(config), { secrets: () => Promise.reject(oops), settings });
  assert.equal(failed.error, oops);
  assert.notEqual(failed.record.outcome, "success");
});

/** Runs a command as the local machine would, in a process group that is killed as a whole. */
async function execute(command) {
  const [file, ...args] = command.argv ?? ["/bin/sh", "-c", command.shell];
  const child = spawn(file, args, { cwd: command.cwd, env: command.env, detached: true });
  command.signal.addEventListener("abort", () => process.kill(-child.pid, "SIGKILL"));
  // Who does not read its input is not at fault.
  child.stdin.on("error", () => {}).end(command.input);
  const pass = async (stream, name) => {
    for await (const data of stream) await command.write(data, name);
  };
  const closed = once(child, "close");
  await Promise.all([pass(child.stdout, "stdout"), pass(child.stderr, "stderr")]);
  const [code, signal] = await closed;
  return { code, signal };
}

test("an executor runs the commands, and much output is passed on", async (t) => {
  const commands = [];
  const executor = (command) => {
    commands.push(command);
    return execute(command);
  };
  const config = 'build: seq 300000\ntest: "echo $TINYCI_COMMIT; exit 3"\n';
  const { error, events, record } = await run(t, yaml(config), { executor });
  assert.equal(error, null);
  const text = outputOf(events);
  assert.equal(text.length, 1_988_895 + 41);
  assert.ok(text.endsWith(`299999\n300000\n${record.commit}\n`));
  assert.equal(record.steps[1].exitCode, 3);
  assert.equal(commands[0].step, "build");
  assert.equal(commands[0].cwd, commands[0].exportDir);
  assert.equal(commands[0].input.length, 0);
  await assert.rejects(commands[0].write("more"), { name: "TinyciError", code: "invalid_arg" });
});

test("a command has its own environment and nothing of the host's", async (t) => {
  Object.assign(process.env, { GIT_PREFIX: "sub/", TOKEN: "secret" });
  t.after(() => ["GIT_PREFIX", "TOKEN"].forEach((name) => delete process.env[name]));
  const { error, events } = await run(t, yaml("build: env\n"), { executor: execute });
  assert.equal(error, null);
  assert.match(outputOf(events), /^PATH=/m);
  assert.doesNotMatch(outputOf(events), /^(GIT_PREFIX|TOKEN)=/m);
});

test("an executor tells of signals, and fails where it tells nothing", async (t) => {
  const killed = await run(t, yaml("build: kill -9 $$\n"), { executor: execute });
  assert.equal(killed.error, null);
  assert.equal(killed.record.steps[0].exitCode, 137);
  const passed = await run(t, yaml("build: anything\n"), { executor: async () => 0 });
  assert.equal(passed.record.outcome, "success");
  for (const result of [undefined, {}, { code: null, signal: null }, { signal: "SIGNONE" }, "0"]) {
    const { error, record } = await run(t, yaml("build: anything\n"), { executor: () => result });
    assert.ok(error instanceof TypeError, String(error));
    assert.equal(record.passed, false);
  }
});

test("a cancel ends what the executor runs", async (t) => {
  const repository = new Repository(t, yaml("build: sleep 1000\n"));
  const oneDone = [];
  const executor = async (command) => {
    try {
      return await execute(command);
    } finally {
      oneDone.push(command.signal.aborted);
    }
  };
  const engine = await open(repository.path, { executor });
  t.after(() => engine.close());
  const stop = new AbortController();
  const run = engine.run({ signal: stop.signal });
  for await (const event of run) if (event.kind === "step_started") setTimeout(() => stop.abort(), 50);
  assert.equal(run.records[0].outcome, "canceled");
  await eventually("the command ended", () => oneDone.length === 1);
  assert.deepEqual(oneDone, [true]);
});

test("options that mean nothing are refused by name", async (t) => {
  const { path } = new Repository(t);
  const wrong = [
    [{ job: 2 }, /unknown option `job`/],
    [{ jobs: -1 }, RangeError],
    [{ jobs: 1.5 }, RangeError],
    [{ jobs: "2" }, RangeError],
    [{ hooks: { before_build: "echo" } }, /the hook `before_build` must be a function/],
    [{ hooks: { before_everything() {} } }, { code: "invalid_arg" }],
    [{ functions: { f: { call() {}, effects: "pure" } } }, /unknown option of the function `f`/],
    [{ functions: { f: { call() {}, effect: "none" } } }, /unknown effect "none"/],
    [{ functions: { f: { call() {}, returns: "int" } } }, TypeError],
    [{ functions: { "F!": () => 1 } }, { code: "invalid_arg" }],
    [{ secrets: "none" }, TypeError],
    [{ settings: { nothing: 1 } }, { code: "invalid_arg" }],
    [{ env: { "A=B": "x" } }, { code: "invalid_arg" }],
    [{ vars: { commit: "x" } }, { code: "invalid_arg" }],
    [{ refs: [""] }, { code: "invalid_arg" }],
  ];
  for (const [options, expected] of wrong) await assert.rejects(open(path, options), expected, JSON.stringify(options));
});

test("options are set", async (t) => {
  const repository = new Repository(t, yaml("build: echo $COLOR-$HIDDEN-<%= who %>\n"));
  process.env.HIDDEN = "seen";
  t.after(() => delete process.env.HIDDEN);
  const engine = await open(repository.path, {
    refs: ["refs/heads/*"],
    jobs: 1,
    jobTimeoutMs: 60_000,
    buildsDir: "elsewhere",
    logLimit: 100_000,
    settings: { gracePeriod: "1s", maxAttempts: 2, refs: ["refs/heads/*", "refs/tags/*"] },
    env: { COLOR: "blue", HIDDEN: null },
    vars: { who: "me" },
    hooks: undefined,
  });
  t.after(() => engine.close());
  assert.equal(outputOf(await eventsOf(engine.run())), "blue--me\n");
  assert.ok(existsSync(repository.file("elsewhere")));
});

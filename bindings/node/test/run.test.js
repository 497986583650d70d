import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { open, TinyciError } from "tinyci";
import { Repository, ended, eventsOf, eventually, outputOf, program } from "./support.js";

const config = (text) => ({ ".tinyci.yml": text });

/** A step that says that it began, and ends when the file `go` is there. */
const waiting = (repository) => `echo began; while ! [ -e ${repository.file("go")} ]; do sleep 0.01; done; echo went`;

test("the program of the README runs what is pending", async (t) => {
  const repository = new Repository(t, config("build: echo release <%= release %>\ntest: 'echo tested'\n"));
  const { code, text } = await ended(program(t, "readme.js", [repository.path]));
  const commit = repository.git("rev-parse", "HEAD");
  assert.equal(text, `release 42\ntested\n${commit} success\n`);
  assert.equal(code, 0);
  assert.equal(repository.verdict(), "success");
});

test("events tell what happens, in order", async (t) => {
  const repository = new Repository(t, config('build: echo built\ntest: "echo bad >&2; exit 3"\n'));
  const engine = await open(repository.path, { settings: { passEnv: "*" } });
  t.after(() => engine.close());
  const events = await eventsOf(engine.run());
  const kinds = events.map((event) => (event.step ? `${event.kind} ${event.step}` : event.kind));
  assert.deepEqual(kinds, [
    "planned",
    "job_started",
    "exported",
    "step_started build",
    "output build",
    "step_finished build",
    "step_started test",
    "output test",
    "step_finished test",
    "job_finished",
    "finished",
  ]);
  assert.deepEqual(
    events.map((event) => event.sequence),
    [...events.keys()].map((index) => index + 1),
  );
  const [output, finished] = [events[4], events[9]];
  assert.equal(output.commit, repository.git("rev-parse", "HEAD"));
  assert.deepEqual(output.data, Buffer.from("built\n"));
  assert.equal(output.stream, "stdout");
  assert.ok(Math.abs(Date.now() - output.time) < 3_600_000);
  assert.deepEqual(JSON.parse(JSON.stringify(output)).text, "built\n");
  assert.equal(finished.outcome, "failure");
  assert.equal(finished.record.steps[1].exitCode, 3);
  assert.match(events[5].logLines + events[8].logLines, /\n$/);
  assert.equal(new Set(events.slice(1, -1).map((event) => event.jobId)).size, 1);
  assert.equal("data" in finished, false);
});

test("records are there after the last event, and not before", async (t) => {
  const repository = new Repository(t, config("build: 'true'\ntest: 'false'\n"));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const run = engine.run();
  assert.throws(() => run.records, { name: "TinyciError", code: "invalid_arg" });
  const [record] = await run.wait();
  assert.equal(record, run.records[0]);
  assert.equal(record.branch, "main");
  assert.deepEqual(record.branchBytes, Buffer.from("main"));
  assert.equal(record.outcome, "failure");
  assert.equal(record.passed, false);
  assert.equal(record.reason, null);
  assert.ok(record.started <= new Date());
  assert.ok(record.durationMs >= 0);
  const steps = record.steps.map(({ name, outcome, exitCode, error }) => [name, outcome, exitCode, error]);
  assert.deepEqual(steps, [
    ["build", "success", 0, null],
    ["test", "failure", 1, null],
  ]);
  assert.equal(JSON.parse(JSON.stringify(record)).outcome, "failure");
  assert.ok(run.isOver);
});

test("the loop waits in the event loop: no thread and no turn is held up", async (t) => {
  // With one thread in the pool, a single call that waited would stop the file from being written.
  const repositories = [0, 1].map(() => new Repository(t));
  for (const repository of repositories) repository.commit(config(`build: ${JSON.stringify(waiting(repository))}\n`));
  const child = program(
    t,
    "one_thread.js",
    repositories.map((one) => one.path),
    { UV_THREADPOOL_SIZE: "1" },
  );
  const { code, text } = await ended(child);
  assert.equal(text, "success success\n");
  assert.equal(code, 0);
});

test("events that are there already leave other things their turn", async (t) => {
  const repository = new Repository(t, config("build: seq 200000\n"));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  let turns = 0;
  const turn = () => {
    turns += 1;
    turning = setImmediate(turn);
  };
  let turning = setImmediate(turn);
  t.after(() => clearImmediate(turning));
  let before = -1;
  for await (const event of engine.run()) {
    if (event.kind !== "output") continue;
    assert.notEqual(turns, before);
    before = turns;
    // Slower than the build.
    for (const until = performance.now() + 50; performance.now() < until;);
  }
  assert.equal(repository.verdict(), "success");
});

test("a build that never stops writing is stopped", async (t) => {
  const repository = new Repository(t, config("build: yes\n"));
  const engine = await open(repository.path, { settings: { gracePeriod: "100ms" } });
  t.after(() => engine.close());
  const stop = new AbortController();
  const run = engine.run({ signal: stop.signal });
  for await (const event of run) if (event.kind === "output") setImmediate(() => stop.abort());
  assert.equal(run.records[0].outcome, "canceled");
  for await (const event of engine.run()) if (event.kind === "output") break;
  assert.equal(repository.verdict(), null);
});

test("leaving the loop stops the run and frees the repository", async (t) => {
  const repository = new Repository(t);
  repository.commit(
    config(`build: ${JSON.stringify(waiting(repository))}\nhooks:\n  after_all: touch ${repository.file("after")}\n`),
  );
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const run = engine.run();
  for await (const event of run) if (event.kind === "output") break;
  assert.ok(run.isOver);
  assert.deepEqual(
    run.records.map((record) => record.outcome),
    ["canceled"],
  );
  assert.equal(repository.verdict(), null);
  assert.equal(existsSync(repository.file("after")), false);

  const oops = new Error("oops");
  const thrown = async () => {
    for await (const event of engine.run()) if (event.kind === "output") throw oops;
  };
  await assert.rejects(thrown, oops);
  await writeFile(repository.file("go"), "");
  assert.equal((await engine.run().wait())[0].outcome, "success");
});

test("a signal stops a silent build, and what is due after it still runs", async (t) => {
  const repository = new Repository(t);
  repository.commit(config(`build: sleep 1000\nhooks:\n  after_all: touch ${repository.file("after")}\n`));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const stop = new AbortController();
  const events = [];
  const run = engine.run({ signal: stop.signal });
  for await (const event of run) {
    events.push(event);
    if (event.kind === "step_started" && event.step === "build") stop.abort();
  }
  assert.equal(events.at(-1).outcome, "canceled");
  assert.equal(run.records[0].outcome, "canceled");
  assert.ok(existsSync(repository.file("after")));
  assert.equal(repository.verdict(), null);
});

test("a signal that was aborted before stops a run before it begins", async (t) => {
  const repository = new Repository(t, config("build: touch ran\n"));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  await engine
    .run({ signal: AbortSignal.abort() })
    .wait()
    .catch((error) => assert.equal(error.code, "canceled"));
  assert.equal(repository.verdict(), null);
});

test("cancel and close work from outside the loop", async (t) => {
  const repository = new Repository(t, config("build: sleep 1000\n"));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  for (const stop of [(run) => run.cancel(), (run) => void run.close()]) {
    const run = engine.run();
    for await (const event of run) if (event.kind === "step_started") setImmediate(stop, run);
    assert.equal(run.records[0].outcome, "canceled");
    await run.close();
  }
  // A run that was not iterated, and one of a closed engine.
  await engine.run().close();
  const run = engine.run();
  await engine.close();
  assert.ok(run.isOver);
  assert.throws(() => engine.run(), { name: "TinyciError", code: "invalid_arg" });
  await assert.rejects(engine.pendingCommits(), { name: "TinyciError", code: "invalid_arg" });
  await engine.close();
});

test("runs and engines can be disposed of", async (t) => {
  const repository = new Repository(t, config("build: sleep 1000\n"));
  const engine = await open(repository.path);
  const run = engine.run();
  await run[Symbol.asyncDispose]();
  assert.ok(run.isOver);
  await engine[Symbol.asyncDispose]();
  await assert.rejects(engine.plan(), { code: "invalid_arg" });
});

test("a run that nobody has any more gives the repository back", async (t) => {
  const repository = new Repository(t, config("build: sleep 1000\n"));
  const child = program(t, "abandoned.js", [repository.path], { NODE_OPTIONS: "--expose-gc" });
  const { code, text } = await ended(child);
  assert.equal(text, "busy\nsuccess\n");
  assert.equal(code, 0);
});

test("two engines run at once, and a second run in one repository is busy", async (t) => {
  const repositories = [0, 1].map(() => new Repository(t));
  for (const repository of repositories) repository.commit(config(`build: ${JSON.stringify(waiting(repository))}\n`));
  const engines = await Promise.all(repositories.map((repository) => open(repository.path)));
  t.after(() => Promise.all(engines.map((engine) => engine.close())));
  const began = new Set();
  const run = async (index) => {
    for await (const event of engines[index].run()) {
      if (event.kind !== "output" || began.has(index)) continue;
      began.add(index);
      await eventually("both began", () => began.size === 2);
      await assert.rejects(engines[index].run().wait(), { name: "TinyciError", code: "busy" });
      await writeFile(repositories[index].file("go"), "");
    }
  };
  await Promise.all([run(0), run(1)]);
  assert.deepEqual(
    repositories.map((repository) => repository.verdict()),
    ["success", "success"],
  );
});

test("a second engine waits for the first, or follows it", async (t) => {
  const repository = new Repository(t);
  repository.commit(config(`build: ${JSON.stringify(waiting(repository))}\n`));
  const [first, second] = await Promise.all([open(repository.path), open(repository.path)]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const commit = repository.git("rev-parse", "HEAD");
  let waited;
  let followed;
  for await (const event of first.run()) {
    if (event.kind !== "output" || waited) continue;
    waited = eventsOf(second.run({ revisions: commit, waitMs: Infinity }));
    followed = eventsOf(second.follow(commit));
    await writeFile(repository.file("go"), "");
  }
  const events = await waited;
  assert.ok(events.some((event) => event.kind === "waiting" && event.message.length > 0));
  assert.equal(events.at(-1).kind, "finished");
  await followed;
});

test("what keeps a run from beginning comes out of the loop", async (t) => {
  const repository = new Repository(t);
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const run = engine.run("nothing-of-this-name");
  await assert.rejects(eventsOf(run), (error) => {
    assert.ok(error instanceof TinyciError);
    assert.equal(error.code, "not_found");
    assert.match(error.message, /nothing-of-this-name/);
    return true;
  });
  assert.throws(() => run.records, { code: "not_found" });
});

test("bytes of a build are what it wrote", async (t) => {
  const repository = new Repository(t, config(`build: "printf 'a\\\\377\\\\000b\\\\n'"\n`));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const events = await eventsOf(engine.run());
  assert.deepEqual(events.find((event) => event.kind === "output").data, Buffer.from([97, 255, 0, 98, 10]));
});

test("a selection says what to run", async (t) => {
  const repository = new Repository(t, config("build: 'true'\n"));
  const first = repository.git("rev-parse", "HEAD");
  const second = repository.commit({ more: "1" });
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const ran = async (selected) => (await engine.run(selected).wait()).map((record) => record.commit);
  assert.deepEqual(await ran(first), [first]);
  assert.deepEqual(await ran({ ranges: `${first}..main` }), [second]);
  assert.deepEqual(await ran(), []);
  assert.deepEqual(await ran({ revisions: ["main", first], retry: true }), [second, first]);
  const third = repository.commit({ more: "2" });
  assert.deepEqual(await ran({ hookLines: `${second} ${third} refs/heads/main\n` }), [third]);
  const fourth = repository.commit({ more: "3" });
  assert.deepEqual(await ran({ updates: { old: third, new: fourth, ref: "refs/heads/main" } }), [fourth]);
  const pipeline = await engine.parsePipeline("build: 'false'\n", { name: "nightly.yml" });
  const [record] = await engine.run({ revisions: "main", retry: true, pipeline }).wait();
  assert.equal(record.outcome, "failure");
  assert.throws(() => engine.run({ hookLines: "nonsense\n" }), { code: "invalid_arg" });
  assert.throws(() => engine.run({ revision: "main" }), {
    name: "TypeError",
    message: /unknown option of a selection `revision`/,
  });
  assert.throws(() => engine.run({ pipeline: {} }), TypeError);
  assert.throws(() => engine.run({ waitMs: 1.5 }), RangeError);
  assert.throws(() => engine.run({ signal: {} }), TypeError);
});

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { definitions, discover, open } from "tinyci";
import { Repository, eventsOf } from "./support.js";

const SCRIPT = `fn build(ctx) { sh(["echo", capture("uname -s")]); }
fn deploy(ctx) { sh(["echo", "on", capture("date")]); }
`;
const TESTS = `fn test_right(t) { t.fake("uname*", "v1"); t.expect(t.run().ok); }
fn test_wrong(t) { throw "wrong"; }
`;

/** An engine that is closed after the test. */
async function opened(t, repository, options) {
  const engine = await open(repository.path, options);
  t.after(() => engine.close());
  return engine;
}

test("a repository is discovered, and tells of itself", async (t) => {
  const repository = new Repository(t, { ".tinyci.yml": "build: make\n" });
  repository.git("config", "tinyci.jobz", "2");
  repository.git("remote", "add", "origin", "/srv/git/app.git");
  mkdirSync(repository.file("below"));
  await assert.rejects(open(repository.file("below")), { code: "not_a_repo" });
  const engine = await discover(repository.file("below"), { jobs: 2 });
  t.after(() => engine.close());
  assert.equal(engine.path, repository.path);
  assert.equal(engine.isBare, false);
  assert.match((await engine.warnings()).join(), /tinyci\.jobz/);
  assert.equal(await engine.remoteUrl("origin"), "/srv/git/app.git");
  await assert.rejects(engine.remoteUrl("upstream"), { code: "not_found" });
});

test("commits are found by revisions", async (t) => {
  const repository = new Repository(t);
  const parent = repository.git("rev-parse", "HEAD");
  const second = repository.commit({}, "second");
  const engine = await opened(t, repository);
  assert.equal(await engine.resolve("HEAD"), second);
  const commits = await engine.commits(["HEAD", "HEAD~1"]);
  assert.deepEqual(
    commits.map((commit) => commit.id),
    [second, parent],
  );
  const commit = await engine.commit("HEAD");
  assert.deepEqual([commit.subject, commit.message, commit.parents], ["second", "second\n", [parent]]);
  assert.equal(commit.author, "Ada <ada@example.org>");
  assert.deepEqual([commit.authorBytes, commit.messageBytes].map(String), [commit.author, commit.message]);
  assert.equal(commit.toJSON().time, commit.time.getTime() / 1000);
  await assert.rejects(engine.resolve("nowhere"), { code: "not_found" });
});

test("logs are read", async (t) => {
  const repository = new Repository(t, { ".tinyci.yml": "build: echo built\n" });
  const engine = await opened(t, repository);
  await assert.rejects(engine.log({ revision: "HEAD" }).wait(), { code: "not_found" });
  const run = engine.run();
  await run.wait();
  assert.deepEqual(
    run.summary.records.map((record) => record.outcome),
    ["success"],
  );
  const linesOf = async (options) => (await eventsOf(engine.log(options))).map((event) => event.data.toString());
  const whole = await linesOf({ revision: "HEAD" });
  assert.ok(whole.join("").includes("built\n"));
  assert.deepEqual(await linesOf({ revision: "HEAD", lines: 1 }), whole.slice(-1));
  assert.deepEqual(await linesOf({ revision: "HEAD", follow: true }), whole);
  const stop = new AbortController();
  let seen = 0;
  for await (const event of engine.log({ lines: 1, follow: true, signal: stop.signal })) {
    seen += event.data.length > 0;
    stop.abort();
  }
  assert.equal(seen, 1);
});

test("scripts are converted, checked and tested", async (t) => {
  const repository = new Repository(t, { ".tinyci.yml": "build: make\n" });
  const functions = { today: () => "Monday" };
  const engine = await opened(t, repository, { functions });
  assert.match((await engine.pipeline("HEAD")).toRhai(), /make/);
  assert.match(await engine.definitions(), /today\(/);
  assert.doesNotMatch(await definitions(), /today\(/);
  assert.ok(JSON.parse(await engine.definitions("json")));
  await assert.rejects(engine.definitions("html"), /markdown/);
  repository.git("rm", "--quiet", ".tinyci.yml");
  repository.commit({ ".tinyci.rhai": SCRIPT, ".tinyci.test.rhai": TESTS, "lib.rhai": "fn make() { }\n" });
  const report = await engine.testPipeline({ revision: "HEAD", coverage: true });
  assert.deepEqual([report.passed, report.tests.length, typeof report.coverage], [false, 2, "object"]);
  for (const dir of [undefined, repository.path]) {
    const { passed, filtered_out } = await engine.testPipeline({ dir, filters: "right" });
    assert.deepEqual([passed, filtered_out], [true, 1]);
  }
  const text = 'import "lib" as lib;\nfn build(ctx) { lib::make(); }\n';
  for (const [revision, valid] of [
    ["HEAD", true],
    ["HEAD~1", false],
  ])
    assert.equal((await engine.checkText(text, { format: "rhai", revision })).valid, valid);
});

test("plans assume output, and it is known what is deployed", async (t) => {
  const repository = new Repository(t, { ".tinyci.rhai": SCRIPT });
  repository.git("notes", "--ref", "runs/tinyci", "add", "-m", "damaged", "HEAD");
  const engine = await opened(t, repository);
  assert.deepEqual(await engine.unrecognizedLines("HEAD"), ["damaged"]);
  const plan = await engine.plan({ revisions: "HEAD", assume: { "uname*": "v7", "*": "v8" } });
  assert.match(JSON.stringify(plan), /echo v7/);
  await engine.run().wait();
  const planned = await engine.deployPlan({ assume: [["date", "Monday"]] });
  assert.match(JSON.stringify(planned), /on Monday/);
  assert.equal(await engine.deployed(), null);
  const run = engine.deploy();
  await run.wait();
  assert.throws(() => run.summary, { code: "invalid_arg" });
  assert.equal((await engine.deployed("production")).outcome, "success");
});

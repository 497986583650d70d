import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Engine, Pipeline, TinyciError, hasFeature, interpolate, open, parsePipeline, version } from "tinyci";
import { Repository, eventsOf, directory, outputOf } from "./support.js";

const config = (text) => ({ ".tinyci.yml": text });

/** A repository with a green, a red and a pending commit, newest last, and its engine. */
async function history(t) {
  const repository = new Repository(t, config("build: 'true'\n"));
  const commits = [repository.git("rev-parse", "HEAD")];
  commits.push(repository.commit(config("build: 'false'\n"), "break it"));
  const engine = await open(repository.path);
  t.after(() => engine.close());
  await engine.run().wait();
  commits.push(repository.commit(config("build: make\ntest: make test\n"), "mend it"));
  return { repository, engine, commits };
}

test("an engine stays that of its repository wherever the process goes", async (t) => {
  const [here, there] = ["here", "there"].map((word) => {
    const around = directory(t);
    const repository = new Repository(t, {
      mark: word,
      ".tinyci.yml": `build: echo built ${word}\ndeploy: echo deployed ${word}\n`,
    });
    symlinkSync(repository.path, join(around, "app"));
    return { around, repository };
  });
  const before = process.cwd();
  t.after(() => process.chdir(before));
  for (const name of ["app", Buffer.from("app")]) {
    process.chdir(here.around);
    const opening = open(name);
    process.chdir(there.around);
    const engine = await opening;
    assert.equal(engine.path, here.repository.path);
    const selected = { revisions: ["HEAD"], retry: true, replaceLive: true };
    const plan = await engine.plan(selected);
    assert.equal(plan.jobs[0].commit.id, here.repository.git("rev-parse", "HEAD"));
    assert.equal(outputOf(await eventsOf(engine.run(selected))), "built here\n");
    assert.equal(outputOf(await eventsOf(engine.deploy())), "deployed here\n");
    const out = directory(t);
    process.chdir(dirname(out));
    const exporting = engine.export("HEAD", basename(out));
    process.chdir(there.around);
    await exporting;
    assert.equal(readFileSync(join(out, "mark"), "utf8"), "here");
    await engine.close();
  }
  assert.ok(!existsSync(there.repository.file("builds")));
});

test("an engine is opened by a path of any kind", async (t) => {
  const repository = new Repository(t);
  for (const path of [repository.path, pathToFileURL(repository.path), Buffer.from(repository.path)]) {
    const engine = await open(path);
    assert.ok(engine instanceof Engine);
    assert.equal(engine.path, repository.path);
    await engine.close();
  }
  const nowhere = join(repository.path, "käse");
  await assert.rejects(open(nowhere), (error) => {
    assert.ok(error instanceof TinyciError);
    assert.equal(error.name, "TinyciError");
    assert.equal(error.code, "not_a_repo");
    assert.equal(error.file, nowhere);
    assert.match(error.message, /käse/);
    assert.deepEqual([error.line, error.column, error.hostCode], [null, null, 0]);
    assert.ok(error.causes.length > 0 && error.causes.every((cause) => error.message.includes(cause)));
    return true;
  });
  await assert.rejects(open("a\0b"), TypeError);
  await assert.rejects(open(), { code: "invalid_arg" });
});

test("a scan and a plan tell what is due", async (t) => {
  const { repository, engine, commits } = await history(t);
  const [commit, ...rest] = await engine.pendingCommits();
  assert.deepEqual(rest, []);
  assert.equal(commit.id, commits[2]);
  assert.equal(commit.tree, repository.git("rev-parse", "HEAD^{tree}"));
  assert.equal(commit.branch, "main");
  assert.deepEqual(commit.branchBytes, Buffer.from("main"));
  assert.equal(commit.subject, "mend it");
  assert.deepEqual(commit.subjectBytes, Buffer.from("mend it"));
  assert.equal(commit.time.getTime() / 1000, Number(repository.git("log", "-1", "--format=%ct")));
  assert.deepEqual(
    (await engine.pendingCommits({ ranges: `${commits[1]}..main` })).map(({ id }) => id),
    [commits[2]],
  );
  assert.equal((await engine.plan()).jobs[0].commit.id ?? (await engine.plan()).jobs[0].commit, commits[2]);
  await assert.rejects(engine.pendingCommits("nothing"), { code: "not_found" });
});

test("records and results are found by outcome and number", async (t) => {
  const { engine, commits } = await history(t);
  const ids = async (filter) => (await engine.records(filter)).map((record) => record.commit);
  assert.deepEqual(await ids(), [commits[1], commits[0]]);
  assert.deepEqual(await ids({ outcome: "success" }), [commits[0]]);
  assert.deepEqual(await ids({ limit: 1 }), [commits[1]]);
  assert.deepEqual(await ids(commits[0]), [commits[0]]);
  await assert.rejects(ids({ outcome: "green" }), /unknown outcome "green": expected one of success, failure/);
  await assert.rejects(ids({ outcomes: "success" }), /unknown option of a selection `outcomes`/);
  assert.deepEqual(
    (await engine.results({ outcome: "failure" })).map((one) => one.commit),
    [commits[1]],
  );
  await engine.run({ revisions: commits[1], retry: true }).wait();
  assert.equal((await engine.results(commits[1])).length, 1);
  assert.equal((await engine.results({ revisions: commits[1], allAttempts: true })).length, 2);
});

test("pipelines are read, and their mistakes are found", async (t) => {
  const { engine, commits } = await history(t);
  const pipeline = await engine.pipeline("main");
  assert.ok(pipeline instanceof Pipeline);
  assert.deepEqual(pipeline.steps, ["build", "test"]);
  assert.deepEqual((await parsePipeline(Buffer.from("test: make"))).steps, ["test"]);
  await assert.rejects(parsePipeline(""), { code: "config", message: /the config is empty/ });
  await assert.rejects(parsePipeline("build: [unclosed", { name: "nightly.yml" }), (error) => {
    assert.equal(error.code, "config");
    assert.equal(error.file, "nightly.yml");
    assert.ok(error.line >= 1 && error.column >= 1);
    return true;
  });
  await assert.rejects(parsePipeline("", { format: "toml" }), /unknown format "toml"/);
  await assert.rejects(engine.pipeline("nothing"), { code: "not_found" });
  assert.equal((await engine.check(commits[2])).valid, true);
  const report = await engine.checkText("build: [unclosed", { name: "new.yml" });
  assert.equal(report.valid, false);
  assert.ok(JSON.stringify(report).includes("new.yml"));
  if (hasFeature("rhai")) {
    assert.deepEqual((await engine.parsePipeline("fn build(ctx) {}", { format: "rhai" })).steps, ["build"]);
    await assert.rejects(parsePipeline("fn build(ctx) {", { format: "rhai", name: "x.rhai" }), {
      code: "script",
      file: "x.rhai",
    });
  }
});

test("a commit is exported", async (t) => {
  const { repository, engine } = await history(t);
  const dir = join(directory(t), "out");
  await engine.export("main~1", pathToFileURL(dir));
  assert.equal(readFileSync(join(dir, ".tinyci.yml"), "utf8"), "build: 'false'\n");
  await assert.rejects(engine.export("main", repository.path), { code: "invalid_arg" });
  await assert.rejects(engine.export("main", join(dir, "x"), { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("artifacts are listed and copied, and steps run by hand", async (t) => {
  const repository = new Repository(t);
  const script = 'fn build() { sh("mkdir d; echo a > d/a; echo b > d/b"); artifact("d"); } fn test() { sh("false"); }';
  repository.commit({ ".tinyci.rhai": script });
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const step = engine.runStep("HEAD", ["build", "test"]);
  const output = outputOf(await eventsOf(step));
  assert.match(output, /^\+ false$/m);
  assert.equal(step.records[0].outcome, "failure");
  assert.equal((await engine.pendingCommits()).length, 1);
  await assert.rejects(eventsOf(engine.runStep("HEAD", "deploy")), { code: "invalid_arg" });
  await assert.rejects(engine.artifacts("HEAD"), { code: "not_found" });
  await eventsOf(engine.run());
  const kept = await engine.artifacts("HEAD");
  assert.deepEqual(kept.artifacts.map(({ path }) => path), ["d/a", "d/b"]);
  const out = join(directory(t), "out");
  await engine.copyArtifacts("HEAD", out, { jobId: kept.job_id, paths: "d/b" });
  assert.equal(readFileSync(join(out, "d/b"), "utf8"), "b\n");
  await assert.rejects(engine.copyArtifacts("HEAD", out), { code: "invalid_arg" });
  await engine.copyArtifacts("HEAD", out, { force: true });
  assert.equal(readFileSync(join(out, "d/a"), "utf8"), "a\n");
});

test("a hook is installed and taken out again", async (t) => {
  const repository = new Repository(t);
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const notes = await engine.install({ command: "/usr/bin/tinyci", hideRefs: true });
  assert.ok(Array.isArray(notes) && notes.every((note) => note.length > 0 && !note.includes("\n")));
  const hooks = () => readdirSync(repository.file(".git/hooks")).filter((name) => !name.endsWith(".sample"));
  const [name] = hooks();
  assert.match(readFileSync(repository.file(`.git/hooks/${name}`), "utf8"), /\/usr\/bin\/tinyci/);
  assert.match(repository.git("config", "--get-all", "receive.hideRefs"), /refs\//);
  await engine.uninstall();
  assert.deepEqual(hooks(), []);
  await assert.rejects(
    engine.install({ comand: "tinyci" }),
    /unknown option of an installation `comand`: expected one of command, /,
  );
});

test("old builds are packed, and a verdict is taken away", async (t) => {
  const { repository, engine, commits } = await history(t);
  const packed = await engine.compact({ keep: 1 });
  const [{ archive }, ...rest] = packed.compacted;
  assert.deepEqual([rest, packed.unmatched, packed.not_removed], [[], [], []]);
  assert.ok(statSync(archive).size > 0);
  assert.match(execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }), /\.tinyci\.yml/);
  assert.deepEqual((await engine.compact({ keep: 0, keepBuilds: commits })).compacted, []);
  await assert.rejects(engine.compact({ num: 1 }), TypeError);
  assert.equal(await engine.forget(commits[1]), true);
  assert.equal(repository.verdict(commits[1]), null);
  assert.equal(await engine.forget(commits[1]), false);
  await assert.rejects(engine.forget("nothing"), { code: "not_found" });
  assert.ok((await engine.forgetAll()).removed.includes("refs/notes/runs/tinyci"));
  assert.ok(existsSync(repository.file("builds")));
});

test("commits are canceled and skipped by name", async (t) => {
  const repository = new Repository(t, config("build: echo going; exec sleep 600\n"));
  const hung = repository.git("rev-parse", "HEAD");
  const engine = await open(repository.path);
  t.after(() => engine.close());
  const by = { name: "Ada", address: "ada@example.org" };
  const run = engine.run();
  for await (const event of run) {
    if (event.kind !== "output") continue;
    const canceled = await engine.cancel({ revision: hung, reason: "it hangs", by, waitMs: 0 });
    assert.deepEqual([canceled.whole_run, canceled.jobs.map((job) => job.commit)], [false, [hung]]);
  }
  assert.equal(run.records[0].outcome, "canceled");
  await assert.rejects(engine.cancel(), { code: "not_found" });
  await assert.rejects(engine.cancel({ revision: hung, kill: true }), { code: "not_found" });
  await assert.rejects(engine.cancel({ rev: hung }), TypeError);
  const record = await engine.skip(hung, { reason: "no use", by });
  const intervention = { kind: "skip", by: "Ada <ada@example.org>", reason: "no use" };
  const { account, ...told } = record.intervention;
  assert.ok(account);
  assert.deepEqual([record.outcome, told], ["skipped", intervention]);
  await assert.rejects(engine.skip(hung), { code: "invalid_arg" });

  const pushed = repository.commit(config("build: 'true'\n"));
  const hookLines = `${hung} ${pushed} refs/heads/main\n`;
  const records = await engine.run({ hookLines, pushOptions: "ci.skip" }).wait();
  assert.deepEqual(records.map((one) => one.outcome), ["skipped"]);
});

test("tags are filled in", () => {
  assert.equal(interpolate("make <%= target %> <%% x", { target: "all" }), "make all <% x");
  assert.throws(() => interpolate("a\n <%= target %>"), { name: "TinyciError", code: "interpolate", line: 2 });
  assert.throws(() => interpolate("<%= who %>", { who: "a b" }), { code: "interpolate" });
  assert.throws(() => interpolate("x", { target: null }), { code: "invalid_arg" });
  assert.throws(() => interpolate("x", { target: 5 }), TypeError);
});

test("the library tells its version and features", () => {
  assert.match(version, /^\d+\.\d+\.\d+$/);
  assert.equal(hasFeature("no such feature"), false);
});

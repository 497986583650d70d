import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { open, Refusal } from "tinyci";
import { Repository, eventsOf, outputOf } from "./support.js";

const approving = "build: 'true'\ndeploy:\n  run: echo deployed\n  approve: true\n";

/** A repository with a green commit that can be deployed, and its engine. */
async function green(t, config = "build: 'true'\ndeploy: echo deployed\n", options = {}) {
  const repository = new Repository(t, { ".tinyci.yml": config });
  for (const [key, value] of [
    ["user.name", "Ada"],
    ["user.email", "ada@example.org"],
  ])
    repository.git("config", key, value);
  const engine = await open(repository.path, options);
  t.after(() => engine.close());
  const [record] = await engine.run().wait();
  assert.equal(record.outcome, "success");
  return { repository, engine, commit: record.commit };
}

test("what is green is planned, deployed, listed, and rolled back", async (t) => {
  const { repository, engine, commit } = await green(t);
  const plan = await engine.deployPlan();
  assert.ok(JSON.stringify(plan).includes(commit));
  assert.deepEqual(await engine.deployments(), []);

  const run = engine.deploy({ plan, by: { name: "Grace", address: "grace@example.org" } });
  const events = await eventsOf(run);
  assert.equal(outputOf(events), "deployed\n");
  const [started, finished] = ["deploy_started", "deploy_finished"].map((kind) =>
    events.find((event) => event.kind === kind),
  );
  assert.equal(started.deployment.commit, commit);
  assert.equal(finished.outcome, "success");
  assert.equal(run.deployment.outcome, "success");
  assert.equal(run.deployment.commit, commit);
  assert.match(JSON.stringify(run.deployment), /Grace/);
  assert.deepEqual(run.records, []);

  const second = repository.commit({ more: "1" });
  await engine.run().wait();
  assert.equal((await engine.deploy({ environment: "production", revision: second }).wait()).commit, second);
  assert.equal((await engine.rollback().wait()).commit, commit);
  const warned = [];
  const deploys = await engine.deployments({ environment: "production", onWarning: (line) => warned.push(line) });
  assert.deepEqual(
    deploys.map((one) => one.commit),
    [commit, second, commit],
  );
  assert.deepEqual(warned, []);
  assert.equal((await engine.deployments({ limit: 1 })).length, 1);
});

test("a deployment waits for an approval, and goes on with it", async (t) => {
  const { repository, engine, commit } = await green(t, approving);
  assert.equal((await engine.deploy().wait()).outcome, "awaiting_approval");
  const by = { name: "Joan", address: "joan@example.org" };
  const others = await open(repository.path, { by, settings: { approvers: "grace@example.org" } });
  const joans = await others.approve(commit);
  assert.equal(joans.approved_by, "Joan <joan@example.org>");
  assert.match(joans.problem, /does not list/);
  await others.close();
  repository.git("update-ref", "-d", joans.reference);
  const approval = await engine.approve(commit);
  assert.match(approval.reference, /^refs\/tinyci\/approvals\//);
  assert.equal((await engine.deploy().wait()).outcome, "success");
});

test("the host approves, does not, refuses, and fails", async (t) => {
  const asked = [];
  let answer;
  const approvals = async (request) => {
    asked.push([request.environment, request.question]);
    return answer(request);
  };
  const { engine } = await green(t, approving, { approvals });
  const deploy = async (how) => {
    answer = how;
    return await engine.deploy().wait();
  };
  for (const none of [null, undefined, false]) assert.equal((await deploy(() => none)).outcome, "awaiting_approval");
  await assert.rejects(
    deploy(() => Promise.reject(new Refusal("not on Fridays", 5))),
    { code: "host_abort", message: /not on Fridays/ },
  );
  const oops = new Error("the desk is closed");
  await assert.rejects(
    deploy(() => Promise.reject(oops)),
    oops,
  );
  assert.equal(oops.cause.code, "host_fault");
  await assert.rejects(
    deploy(() => 1),
    TypeError,
  );
  assert.equal((await deploy(() => "Ada <ada@example.org>")).outcome, "success");
  assert.match(JSON.stringify(await engine.deployments({ limit: 1 })), /Ada <ada@example.org>/);
  assert.deepEqual(asked[0], ["production", null]);
});

test("what cannot be deployed is an error, and what fails is an outcome", async (t) => {
  const { repository, engine } = await green(t, "build: 'true'\ndeploy: 'false'\n");
  const run = engine.deploy();
  assert.throws(() => run.deployment, { code: "invalid_arg" });
  assert.equal((await run.wait()).outcome, "failure");
  await assert.rejects(engine.deploy({ environment: "nowhere" }).wait(), { code: "invalid_arg" });
  await assert.rejects(engine.deploy({ revision: "nothing" }).wait(), { code: "not_found" });
  assert.throws(() => engine.deploy({ env: "production" }), /unknown option of a deployment `env`/);
  assert.throws(() => engine.deploy({ plan: { no: "plan" } }), { code: "invalid_arg" });
  assert.throws(() => engine.rollback({ revision: "HEAD" }), TypeError);
  assert.equal(await engine.unlockDeployments("nothing happened"), false);
  await assert.rejects(engine.unlockDeployments(""), { code: "invalid_arg" });
  repository.commit({ ".tinyci.yml": "build: 'false'\ndeploy: 'true'\n" });
  const [red] = await engine.run().wait();
  await assert.rejects(engine.deploy({ revision: red.commit }).wait(), { code: "invalid_arg" });
  assert.equal((await engine.deploy({ revision: red.commit, force: true }).wait()).outcome, "success");
});

test("an environment is retired once", async (t) => {
  const { engine } = await green(t, "build: 'true'\ndeploy: 'true'\n");
  await assert.rejects(engine.retire(), { code: "not_found" });
  await engine.deploy().wait();
  assert.equal(await engine.retire("production"), true);
  assert.equal(await engine.retire(), false);
  assert.deepEqual((await engine.deployments()).map((it) => it.outcome), ["retired", "success"]);
});

test("a deployment that is left is interrupted or canceled, and others are possible after it", async (t) => {
  const { engine } = await green(t, "build: 'true'\ndeploy: echo began; sleep 1000\n");
  for await (const event of engine.deploy()) if (event.kind === "output") break;
  const [deployment] = await engine.deployments();
  assert.equal(deployment.outcome, "canceled");
});

test("the state and the settings of a repository are told", async (t) => {
  const { repository, engine, commit } = await green(t);
  assert.ok(JSON.stringify(await engine.status()).includes(commit));
  repository.git("config", "tinyci.jobs", "3");
  const settings = await engine.settings();
  assert.ok(settings.length > 5);
  assert.ok(
    settings.some(
      (setting) => /"jobs"|tinyci\.jobs/.test(JSON.stringify(setting)) && JSON.stringify(setting).includes("3"),
    ),
  );
});

test("old builds are removed by rules", async (t) => {
  const { repository, engine } = await green(t);
  repository.commit({ more: "1" });
  await engine.run().wait();
  const builds = () => readdirSync(repository.file("builds")).filter((name) => /^\d+_/.test(name)).length;
  assert.equal(builds(), 2);
  await engine.prune({ keep: 1, dryRun: true });
  assert.equal(builds(), 2);
  const report = await engine.prune({ keep: 1 });
  assert.equal(typeof report, "object");
  assert.equal(builds(), 1);
  await assert.rejects(engine.prune(), { code: "invalid_arg" });
  await assert.rejects(engine.prune({ kep: 1 }), TypeError);
});

test("a clone gets a server's results", async (t) => {
  const { repository: server, commit } = await green(t);
  const clone = new Repository(t);
  clone.git("remote", "add", "origin", server.path);
  const engine = await open(clone.path);
  t.after(() => engine.close());
  await assert.rejects(engine.setupRemote("nowhere"), { code: "not_found" });
  assert.ok((await engine.setupRemote()).length > 0);
  assert.deepEqual(await engine.setupRemote("origin"), []);
  clone.git("fetch", "--quiet", "origin");
  assert.equal(await engine.mergeResults(), true);
  assert.equal(await engine.mergeResults("origin"), false);
  assert.equal(clone.verdict(commit), "success");
  assert.ok((await engine.undoSetupRemote()).length > 0);
  assert.ok(existsSync(clone.file(".git/config")));
});

// Ends the program in the midst of a run, in every way there is: it ends at once, nothing that it
// started stays, and the commit has no verdict.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { open } from "tinyci";
import { Repository, ended, eventually, isAlive, program } from "./support.js";

/** A repository whose build starts a process in the background, says which, and never ends. */
function endless(t) {
  const repository = new Repository(t);
  const pids = repository.file("pids");
  const build = `sleep 1000 & echo $$ $! > ${pids}.new; mv ${pids}.new ${pids}; echo began; wait`;
  repository.commit({ ".tinyci.yml": `build: ${JSON.stringify(build)}\n` });
  return { repository, pids };
}

const pidsOf = (path) => readFileSync(path, "utf8").trim().split(" ").map(Number);

/** Nothing is left of the run. */
async function assertGone(repository, pids) {
  await eventually("the build's processes are gone", () => !pids.some(isAlive));
  assert.equal(repository.verdict(), null);
  const engine = await open(repository.path);
  assert.deepEqual(
    (await engine.pendingCommits()).map(({ id }) => id),
    [repository.git("rev-parse", "HEAD")],
  );
  const pipeline = await engine.parsePipeline("build: 'true'\n");
  const [record] = await engine.run({ pipeline, waitMs: Infinity }).wait();
  assert.equal(record.outcome, "success");
  await engine.close();
}

for (const [how, expected] of Object.entries({
  exit: { code: 3, signal: null },
  "exit in a hook": { code: 3, signal: null },
  throw: { code: 1, signal: null },
  reject: { code: 1, signal: null },
  "worker's exit": { code: 3, signal: null },
})) {
  test(`the program ends by ${how}`, async (t) => {
    const { repository, pids } = endless(t);
    const child = program(t, "ending.js", [repository.path, how]);
    const { code, signal, text } = await ended(child);
    assert.deepEqual({ code, signal }, expected, text);
    if (expected.code === 1) assert.match(text, /Error: oops/);
    await assertGone(repository, existsSync(pids) ? pidsOf(pids) : []);
  });
}

for (const name of ["SIGINT", "SIGTERM", "SIGKILL"]) {
  test(`the program ends by ${name} in a silent build`, async (t) => {
    const { repository, pids } = endless(t);
    const child = program(t, "ending.js", [repository.path, "never"]);
    await eventually("the build began", () => existsSync(pids));
    child.kill(name);
    const { code, signal } = await ended(child);
    assert.deepEqual({ code, signal }, { code: null, signal: name });
    await assertGone(repository, pidsOf(pids));
  });
}

test("a handler of SIGINT stops the run in an orderly way", async (t) => {
  const { repository, pids } = endless(t);
  const child = program(t, "ending.js", [repository.path, "abort"]);
  await eventually("the build began", () => existsSync(pids));
  child.kill("SIGINT");
  const { code, text } = await ended(child);
  assert.equal(text, "canceled\n");
  assert.equal(code, 0);
  await assertGone(repository, pidsOf(pids));
});

test("a run is at home in a worker, and what a worker leaves behind is stopped", async (t) => {
  const { repository, pids } = endless(t);
  const child = program(t, "worker.js", [repository.path]);
  const { code, text } = await ended(child);
  assert.equal(text, "worker left with 0\nmain: success\nworker: success\n");
  assert.equal(code, 0);
  assert.ok(!pidsOf(pids).some(isAlive));
});

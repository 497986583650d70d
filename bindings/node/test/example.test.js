import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Repository, ended, eventually } from "./support.js";

const file = fileURLToPath(new URL("../examples/live.js", import.meta.url));

/** Starts the example, and gives it with its address. */
async function live(t, path) {
  const child = spawn(process.execPath, [file, path, "0"]);
  t.after(() => child.kill("SIGKILL"));
  child.text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (child.text += text));
  const url = await eventually("the page is served", () => child.text.match(/^http:.*\/$/m)?.[0]);
  return { child, url };
}

/** Collects the messages that a page gets. */
async function watch(url) {
  const response = await fetch(`${url}events`);
  const watched = { text: "" };
  const read = async () => {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      for (const [, data] of chunk.matchAll(/^data: (.*)$/gm)) watched.text += JSON.parse(data);
    }
  };
  watched.over = read();
  return watched;
}

test("the live page shows a build while it runs, and what became of it", async (t) => {
  const repository = new Repository(t);
  const go = repository.file("go");
  const build = `echo '<began>'; while ! [ -e ${go} ]; do sleep 0.01; done; echo went`;
  const commit = repository.commit({ ".tinyci.yml": `build: ${JSON.stringify(build)}\n` });
  const { child, url } = await live(t, repository.path);
  const watched = await watch(url);
  assert.equal((await fetch(`${url}push`, { method: "POST" })).status, 202);
  await eventually("the page is told of the build", () => watched.text.includes("<began>\n"));
  assert.equal((await fetch(url)).status, 200);
  assert.equal((await fetch(`${url}nothing`)).status, 404);
  await writeFile(go, "");
  await eventually("the build is over", () => repository.verdict() === "success");
  await eventually("the page lists it", async () =>
    (await (await fetch(url)).text()).includes(`${commit.slice(0, 10)}<td>main<td>success`),
  );
  child.kill("SIGINT");
  assert.equal((await ended(child)).code, 0);
  await watched.over;
  assert.match(watched.text, /went\n/);
});

test("Ctrl-C ends the live page and its build", async (t) => {
  const repository = new Repository(t);
  repository.commit({
    ".tinyci.yml": `build: touch ${repository.file("began")}; sleep 1000\nhooks:\n  after_all: touch ${repository.file("after")}\n`,
  });
  const { child, url } = await live(t, repository.path);
  await fetch(`${url}push`, { method: "POST" });
  await eventually("the build began", () => existsSync(repository.file("began")));
  child.kill("SIGINT");
  assert.equal((await ended(child)).code, 0);
  assert.equal(repository.verdict(), null);
  assert.ok(existsSync(repository.file("after")));
});

// A worker leaves in the midst of a run; then the main thread and another worker run the same commit.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { open } from "tinyci";

const file = fileURLToPath(import.meta.url);

async function runAgain(who, path) {
  const engine = await open(path);
  const pipeline = await engine.parsePipeline("build: 'true'\n");
  const [record] = await engine.run({ revisions: "HEAD", retry: true, pipeline }).wait();
  console.log(`${who}: ${record.outcome}`);
  await engine.close();
}

if (isMainThread) {
  const path = process.argv[2];
  const left = new Worker(file, { workerData: [path, "leave"] });
  console.log(`worker left with ${(await once(left, "exit"))[0]}`);
  await runAgain("main", path);
  await once(new Worker(file, { workerData: [path, "run"] }), "exit");
} else {
  const [path, what] = workerData;
  if (what === "run") await runAgain("worker", path);
  else {
    const engine = await open(path);
    for await (const event of engine.run()) if (event.kind === "output") process.exit(0);
  }
}

// Runs the pending commits, and exits in the requested way once the build has begun.
import { Worker, isMainThread, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { open } from "tinyci";

const [path, how] = isMainThread ? process.argv.slice(2) : workerData;

const endings = {
  exit: () => process.exit(3),
  throw: () => {
    throw new Error("oops");
  },
  reject: () => void Promise.reject(new Error("oops")),
};

if (how === "worker's exit" && isMainThread) {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: [path, "tell"] });
  worker.on("message", () => process.exit(3));
} else {
  const { parentPort } = await import("node:worker_threads");
  endings.tell = () => parentPort.postMessage("began");
  const stop = new AbortController();
  if (how === "abort") process.once("SIGINT", () => stop.abort());
  const hooks = how === "exit in a hook" ? { before_build: () => process.exit(3) } : {};
  const engine = await open(path, { hooks });
  const run = engine.run({ signal: stop.signal });
  for await (const event of run) {
    // From outside the loop, as a timer of a program would.
    if (event.kind === "output") setImmediate(endings[how] ?? (() => {}));
  }
  console.log(run.records[0].outcome);
  await engine.close();
}

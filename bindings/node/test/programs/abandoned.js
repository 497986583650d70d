// Drops a run in its midst, and waits until another one can have the repository.
import { open } from "tinyci";

const engine = await open(process.argv[2], { settings: { gracePeriod: "100ms" } });

async function drop() {
  const events = engine.run()[Symbol.asyncIterator]();
  for (let next; (next = await events.next()).value.kind !== "step_started";);
}

const pipeline = await engine.parsePipeline("build: 'true'\n");
await drop();
try {
  await engine.run().wait();
} catch (error) {
  console.log(error.code);
}
for (;;) {
  globalThis.gc();
  await new Promise(setImmediate);
  try {
    const [record] = await engine.run({ revisions: "HEAD", pipeline }).wait();
    console.log(record.outcome);
    break;
  } catch (error) {
    if (error.code !== "busy") throw error;
  }
}
await engine.close();

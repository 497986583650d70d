// Runs two builds at once which wait for a file each, and writes the files with the pool's only
// thread, once both have begun.
import { writeFile } from "node:fs/promises";
import { open } from "tinyci";

const paths = process.argv.slice(2);
let began = 0;
const run = async (path) => {
  const engine = await open(path);
  const run = engine.run();
  for await (const event of run) {
    if (event.kind !== "output" || event.data.toString() !== "began\n") continue;
    began += 1;
    const both = setInterval(async () => {
      if (began < paths.length) return;
      clearInterval(both);
      await writeFile(`${path}/go`, "");
    }, 10);
  }
  await engine.close();
  return run.records.at(-1).outcome;
};
console.log((await Promise.all(paths.map(run))).join(" "));

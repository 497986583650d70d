import { open } from "tinyci";

const engine = await open(process.argv[2], {
  jobs: 2,
  hooks: { before_build: (hook) => hook.setVar("release", "42") },
});
const run = engine.run();
for await (const event of run) if (event.kind === "output") process.stdout.write(event.data);
for (const record of run.records) console.log(record.commit, record.outcome);
await engine.close();

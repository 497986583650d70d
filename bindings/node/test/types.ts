// A TypeScript program against index.d.ts. It is compiled, but not run.
import { spawn } from "node:child_process";
import { open, interpolate, parsePipeline, Refusal, TinyciError } from "tinyci";
import type { Command, Ended, Hook, Outcome, RunRecord } from "tinyci";

async function execute(command: Command): Promise<Ended> {
  const child = spawn("/bin/sh", ["-c", command.shell ?? ""], { cwd: command.cwd, signal: command.signal });
  for await (const data of child.stdout) await command.write(data, "stdout");
  return { code: child.exitCode, signal: child.signalCode };
}

function freeze(hook: Hook): void {
  hook.setVar("release", "42");
  if (hook.outcome === "failure") hook.skip("red already");
  // @ts-expect-error no variable is a number
  hook.setVar("release", 42);
}

async function main(stop: AbortController): Promise<Outcome | undefined> {
  await using engine = await open(new URL("file:///srv/git/app.git"), {
    jobs: 2,
    settings: { gracePeriod: "2s", refs: ["refs/heads/*", "refs/tags/*"], backlogLimit: 3 },
    env: { LANG: "C", HOME: null },
    hooks: { before_build: freeze, after_all: () => Promise.reject(new Refusal("no", 3)) },
    functions: {
      add: (a: number, b: number) => a + b,
      "time::now": { call: () => Date.now() / 1000, effect: "pure", returns: "float" },
      whoami() {
        return [this.commit, { step: this.step }];
      },
    },
    secrets: async (name) => (name === "token" ? Buffer.from([1]) : null),
    approvals: ({ environment, question }) => (environment === "staging" ? "Ada" : question !== null),
    executor: execute,
  });
  // @ts-expect-error there is no such point
  await open(".", { hooks: { before_everything: freeze } });
  const pipeline = await parsePipeline("build: make", { name: "nightly.yml" });
  const run = engine.run({ revisions: "main", pipeline, waitMs: Infinity, signal: stop.signal });
  for await (const event of run) {
    if (event.kind === "output") process.stdout.write(event.data);
    else if (event.kind === "warning") console.error(event.message);
    else if (event.kind === "job_finished") console.log(event.record.steps[0]?.exitCode?.toFixed());
    // @ts-expect-error not every event has bytes
    else event.data;
  }
  const plan = await engine.deployPlan({ environment: "staging" });
  const deployed = await engine.deploy({ plan, by: { name: "Ada", address: "ada@example.org" } }).wait();
  if (deployed.outcome === "awaiting_approval") await engine.approve(deployed.commit, "staging");
  const records: RunRecord[] = run.records;
  const [green] = await engine.records({ outcome: "success", limit: 1 });
  try {
    interpolate("<%= missing %>");
  } catch (error) {
    if (error instanceof TinyciError) console.error(error.code, error.line, error.causes.length);
  }
  return green?.outcome ?? records[0]?.outcome;
}

await main(new AbortController());

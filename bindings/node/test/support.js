// What the tests share: real repositories, made with the real git, and programs of their own.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The source tree, for what is not in the package. */
export const source = process.env.TINYCI_SOURCE;

/** More than enough for anything that is waited for. */
const PATIENCE_MS = 60_000;

/** Waits until `probe` gives something. */
export async function eventually(what, probe) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > until) throw new Error(`in vain: ${what}`);
    await sleep(10);
  }
}

/** Makes a directory that is deleted after the test. */
export function directory(test) {
  const path = mkdtempSync(join(tmpdir(), "tinyci-node-"));
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A repository with one commit of these files. */
export class Repository {
  constructor(test, files = {}) {
    this.path = directory(test);
    this.git("init", "--quiet", "--initial-branch", "main");
    this.commit(files);
  }

  git(...args) {
    const identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    return execFileSync("git", ["-C", this.path, ...identity, ...args], { encoding: "utf8" }).trim();
  }

  /** Commits these files, and gives the commit's id. */
  commit(files, subject = "a commit") {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(this.file(name)), { recursive: true });
      writeFileSync(this.file(name), text);
    }
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message", subject);
    return this.git("rev-parse", "HEAD");
  }

  file(name) {
    return join(this.path, name);
  }

  /** Returns a commit's verdict; null if there is none. */
  verdict(commit = "HEAD") {
    const args = ["-C", this.path, "notes", "--ref", "refs/notes/tinyci-result", "show", commit];
    const { status, stdout } = spawnSync("git", args, { encoding: "utf8" });
    return status === 0 ? stdout.trim() : null;
  }
}

/** All events of a run. */
export async function eventsOf(run) {
  const events = [];
  for await (const event of run) events.push(event);
  return events;
}

/** What the commands of a run wrote. */
export function outputOf(events) {
  return Buffer.concat(events.filter((event) => event.kind === "output").map((event) => event.data)).toString();
}

/** Starts a program of `test/programs`, which ends when the test does. */
export function program(test, name, args, env = {}) {
  const path = fileURLToPath(new URL(`programs/${name}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { env: { ...process.env, ...env } });
  test.after(() => child.kill("SIGKILL"));
  child.text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (child.text += text));
  return child;
}

/** How a program ended, and what it wrote. */
export async function ended(child) {
  const [code, signal] = await once(child, "close");
  return { code, signal, text: child.text };
}

/** Whether a process is there. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    // A zombie has ended, but its parent has not awaited it.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

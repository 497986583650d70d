import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { generate } from "../generate.js";
import { constants, functions } from "../lib/abi.js";
import { directory, source } from "./support.js";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Functions of the header that the package has no use for, and why. */
const SKIPPED = {
  cancel_child: "an AbortSignal follows others by AbortSignal.any()",
  cancel_level: "tokens are AbortSignals here, and only the package sees its own",
  error_code: "it is what the call returned",
  request_arg_string: "the argument's JSON says the same, and tells of a NUL",
};

const fromSource = { skip: source ? false : "not in the source tree" };

test("lib/abi.js is what the header says: `node generate.js` writes it", fromSource, () => {
  const json = readFileSync(join(source, "include/tinyci.json"), "utf8");
  assert.equal(readFileSync(join(root, "lib/abi.js"), "utf8"), generate(json));
});

test("every prototype is bound, and called somewhere", fromSource, () => {
  const prototypes = readFileSync(join(source, "bindings/prototypes.h"), "utf8");
  const names = [...prototypes.matchAll(/[ *]tinyci_(\w+)\(/g)].map(([, name]) => name);
  assert.deepEqual(Object.keys(functions).sort(), names.sort());
  const files = readdirSync(join(root, "lib")).filter((file) => file !== "abi.js");
  const code = files.map((file) => readFileSync(join(root, "lib", file), "utf8")).join("");
  const isCalled = (name) => new RegExp(`\\b(now|later|raw)\\.${name}\\b|"tinyci_${name}"`).test(code);
  const idle = names.filter((name) => !isCalled(name));
  assert.deepEqual(idle, Object.keys(SKIPPED));
});

/** Imports the package in a process of its own, and gives what it says. */
function load(env, cwd = root) {
  const script =
    'import("tinyci").then((t) => console.log(t.version), (e) => console.log(e.name, e.code, e.message))';
  const { stdout } = spawnSync(process.execPath, ["-e", script], {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  return stdout.trim();
}

test("a library that is not there is named", (t) => {
  const path = join(directory(t), "libnone.so");
  const said = load({ TINYCI_LIBRARY: path });
  assert.ok(said.startsWith(`TinyciError not_found cannot load the tinyci library from ${path}`), said);
  assert.match(said, /TINYCI_LIBRARY/);
});

test("a library of another ABI, an older one and a foreign one are refused", (t) => {
  const dir = directory(t);
  const build = (abi, number) => {
    const path = join(dir, `lib${abi}-${number}.so`);
    const code =
      `unsigned tinyci_abi(void) { return ${abi}; } unsigned tinyci_version_number(void) { return ${number}; } ` +
      'const char *tinyci_version(void) { return "0.0.1"; }';
    execFileSync("cc", ["-shared", "-fPIC", "-x", "c", "-o", path, "-"], { input: code });
    return path;
  };
  const said = (path) => load({ TINYCI_LIBRARY: path });
  const { ABI, VERSION_NUMBER, VERSION } = constants;
  assert.match(said(build(ABI + 1, VERSION_NUMBER)), /unsupported .*it has ABI 2, but this package needs ABI 1/);
  const old = said(build(ABI, VERSION_NUMBER - 1));
  assert.ok(old.includes(`it is version 0.0.1, but this package needs ${VERSION} or newer`), old);
  const foreign = join(dir, "foreign.so");
  execFileSync("cc", ["-shared", "-fPIC", "-x", "c", "-o", foreign, "-"], { input: "int nothing;" });
  assert.match(said(foreign), /it has no tinyci_abi\(\)/);
});

test("the packed package is whole, and finds a library beside it", (t) => {
  const dir = directory(t);
  const packed = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--pack-destination", dir], { cwd: root, encoding: "utf8" }),
  );
  const modules = join(dir, "node_modules");
  mkdirSync(join(modules, "tinyci"), { recursive: true });
  const filename = (Array.isArray(packed) ? packed[0] : Object.values(packed)[0]).filename;
  execFileSync("tar", ["-xzf", join(dir, filename), "-C", join(modules, "tinyci"), "--strip-components", "1"]);
  for (const name of ["koffi", "@koromix"]) symlinkSync(join(root, "node_modules", name), join(modules, name));
  const kept = readdirSync(join(modules, "tinyci")).sort();
  assert.deepEqual(kept, ["README.md", "index.d.ts", "lib", "package.json"]);
  const library = process.env.TINYCI_LIBRARY;
  copyFileSync(library, join(modules, "tinyci/lib", `libtinyci.so.${constants.ABI}`));
  assert.match(load({ TINYCI_LIBRARY: "" }, dir), /^\d+\.\d+\.\d+$/);
});

test("without a library beside it, the system's is loaded by its versioned name", (t) => {
  assert.match(load({ TINYCI_LIBRARY: "", LD_LIBRARY_PATH: dirname(process.env.TINYCI_LIBRARY) }), /^\d+\.\d+\.\d+$/);
  assert.match(load({ TINYCI_LIBRARY: "", LD_LIBRARY_PATH: directory(t) }), /not_found .*libtinyci\.so\.1/);
});

test(
  "the library stays loaded when the worker that loaded it has ended",
  { skip: process.platform !== "linux" },
  () => {
    const worker = 'import("tinyci").then(() => console.log("loaded"))';
    const script = `
    const worker = new (require("node:worker_threads").Worker)(${JSON.stringify(worker)}, { eval: true });
    worker.on("exit", () => console.log(require("node:fs").readFileSync("/proc/self/maps", "utf8").includes("libtinyci")));`;
    const { stdout } = spawnSync(process.execPath, ["-e", script], { cwd: root, encoding: "utf8" });
    assert.equal(stdout, "loaded\ntrue\n");
  },
);

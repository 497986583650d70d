// Finds libtinyci, checks its version, and loads it for the lifetime of the process.
import koffi from "koffi";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { constants } from "./abi.js";
import { TinyciError } from "./error.js";

/** The library's file name for this ABI. */
const SONAME = process.platform === "darwin" ? `libtinyci.${constants.ABI}.dylib` : `libtinyci.so.${constants.ABI}`;

const RTLD_NOW = 2;

/** Returns `TINYCI_LIBRARY`, else the library next to this module, else the system's. */
function where() {
  const bundled = fileURLToPath(new URL(SONAME, import.meta.url));
  return process.env.TINYCI_LIBRARY || (existsSync(bundled) ? bundled : SONAME);
}

function refuse(path, why) {
  throw new TinyciError(`cannot use ${path}: ${why}`, { code: "unsupported", file: path });
}

function open(path) {
  try {
    return koffi.load(path);
  } catch (error) {
    const message =
      `cannot load the tinyci library from ${path}: ${error.message}; set TINYCI_LIBRARY to the path of ${SONAME}, ` +
      `or install it in a library directory of the system`;
    throw new TinyciError(message, { code: "not_found", file: path, causes: [error.message] });
  }
}

function number(library, path, name) {
  try {
    return library.func(name, "uint32_t", [])();
  } catch {
    refuse(path, `it has no ${name}()`);
  }
}

function check(library, path) {
  const abi = number(library, path, "tinyci_abi");
  if (abi !== constants.ABI) refuse(path, `it has ABI ${abi}, but this package needs ABI ${constants.ABI}`);
  if (number(library, path, "tinyci_version_number") < constants.VERSION_NUMBER) {
    const version = library.func("tinyci_version", "str", [])();
    refuse(path, `it is version ${version}, but this package needs ${constants.VERSION} or newer`);
  }
}

// koffi unloads a library when nothing in JavaScript refers to it: when a worker ends, and when the process
// does. The library's own threads may run at that time, so it is opened once more and never closed.
function pin(path) {
  koffi.load(null).func("dlopen", "void *", ["str", "int"])(path, RTLD_NOW);
}

/** Loads the library. */
export function load() {
  const path = where();
  const library = open(path);
  check(library, path);
  pin(path);
  return library;
}

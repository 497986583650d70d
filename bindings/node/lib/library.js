// Finds libtinyci, refuses one that this package was not written for, and loads it for good.
import koffi from "koffi";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { constants } from "./abi.js";
import { TinyciError } from "./error.js";

/** The name under which a system has the library of this ABI. */
const SONAME = process.platform === "darwin" ? `libtinyci.${constants.ABI}.dylib` : `libtinyci.so.${constants.ABI}`;

const RTLD_NOW = 2;

/** `TINYCI_LIBRARY`, else the one beside this module, else the system's. */
function where() {
  const bundled = fileURLToPath(new URL(SONAME, import.meta.url));
  return process.env.TINYCI_LIBRARY || (existsSync(bundled) ? bundled : SONAME);
}

function refuse(path, why) {
  throw new TinyciError(`${path} cannot be used: ${why}`, { status: "unsupported", file: path });
}

function open(path) {
  try {
    return koffi.load(path);
  } catch (error) {
    const message =
      `the library of tinyci cannot be loaded from ${path}: ${error.message}; set TINYCI_LIBRARY to the path of ${SONAME}, ` +
      `or install it where the system finds it`;
    throw new TinyciError(message, { status: "not_found", file: path, causes: [error.message] });
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
  if (abi !== constants.ABI) refuse(path, `its ABI is ${abi}, and this package needs ${constants.ABI}`);
  if (number(library, path, "tinyci_version_number") < constants.VERSION_NUMBER) {
    const version = library.func("tinyci_version", "str", [])();
    refuse(path, `it is version ${version}, and this package needs ${constants.VERSION} or newer`);
  }
}

// koffi unloads a library as soon as nothing in JavaScript refers to it: when a worker ends, and
// when the process does. The library's own threads may run then, so it is opened once more and
// never closed.
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

// Makes a JavaScript function for each function of the C header: `now.plan_json(engine, selection)`.
//
// `err` is omitted, and is thrown as a TinyciError. Outputs are omitted too, and are the result: a pointer, or
// a string that is freed here; several outputs are an object by their names. The codes DONE and AGAIN are
// returned as numbers. A function without an output returns its code. Bytes are copied to a Buffer.
//
// `later.plan_json(…)` does the same on a thread of libuv's pool, and returns a promise. Use it only for calls
// that end by themselves. A call that waits, such as that of a run, must never be made that way: four of them
// would block all file operations of the process and its exit.
//
// koffi keeps its default configuration, which is global to the process. Its stack of 128 KiB for calls is four
// times what the library needs.
import koffi from "koffi";
import { promisify } from "node:util";
import { functions } from "./abi.js";
import { TinyciError } from "./error.js";
import { load } from "./library.js";
import { checks } from "./values.js";

const library = load();
const memcpy = koffi.load(null).func("memcpy", "void *", ["void *", "void *", "size_t"]);

/** The types that koffi must know; every other type is an opaque pointer. */
const TYPES = {
  void: "void",
  double: "double",
  int32_t: "int32_t",
  int64_t: "int64_t",
  uint32_t: "uint32_t",
  uint64_t: "uint64_t",
  size_t: "size_t",
  tinyci_code: "int32_t",
  "const char *": "str",
  "size_t *": koffi.out(koffi.pointer("size_t")),
};

const OUTPUT = koffi.out(koffi.pointer("void *"));

const isOutput = (role) => role === "out" || role === "text" || role === "error";

function typeOf(type, role) {
  if (isOutput(role)) return OUTPUT;
  // A string with a length parameter is bytes, and may contain NUL.
  return role === "bytes" ? "void *" : (TYPES[type] ?? "void *");
}

const declare = (name, result, parameters) =>
  library.func(
    `tinyci_${name}`,
    typeOf(result),
    parameters.map(([, type, role]) => typeOf(type, role)),
  );

const string = (pointer) => (pointer === null ? null : koffi.decode.string(pointer));

const raw = {
  string_free: declare("string_free", ...functions.string_free),
  code_name: declare("code_name", ...functions.code_name),
};
for (const [name, [returns, parameters]] of Object.entries(functions)) {
  if (/tinyci_error \*$/.test(parameters[0]?.[1])) raw[name] = declare(name, returns, parameters);
}

/** Makes an error from the library's error. */
function failure(code, pointer) {
  const causes = [];
  for (let cause; (cause = raw.error_cause(pointer, causes.length)) !== null;) causes.push(cause);
  const error = new TinyciError(raw.error_message(pointer) ?? "unknown error", {
    code: raw.code_name(code) ?? String(code),
    file: raw.error_file(pointer),
    line: raw.error_line(pointer) || null,
    column: raw.error_column(pointer) || null,
    causes,
    hostCode: raw.error_host_code(pointer),
  });
  raw.error_free(pointer);
  return error;
}

/** Returns the value of an output: a pointer, or a string that is freed here. */
function value(role, stored) {
  if (role !== "text") return stored;
  const text = string(stored);
  raw.string_free(stored);
  return text;
}

/** Returns the output of a function, or an object of several, if the code is OK; else the code. */
function result(outputs, code, stored) {
  if (outputs.length === 0 || code > 0) return code;
  const values = outputs.map(([name, , role], index) => [name, value(role, stored[index][0])]);
  return values.length === 1 ? values[0][1] : Object.fromEntries(values);
}

/** Rejects what koffi would cut off: numbers out of range, strings with NUL. */
function checked(parameters, given) {
  return parameters.map(([name, type, role], index) => {
    const value = given[index] ?? null;
    const check = role === "in" && checks[type];
    return check ? check(name, value) : value;
  });
}

/** Makes `now` and `later` of a function that returns a code. */
function acting(name, returns, parameters) {
  const native = declare(name, returns, parameters);
  const given = parameters.filter(([, , role]) => !isOutput(role));
  const outputs = parameters.filter(([, , role]) => isOutput(role) && role !== "error");
  const room = () => [...outputs.map(() => [null]), [null]];
  const settle = (code, rest) => {
    if (code < 0) throw failure(code, rest.at(-1)[0]);
    return result(outputs, code, rest);
  };
  const now = (...args) => {
    const rest = room();
    return settle(native(...checked(given, args), ...rest), rest);
  };
  const later = async (...args) => {
    const rest = room();
    // The arguments are resolved with the code, so that buffers among them live as long as the call.
    const passed = checked(given, args);
    const { code } = await new Promise((resolve, reject) => {
      native.async(...passed, ...rest, (error, code) => (error ? reject(error) : resolve({ code, passed })));
    });
    return settle(code, rest);
  };
  return { now, later };
}

/** Makes a function that returns bytes, whose number the C function stores. */
function bytes(name, returns, parameters) {
  const native = declare(name, returns, parameters);
  return (pointer) => {
    const length = [0];
    const from = native(pointer, length);
    if (from === null) return null;
    const copy = Buffer.allocUnsafe(length[0]);
    if (copy.length > 0) memcpy(copy, from, copy.length);
    return copy;
  };
}

export const now = {};
export const later = {};
for (const [name, [returns, parameters]] of Object.entries(functions)) {
  if (parameters.at(-1)?.[2] === "error") {
    const both = acting(name, returns, parameters);
    now[name] = both.now;
    later[name] = both.later;
  } else if (parameters.at(-1)?.[2] === "count") {
    now[name] = bytes(name, returns, parameters);
  } else {
    const native = declare(name, returns, parameters);
    now[name] = native;
    later[name] = promisify(native.async);
  }
}

// Every function of the header as a function of JavaScript: `now.plan_json(engine, selection)`.
//
// `err` is left out, and becomes a TinyciError that is thrown. An output is left out too and
// becomes the result: a pointer, or a string that is freed here; of two, an object by their names;
// or one of the numbers DONE and AGAIN. Functions without an output give their status. Bytes come as
// a Buffer of their own.
//
// `later.plan_json(…)` does the same on a thread of libuv's pool, and gives a promise. It is for
// work that ends by itself. What waits, such as a run, must never be called that way: four of those
// would stop all files of the process, and its exit would wait for them.
//
// koffi is not configured, since its settings are the whole process's: the stack of 128 KiB on
// which it makes calls is four times what the library asks for.
import koffi from "koffi";
import { promisify } from "node:util";
import { functions } from "./abi.js";
import { TinyciError } from "./error.js";
import { load } from "./library.js";
import { checks } from "./values.js";

const library = load();
const memcpy = koffi.load(null).func("memcpy", "void *", ["void *", "void *", "size_t"]);

/** How koffi is told of a type; every other one is a pointer that it need not look into. */
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
  // Texts with their length beside them are bytes, and may have a NUL in them.
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
  status_name: declare("status_name", ...functions.status_name),
};
for (const [name, [returns, parameters]] of Object.entries(functions)) {
  if (/tinyci_error \*$/.test(parameters[0]?.[1])) raw[name] = declare(name, returns, parameters);
}

/** What the library says went wrong. */
function failure(status, pointer) {
  const causes = [];
  for (let cause; (cause = raw.error_cause(pointer, causes.length)) !== null;) causes.push(cause);
  const error = new TinyciError(raw.error_message(pointer) ?? "no more is known", {
    status: raw.status_name(status) ?? String(status),
    file: raw.error_file(pointer),
    line: raw.error_line(pointer) || null,
    column: raw.error_column(pointer) || null,
    causes,
    hostCode: raw.error_host_code(pointer),
  });
  raw.error_free(pointer);
  return error;
}

/** The value of an output: a pointer, or a text that is freed here. */
function value(role, stored) {
  if (role !== "text") return stored;
  const text = string(stored);
  raw.string_free(stored);
  return text;
}

/** What a function gives: its output, or an object of those that it has, with OK; else the status. */
function result(outputs, status, stored) {
  if (outputs.length === 0 || status > 0) return status;
  const values = outputs.map(([name, , role], index) => [name, value(role, stored[index][0])]);
  return values.length === 1 ? values[0][1] : Object.fromEntries(values);
}

/** Refuses what koffi would cut to size: numbers out of range, texts with a NUL in them. */
function checked(parameters, given) {
  return parameters.map(([name, type, role], index) => {
    const value = given[index] ?? null;
    const check = role === "in" && checks[type];
    return check ? check(name, value) : value;
  });
}

/** A function with a status: `now` and `later` of it. */
function acting(name, returns, parameters) {
  const native = declare(name, returns, parameters);
  const given = parameters.filter(([, , role]) => !isOutput(role));
  const outputs = parameters.filter(([, , role]) => isOutput(role) && role !== "error");
  const room = () => [...outputs.map(() => [null]), [null]];
  const settle = (status, rest) => {
    if (status < 0) throw failure(status, rest.at(-1)[0]);
    return result(outputs, status, rest);
  };
  const now = (...args) => {
    const rest = room();
    return settle(native(...checked(given, args), ...rest), rest);
  };
  const later = async (...args) => {
    const rest = room();
    // They come back with the status, so that buffers among them live as long as the call.
    const passed = checked(given, args);
    const { status } = await new Promise((resolve, reject) => {
      native.async(...passed, ...rest, (error, status) => (error ? reject(error) : resolve({ status, passed })));
    });
    return settle(status, rest);
  };
  return { now, later };
}

/** A function whose result is bytes, with their number beside it. */
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

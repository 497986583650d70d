import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, names } from "./abi.js";
import { now } from "./native.js";
import { known, numberOf } from "./values.js";

const EFFECTS = names.effect;

/** The members of a HostFunction. */
const FUNCTION = ["call", "args", "effect", "doc", "returns"];

/** Converts a path for C. */
export const pathOf = (path) => (path instanceof URL ? fileURLToPath(path) : path);

/** Converts a path to an absolute one: the call may run on another thread, after a process.chdir(). */
export function absolute(given) {
  const path = pathOf(given);
  if (typeof path === "string") return path === "" ? path : resolve(path);
  if (!(path instanceof Uint8Array) || path.length === 0 || path[0] === "/".charCodeAt(0)) return path;
  return Buffer.concat([Buffer.from(`${process.cwd()}/`), path]);
}

const each = (record, set) => Object.entries(record).forEach(([name, value]) => set(name, value));

function callable(what, value) {
  if (typeof value !== "function") throw new TypeError(`${what} must be a function`);
  return value;
}

/** Completes a registered function. By default it takes as many arguments as it names, and is external. */
function registered(name, given) {
  const options = typeof given === "function" ? { call: given } : given;
  known(`option of the function \`${name}\``, options, FUNCTION);
  const call = callable(`the function \`${name}\``, options.call);
  const [least, most] = options.args ?? [call.length, call.length];
  const effect = numberOf("effect", EFFECTS, options.effect ?? "external");
  if (options.returns !== undefined && options.returns !== "float")
    throw new TypeError(`\`returns\` of \`${name}\` must be "float"`);
  return { call, least, most, effect, doc: options.doc, returns: options.returns };
}

/** Returns the setter of an option that registers a callback. */
const registering = (name, flag) => (to, callback, handlers) => {
  handlers[name] = callable(`\`${name}\``, callback);
  handlers.mask |= flag;
};

/** The setter of each option. Callbacks are stored in `handlers`. */
const OPTIONS = {
  refs: (to, refs) => refs.forEach((glob) => now.options_add_ref(to, glob)),
  jobs: now.options_set_jobs,
  jobTimeoutMs: now.options_set_job_timeout_ms,
  buildsDir: (to, dir) => now.options_set_builds_dir(to, pathOf(dir)),
  logLimit: now.options_set_log_limit,
  settings: (to, settings) =>
    each(settings, (key, values) =>
      [values].flat().forEach((value) => now.options_set_setting(to, key, String(value))),
    ),
  env: (to, env) => each(env, (name, value) => now.options_set_env(to, name, value)),
  vars: (to, vars) => each(vars, (name, value) => now.options_set_var(to, name, value)),
  by: (to, { name, address }) => now.options_set_by(to, name, address),
  hooks: (to, hooks, handlers) =>
    each(hooks, (point, hook) => {
      handlers.hooks[point] = callable(`the hook \`${point}\``, hook);
      now.options_add_hook(to, point);
    }),
  functions: (to, functions, handlers) =>
    each(functions, (name, given) => {
      const one = registered(name, given);
      handlers.functions[name] = one;
      now.options_add_function(to, name, one.least, one.most, one.effect, one.doc);
    }),
  secrets: registering("secrets", constants.HANDLER_SECRET),
  approvals: registering("approvals", constants.HANDLER_APPROVAL),
  executor: registering("executor", constants.HANDLER_EXECUTOR),
};

/** Sets the options, and returns the registered callbacks. */
export function setOptions(to, given) {
  known("option", given, Object.keys(OPTIONS));
  const handlers = { hooks: {}, functions: {}, mask: 0 };
  each(given, (name, value) => {
    if (value !== undefined) OPTIONS[name](to, value, handlers);
  });
  now.options_set_handlers(to, handlers.mask);
  return handlers;
}

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, names } from "./abi.js";
import { now } from "./native.js";
import { known, numberOf } from "./values.js";

const EFFECTS = names.effect;

/** What a lent function can be told of. */
const FUNCTION = ["call", "args", "effect", "doc", "returns"];

/** A path as the header takes it. */
export const pathOf = (path) => (path instanceof URL ? fileURLToPath(path) : path);

/** The same, absolute: the call that takes it runs on another thread, maybe after a process.chdir(). */
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

/** A lent function in full. Alone it takes as many arguments as it names, and acts. */
function lent(name, given) {
  const said = typeof given === "function" ? { call: given } : given;
  known(`word of the function \`${name}\``, said, FUNCTION);
  const call = callable(`the function \`${name}\``, said.call);
  const [least, most] = said.args ?? [call.length, call.length];
  const effect = numberOf("effect", EFFECTS, said.effect ?? "external");
  if (said.returns !== undefined && said.returns !== "float")
    throw new TypeError(`\`returns\` of \`${name}\` can only be "float"`);
  return { call, least, most, effect, doc: said.doc, returns: said.returns };
}

/** An option that has the host answer for something. */
const answering = (name, answer) => (to, handler, host) => {
  host[name] = callable(`\`${name}\``, handler);
  host.answers |= answer;
};

/** What each option sets, and leaves in `host` for later. */
const OPTIONS = {
  refs: (to, refs) => refs.forEach((glob) => now.options_add_ref(to, glob)),
  jobs: now.options_set_jobs,
  timeoutMs: now.options_set_job_timeout_ms,
  buildsDir: (to, dir) => now.options_set_builds_dir(to, pathOf(dir)),
  logLimit: now.options_set_log_limit,
  settings: (to, settings) =>
    each(settings, (key, values) =>
      [values].flat().forEach((value) => now.options_set_setting(to, key, String(value))),
    ),
  env: (to, env) => each(env, (name, value) => now.options_set_env(to, name, value)),
  vars: (to, vars) => each(vars, (name, value) => now.options_set_var(to, name, value)),
  by: (to, { name, address }) => now.options_set_by(to, name, address),
  hooks: (to, hooks, host) =>
    each(hooks, (point, hook) => {
      host.hooks[point] = callable(`the hook \`${point}\``, hook);
      now.options_add_hook(to, point);
    }),
  functions: (to, functions, host) =>
    each(functions, (name, given) => {
      const one = lent(name, given);
      host.functions[name] = one;
      now.options_add_function(to, name, one.least, one.most, one.effect, one.doc);
    }),
  secrets: answering("secrets", constants.HANDLER_SECRET),
  approvals: answering("approvals", constants.HANDLER_APPROVAL),
  executor: answering("executor", constants.HANDLER_EXECUTOR),
};

/** Sets what was given, and tells which handlers were among it. */
export function setOptions(to, given) {
  known("option", given, Object.keys(OPTIONS));
  const host = { hooks: {}, functions: {}, answers: 0 };
  each(given, (name, value) => {
    if (value !== undefined) OPTIONS[name](to, value, host);
  });
  now.options_set_handlers(to, host.answers);
  return host;
}

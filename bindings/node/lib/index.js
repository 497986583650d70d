// tinyci for Node: the exports of the package.
import { now } from "./native.js";

export { discover, open, Engine } from "./engine.js";
export { Refusal, TinyciError } from "./error.js";
export { Pipeline, definitions, parsePipeline } from "./pipeline.js";

/** The version of the loaded library. */
export const version = now.version();

/** Returns true if the library was built with a feature, such as `rhai`. */
export function hasFeature(name) {
  return now.has_feature(name) === 1;
}

/** Fills in the placeholders of a template. */
export function interpolate(template, vars = {}) {
  const pointer = now.vars_new();
  try {
    for (const [name, value] of Object.entries(vars)) now.vars_set(pointer, name, value);
    return now.interpolate(template, pointer);
  } finally {
    now.vars_free(pointer);
  }
}

// tinyci for Node: what a program imports.
import { now } from "./native.js";

export { discover, open, Engine } from "./engine.js";
export { TinyciError } from "./error.js";
export { Pipeline, definitions, parsePipeline } from "./pipeline.js";

/** The version of the library that is loaded. */
export const version = now.version();

/** Whether the library was built with a feature, such as `rhai`. */
export function hasFeature(name) {
  return now.has_feature(name) === 1;
}

/** Fills the tags of a template in. */
export function interpolate(template, vars = {}) {
  const pointer = now.vars_new();
  try {
    for (const [name, value] of Object.entries(vars)) now.vars_set(pointer, name, value);
    return now.interpolate(template, pointer);
  } finally {
    now.vars_free(pointer);
  }
}

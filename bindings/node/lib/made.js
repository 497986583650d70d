import { known } from "./values.js";

/**
 * Makes an object of the C header from options. Each option is one of `setters`, or of `others`, which the
 * caller handles. `type` has the functions that make and free the object; the caller frees the result.
 */
export function made(what, options, setters, others, type) {
  known(what, options, [...Object.keys(setters), ...others]);
  const pointer = type.create();
  try {
    for (const [name, set] of Object.entries(setters)) {
      if (options[name] !== undefined) set(pointer, options[name]);
    }
    return pointer;
  } catch (error) {
    type.free(pointer);
    throw error;
  }
}

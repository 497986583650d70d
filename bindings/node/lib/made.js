import { known } from "./values.js";

/**
 * Makes an object of the header from words: each is one of `setters`, or of `others`, which the
 * caller looks at. `type` has the functions that make and free it; whoever asked frees what is given.
 */
export function made(what, words, setters, others, type) {
  known(what, words, [...Object.keys(setters), ...others]);
  const pointer = type.create();
  try {
    for (const [word, set] of Object.entries(setters)) {
      if (words[word] !== undefined) set(pointer, words[word]);
    }
    return pointer;
  } catch (error) {
    type.free(pointer);
    throw error;
  }
}

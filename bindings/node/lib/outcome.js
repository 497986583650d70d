import { names } from "./abi.js";
import { now } from "./native.js";
import { numberOf } from "./values.js";

const OUTCOMES = names.outcome;

/** Returns the name of an outcome: `unknown` for one of a later version, null for none. */
export function outcomeName(number) {
  return number === 0 ? null : (now.outcome_name(number) ?? "unknown");
}

/** Returns the number of an outcome's name; 0 for none. */
export const outcomeNumber = (name) => numberOf("outcome", OUTCOMES, name);

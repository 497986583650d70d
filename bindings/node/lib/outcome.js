import { names } from "./abi.js";
import { now } from "./native.js";
import { numberOf } from "./values.js";

const OUTCOMES = names.outcome;

/** The name of an outcome: `unknown` for one of a later version, null for none. */
export function outcomeName(number) {
  return number === 0 ? null : (now.outcome_name(number) ?? "unknown");
}

/** The number of an outcome that somebody asks for; 0 for none. */
export const outcomeNumber = (name) => numberOf("outcome", OUTCOMES, name);

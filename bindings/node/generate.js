// Writes lib/abi.js, which is what the package has of the C header: `node generate.js`.
// Run from the source tree, after include/tinyci.json changed.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The text of lib/abi.js, given that of include/tinyci.json. */
export function generate(json) {
  const header = JSON.parse(json);
  const constants = header.constants.map(({ name, value }) => `  ${short(name)}: ${JSON.stringify(value)},\n`);
  const names = header.groups.filter(({ kind }) => kind === "choice").map((group) => {
    const members = header.constants.filter((constant) => constant.group === group.name);
    const named = members.map(({ name, value }) => [value, name.slice(group.prefix.length).toLowerCase()]);
    return `  ${group.name}: ${JSON.stringify(Object.fromEntries(named))},\n`;
  });
  const functions = header.functions.map(({ name, parameters, returns }) => {
    const known = parameters.map((parameter) => [parameter.name, parameter.type, role(name, parameter)]);
    return `  ${short(name)}: ${JSON.stringify([returns.type, known])},\n`;
  });
  return [
    "// The constants and functions of tinyci.h, without their prefix. Written by generate.js.\n\n",
    "export const constants = {\n",
    ...constants,
    "};\n\n",
    "// The names of constants by their numbers, for each group that a number is chosen from.\n",
    "export const names = {\n",
    ...names,
    "};\n\n",
    "// name: [type of the result, [[name, type, role] of each parameter]]. A role is \"in\"; \"bytes\", whose\n",
    "// number follows; \"out\"; \"text\", an output to be freed with `string_free`; \"count\", of the bytes that\n",
    "// are returned; or \"error\".\n",
    "export const functions = {\n",
    ...functions,
    "};\n",
  ].join("");
}

/** What a parameter is to a call. */
function role(name, { type, direction, ownership, length, length_of: lengthOf, free }) {
  if (direction !== "out") return length === null ? "in" : "bytes";
  if (lengthOf === "return") return "count";
  if (free === "tinyci_error_free") return "error";
  if (free === "tinyci_string_free") return "text";
  if (ownership !== null) return "out";
  throw new Error(`${name}: no rule for an output of type ${type}`);
}

function short(name) {
  return name.replace(/^tinyci_/i, "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const json = readFileSync(new URL("../../include/tinyci.json", import.meta.url), "utf8");
  writeFileSync(new URL("lib/abi.js", import.meta.url), generate(json));
}

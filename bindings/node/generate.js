// Writes lib/abi.js, which is what the package has of the C header: `node generate.js`.
// Run from the source tree, after include/tinyci.json changed.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The text of lib/abi.js, given that of include/tinyci.json. */
export function generate(json) {
  const header = JSON.parse(json);
  const constants = header.constants.map(({ name, value }) => `  ${short(name)}: ${JSON.stringify(value)},\n`);
  const functions = header.functions.map(({ name, parameters, returns }) => {
    const types = parameters.map((parameter) => [parameter.name, parameter.type]);
    return `  ${short(name)}: ${JSON.stringify([returns.type, types])},\n`;
  });
  return [
    "// The constants and functions of tinyci.h, without their prefix. Written by generate.js.\n\n",
    "export const constants = {\n",
    ...constants,
    "};\n\n",
    "// name: [type of the result, [[name, type] of each parameter]]\n",
    "export const functions = {\n",
    ...functions,
    "};\n",
  ].join("");
}

function short(name) {
  return name.replace(/^tinyci_/i, "");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const json = readFileSync(new URL("../../include/tinyci.json", import.meta.url), "utf8");
  writeFileSync(new URL("lib/abi.js", import.meta.url), generate(json));
}

// Converts values of JavaScript to those of the C header, and back.
import { randomUUID } from "node:crypto";

const INT64 = [-(2n ** 63n), 2n ** 63n - 1n];

const show = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

/** Checks a string, which C would end at the first NUL. Bytes get a NUL at the end. */
function text(name, value) {
  if (value === null) return null;
  if (value instanceof Uint8Array) {
    if (value.includes(0)) throw new TypeError(`\`${name}\` must not contain NUL`);
    return Buffer.concat([value, Buffer.of(0)]);
  }
  if (typeof value !== "string") throw new TypeError(`\`${name}\` must be a string, not ${show(value)}`);
  if (value.includes("\0")) throw new TypeError(`\`${name}\` must not contain NUL: ${show(value)}`);
  if (!value.isWellFormed()) throw new TypeError(`\`${name}\` must be well-formed Unicode: ${show(value)}`);
  return value;
}

function whole(least, most) {
  return (name, value) => {
    const number = typeof value === "boolean" ? Number(value) : value;
    const is = typeof number === "bigint" || Number.isSafeInteger(number);
    if (!is || number < least || number > most) {
      throw new RangeError(`\`${name}\` must be an integer from ${least} to ${most}, not ${show(value)}`);
    }
    return number;
  };
}

function float(name, value) {
  if (typeof value !== "number") throw new TypeError(`\`${name}\` must be a number, not ${show(value)}`);
  return value;
}

/** The check of an argument, by its type in the C header. */
export const checks = {
  "const char *": text,
  int32_t: whole(-(2 ** 31), 2 ** 31 - 1),
  uint32_t: whole(0, 2 ** 32 - 1),
  int64_t: whole(...INT64),
  uint64_t: whole(0, 2n ** 64n - 1n),
  size_t: whole(0, 2n ** 64n - 1n),
  double: float,
};

/** Converts any value to a string for the record. */
export function plain(value) {
  return String(value).replaceAll("\0", "\uFFFD").toWellFormed();
}

/** Returns the bytes of a string or of bytes, and their number. C needs a pointer even for no bytes. */
export function sized(name, value) {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new TypeError(`\`${name}\` must be a string or a Uint8Array, not ${show(value)}`);
  }
  const bytes = Buffer.from(value);
  return [bytes.length > 0 ? bytes : Buffer.alloc(1), bytes.length];
}

/** Returns the lines of a string. */
export function lines(value) {
  return value === null ? [] : value.split("\n").filter((line) => line !== "");
}

/** Rejects unknown names, since a callback with a misspelled name would never be called. */
export function known(what, given, names) {
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) throw new TypeError(`unknown ${what} \`${name}\`: expected one of ${names.join(", ")}`);
  }
}

/** Returns the number of a name; 0 for none. */
export function numberOf(what, names, name) {
  if (name === undefined || name === null) return 0;
  const found = Object.keys(names).find((number) => names[number] === name);
  if (found === undefined)
    throw new TypeError(`unknown ${what} ${show(name)}: expected one of ${Object.values(names).join(", ")}`);
  return Number(found);
}

/** Writes JSON. Unlike `JSON.stringify` it throws for a value that JSON cannot represent. */
export function encode(value) {
  if (value === null || value === undefined) return "null";
  if (typeof value?.toJSON === "function") return encode(value.toJSON());
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  switch (typeof value) {
    case "boolean":
      return String(value);
    case "bigint":
      return String(checks.int64_t("a number", value));
    case "number":
      if (Number.isFinite(value)) return JSON.stringify(value);
      break;
    case "string":
      return JSON.stringify(value.toWellFormed());
    case "object": {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      return `{${members.map(([name, member]) => `${encode(name)}:${encode(member)}`).join(",")}}`;
    }
  }
  throw new TypeError(`scripts have no equivalent of ${show(value)}`);
}

const LONG = `${randomUUID()}:`;

/** Parses JSON. An integer that a `number` cannot represent becomes a `bigint`. */
export function decode(json) {
  // A string is matched as a whole, so that digits in it do not change.
  const marked = json.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g, (part) => {
    return part.startsWith('"') || Number.isSafeInteger(Number(part)) ? part : `"${LONG}${part}"`;
  });
  return JSON.parse(marked, (_, value) => {
    return typeof value === "string" && value.startsWith(LONG) ? BigInt(value.slice(LONG.length)) : value;
  });
}

/** Returns assumptions as pairs of a glob over commands and an output. */
export const assumed = (assume) => (Array.isArray(assume) ? assume : Object.entries(assume));

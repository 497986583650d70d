/** A failed call: tinyci could not do what the program asked for. A failed build is not an error. */
export class TinyciError extends Error {
  constructor(message, { code, file = null, line = null, column = null, causes = [], hostCode = 0 }) {
    super(message);
    this.code = code;
    this.file = file;
    this.line = line;
    this.column = column;
    this.causes = causes;
    this.hostCode = hostCode;
  }
}

/** The error with which a callback says no. */
export class Refusal extends Error {
  constructor(message = "refused", code = 0) {
    super(message);
    if (!Number.isInteger(code) || code !== (code | 0)) {
      throw new RangeError(`\`code\` must be a 32-bit integer, not ${String(code)}`);
    }
    this.code = code;
  }
}

// On the prototypes, because a field of each error would be printed with it.
TinyciError.prototype.name = "TinyciError";
Refusal.prototype.name = "Refusal";

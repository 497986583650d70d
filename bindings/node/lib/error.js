/** That tinyci could not work. What became of a build is no error but an outcome. */
export class TinyciError extends Error {
  constructor(message, { status, file = null, line = null, column = null, causes = [], hostCode = 0 }) {
    super(message);
    this.status = status;
    this.file = file;
    this.line = line;
    this.column = column;
    this.causes = causes;
    this.hostCode = hostCode;
  }
}

// Not a field of each error, which would be printed with it.
TinyciError.prototype.name = "TinyciError";

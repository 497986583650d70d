// Waits for the descriptor of a run in the event loop: neither a thread nor the loop is held up.
import koffi from "koffi";
import { Socket } from "node:net";
import { TinyciError } from "./error.js";

/** `F_DUPFD_CLOEXEC`; where its number is not known a plain `F_DUPFD` does. */
const DUPLICATE = { linux: 1030, android: 1030, darwin: 67, freebsd: 17, openbsd: 10 }[process.platform] ?? 0;

const fcntl = koffi.load(null).func("fcntl", "int", ["int", "int", "..."]);

export class Bell {
  #socket;
  #waiting = [];

  /** The descriptor goes on to be the run's: a socket closes what it was given, so it gets another. */
  constructor(descriptor) {
    const fd = fcntl(descriptor, DUPLICATE, "int", 0);
    if (fd < 0) throw new TinyciError(`no descriptor is left for a run: errno ${koffi.errno()}`, { status: "io" });
    this.#socket = new Socket({ fd, readable: true, writable: false });
    // An error ends the socket, and what waits then finds out from the run.
    for (const happening of ["data", "error", "close"]) this.#socket.on(happening, () => this.ring());
    this.#socket.unref();
  }

  /** A promise of the next ring, which keeps the process going; with a limit, of at most so long. */
  wait(limitMs = null) {
    if (this.#socket.destroyed) return new Promise(setImmediate);
    const timer = limitMs === null ? null : setTimeout(() => this.ring(), limitMs);
    this.#socket.ref();
    return new Promise((resolve) => this.#waiting.push(resolve)).finally(() => clearTimeout(timer));
  }

  ring() {
    if (this.#waiting.length === 0) return;
    this.#socket.unref();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  close() {
    this.#socket.destroy();
    this.ring();
  }
}

// Waits for the descriptor of a run, without blocking a thread or the event loop.
import koffi from "koffi";
import { Socket } from "node:net";
import { TinyciError } from "./error.js";

/** `F_DUPFD_CLOEXEC`; a plain `F_DUPFD` if its number is not known. */
const DUPLICATE = { linux: 1030, android: 1030, darwin: 67, freebsd: 17, openbsd: 10 }[process.platform] ?? 0;

const fcntl = koffi.load(null).func("fcntl", "int", ["int", "int", "..."]);

export class Notifier {
  #socket;
  #waiting = [];

  /** The socket closes its descriptor, and the run closes its own, so the socket gets a duplicate. */
  constructor(descriptor) {
    const fd = fcntl(descriptor, DUPLICATE, "int", 0);
    if (fd < 0)
      throw new TinyciError(`cannot duplicate the descriptor of a run: errno ${koffi.errno()}`, { code: "io" });
    this.#socket = new Socket({ fd, readable: true, writable: false });
    // An error ends the socket; the run then reports its own error.
    for (const event of ["data", "error", "close"]) this.#socket.on(event, () => this.notify());
    this.#socket.unref();
  }

  /** Waits for the next notification, and keeps the process alive meanwhile. The limit is optional. */
  wait(limitMs = null) {
    if (this.#socket.destroyed) return new Promise(setImmediate);
    const timer = limitMs === null ? null : setTimeout(() => this.notify(), limitMs);
    this.#socket.ref();
    return new Promise((resolve) => this.#waiting.push(resolve)).finally(() => clearTimeout(timer));
  }

  notify() {
    if (this.#waiting.length === 0) return;
    this.#socket.unref();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  close() {
    this.#socket.destroy();
    this.notify();
  }
}

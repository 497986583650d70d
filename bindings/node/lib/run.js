import { setImmediate as turn } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { constants } from "./abi.js";
import { Notifier } from "./notifier.js";
import { TinyciError } from "./error.js";
import { readEvent } from "./event.js";
import { later, now } from "./native.js";
import { readRecords } from "./record.js";
import { PendingRequest, isServed, serve } from "./request.js";

/** How long events may follow each other before the rest of the program gets a turn. */
const TURN_MS = 10;

/** How often pending requests are checked for cancellation. */
const LOOK_MS = 100;

/** How long to wait for a stopped run. The library has its own limit. */
const STOP_MS = 30_000;

/** The pointers of active runs. */
const live = new Set();

/** Stops a run that the program dropped. */
function abandon(native, free) {
  if (!live.delete(native)) return;
  now.cancel_trigger(native.cancel);
  now.cancel_trigger(native.cancel);
  now.cancel_free(native.cancel);
  native.notifier.close();
  free(native.run);
}

const onThread = (run) => later.run_free(run);

const abandoned = new FinalizationRegistry((native) => abandon(native, onThread));

// The library outlives a worker, whose runs are stopped here. At the end of the process it stops them itself.
if (!isMainThread) {
  process.on("exit", () => {
    for (const native of live) abandon(native, now.run_free);
  });
}

function begin(start) {
  const native = { run: null, cancel: now.cancel_new(), notifier: null };
  try {
    native.run = start(native.cancel);
    native.notifier = new Notifier(now.run_fd(native.run));
    live.add(native);
    return native;
  } catch (error) {
    now.cancel_free(native.cancel);
    if (native.run !== null) onThread(native.run);
    throw error;
  }
}

/** An active run. Iterating its events keeps it going. */
export class Run {
  #native;
  #handlers;
  #pending = new Set();
  #looking = null;
  #rooms = [];
  #turned = performance.now();
  #over = false;
  #records = null;
  #deployment = null;
  #summary = null;
  /** The error, if the run could not start. */
  #failure = null;
  /** The first error of a callback, as `{ error, commit, step }`. */
  #raised = null;
  #unlisten = () => {};

  /** `start(cancel)` returns the pointer of the run. `handlers` has the callbacks. */
  constructor(start, handlers, signal) {
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw new TypeError("`signal` must be an AbortSignal");
    this.#native = begin(start);
    this.#handlers = handlers;
    abandoned.register(this, this.#native, this);
    if (signal) this.#listen(signal);
  }

  /** True if the run has ended. */
  get isOver() {
    return this.#over;
  }

  get records() {
    return this.#result(this.#records);
  }

  get summary() {
    return this.#result(this.#summary);
  }

  get deployment() {
    return this.#records === null ? this.#result(null) : this.#deployment;
  }

  cancel() {
    if (!this.#over) now.cancel_trigger(this.#native.cancel);
  }

  async wait() {
    for await (const _ of this);
    return this.deployment ?? this.records;
  }

  async close() {
    this.cancel();
    this.cancel();
    const until = performance.now() + STOP_MS;
    while (!this.#over && performance.now() < until) {
      await this.#takeTurns();
      // Requests among the events are not taken, and fail.
      if (this.#next() === constants.AGAIN) await this.#native.notifier.wait(until - performance.now());
    }
    if (!this.#over) this.#end(new TinyciError("the run did not stop in time", { code: "busy" }), onThread);
  }

  async [Symbol.asyncDispose]() {
    await this.close();
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (let event; (event = await this.#pull()) !== null;) yield event;
      if (this.#failure !== null) throw this.#failure;
    } finally {
      await this.close();
      // Replaces the library's error. An error of the loop itself comes before this one.
      if (this.#raised !== null) throw this.#explained(this.#raised);
    }
  }

  /** Returns the error of a callback. Its `cause`, unless it has one, is the library's error. */
  #explained({ error, commit, step }) {
    const record = this.#records?.find((one) => one.commit === commit);
    const reason = record?.steps.find((one) => one.name === step)?.error ?? this.#deployment?.reason;
    const made = reason && new TinyciError(`\`${step}\` of ${commit.slice(0, 10)}: ${reason}`, { code: "host_fault" });
    const cause = this.#failure ?? made;
    if (error instanceof Error && Object.isExtensible(error) && !("cause" in error) && cause)
      Object.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });
    return error;
  }

  #result(result) {
    if (this.#failure !== null) throw this.#failure;
    if (result !== null) return result;
    throw new TinyciError("the run has not ended: iterate its events first", { code: "invalid_arg" });
  }

  #listen(signal) {
    const stop = () => this.cancel();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", stop);
  }

  /** Returns the next event that is not a request; null after the last. */
  async #pull() {
    while (!this.#over) {
      await this.#takeTurns();
      const event = this.#next();
      if (event === constants.AGAIN) {
        await this.#native.notifier.wait();
        this.#turned = performance.now();
      } else if (event !== null && !this.#serves(event)) {
        const read = readEvent(event);
        if (read !== null) return read;
      }
    }
    return null;
  }

  /** Gives the rest of the program a turn, if it had none for a while. */
  async #takeTurns() {
    if (performance.now() - this.#turned < TURN_MS) return;
    await turn();
    this.#turned = performance.now();
  }

  /** Returns an event's pointer, valid until the next call; AGAIN if there is none; null at the end. */
  #next() {
    if (this.#over) return null;
    let event;
    try {
      event = now.run_next(this.#native.run, 0);
      if (event === constants.DONE) this.#read(this.#native.run);
    } catch (error) {
      this.#end(error, now.run_free);
      return null;
    }
    if (event === constants.AGAIN) return event;
    for (const resolve of this.#rooms.splice(0)) resolve();
    if (event !== constants.DONE) return event;
    this.#end(null, now.run_free);
    return null;
  }

  #read(run) {
    this.#records = readRecords(now.run_records(run));
    if (now.run_deploy_outcome(run) !== 0) this.#deployment = JSON.parse(now.run_deployment_json(run));
    else this.#summary = JSON.parse(now.run_summary_json(run));
  }

  /** Starts a callback, if the event is a request. */
  #serves(event) {
    const kind = now.event_kind(event);
    if (!isServed(kind)) return false;
    const room = () => new Promise((resolve) => (this.#over ? resolve() : this.#rooms.push(resolve)));
    const pending = new PendingRequest(now.event_take_request(event), room);
    this.#pending.add(pending);
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref();
    serve(kind, pending, event, this.#handlers).then((raised) => {
      this.#raised ??= raised;
      this.#pending.delete(pending);
      if (this.#pending.size === 0) this.#rest();
    });
    return true;
  }

  #look() {
    for (const pending of this.#pending) pending.look();
  }

  #rest() {
    clearInterval(this.#looking);
    this.#looking = null;
  }

  #end(failure, free) {
    this.#over = true;
    this.#failure = failure;
    this.#unlisten();
    this.#rest();
    for (const pending of this.#pending) pending.drop();
    for (const resolve of this.#rooms.splice(0)) resolve();
    abandoned.unregister(this);
    abandon(this.#native, free);
  }
}

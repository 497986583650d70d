import { setImmediate as turn } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { constants } from "./abi.js";
import { Bell } from "./bell.js";
import { TinyciError } from "./error.js";
import { readEvent } from "./event.js";
import { later, now } from "./native.js";
import { readRecords } from "./record.js";
import { Taken, isServed, serve } from "./request.js";

/** How long events may follow each other before the rest of the program has its turn. */
const TURN_MS = 10;

/** How often it is looked at whether anybody still waits for what handlers work on. */
const LOOK_MS = 100;

/** How long a run that was stopped is waited for here. The library has a limit of its own. */
const STOP_MS = 30_000;

/** The pointers of runs that are not over. */
const live = new Set();

/** Stops a run that nobody has any more. */
function abandon(native, free) {
  if (!live.delete(native)) return;
  now.cancel_trigger(native.cancel);
  now.cancel_trigger(native.cancel);
  now.cancel_free(native.cancel);
  native.bell.close();
  free(native.run);
}

const onThread = (run) => later.run_free(run);

const abandoned = new FinalizationRegistry((native) => abandon(native, onThread));

// The library outlives a worker. It does not outlive the process, and kills what it started then.
if (!isMainThread) {
  process.on("exit", () => {
    for (const native of live) abandon(native, now.run_free);
  });
}

function begin(start) {
  const native = { run: null, cancel: now.cancel_new(), bell: null };
  try {
    native.run = start(native.cancel);
    native.bell = new Bell(now.run_fd(native.run));
    live.add(native);
    return native;
  } catch (error) {
    now.cancel_free(native.cancel);
    if (native.run !== null) onThread(native.run);
    throw error;
  }
}

/** A run under way. To go through its events is what keeps it going. */
export class Run {
  #native;
  #host;
  #pending = new Set();
  #looking = null;
  #rooms = [];
  #turned = performance.now();
  #over = false;
  #records = null;
  #deployment = null;
  #summary = null;
  /** What kept it from beginning. */
  #failure = null;
  /** The first error of a handler, as `{ error, commit, step }`. */
  #raised = null;
  #unlisten = () => {};

  /** `start(cancel)` gives the pointer of the run. `host` has the handlers. */
  constructor(start, host, signal) {
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw new TypeError("`signal` must be an AbortSignal");
    this.#native = begin(start);
    this.#host = host;
    abandoned.register(this, this.#native, this);
    if (signal) this.#listen(signal);
  }

  /** Whether it has ended, for whatever reason. */
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
      if (this.#next() === constants.AGAIN) await this.#native.bell.wait(until - performance.now());
    }
    if (!this.#over) this.#end(new TinyciError("the run did not stop in time", { status: "busy" }), onThread);
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
      // In the place of what the library made of it. An error of the loop itself comes before this one.
      if (this.#raised !== null) throw this.#explained(this.#raised);
    }
  }

  /** A handler's error, whose `cause` is what the library made of it, unless it has one. */
  #explained({ error, commit, step }) {
    const record = this.#records?.find((one) => one.commit === commit);
    const said = record?.steps.find((one) => one.name === step)?.error ?? this.#deployment?.reason;
    const made = said && new TinyciError(`\`${step}\` of ${commit.slice(0, 10)}: ${said}`, { status: "host_fault" });
    const cause = this.#failure ?? made;
    if (error instanceof Error && Object.isExtensible(error) && !("cause" in error) && cause)
      Object.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });
    return error;
  }

  #result(result) {
    if (this.#failure !== null) throw this.#failure;
    if (result !== null) return result;
    throw new TinyciError("the run is not over: go through its events first", { status: "invalid_arg" });
  }

  #listen(signal) {
    const stop = () => this.cancel();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", stop);
  }

  /** The next event that the host is to see; null after the last. */
  async #pull() {
    while (!this.#over) {
      await this.#takeTurns();
      const event = this.#next();
      if (event === constants.AGAIN) {
        await this.#native.bell.wait();
        this.#turned = performance.now();
      } else if (event !== null && !this.#serves(event)) {
        const read = readEvent(event);
        if (read !== null) return read;
      }
    }
    return null;
  }

  /** Lets the rest of the program have its turn, if it had none for a while. */
  async #takeTurns() {
    if (performance.now() - this.#turned < TURN_MS) return;
    await turn();
    this.#turned = performance.now();
  }

  /** An event's pointer, which is good until the next call; AGAIN if there is none; null at the end. */
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

  /** Starts a handler, if this is a request. */
  #serves(event) {
    const kind = now.event_kind(event);
    if (!isServed(kind)) return false;
    const room = () => new Promise((resolve) => (this.#over ? resolve() : this.#rooms.push(resolve)));
    const taken = new Taken(now.event_take_request(event), room);
    this.#pending.add(taken);
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref();
    serve(kind, taken, event, this.#host).then((raised) => {
      this.#raised ??= raised;
      this.#pending.delete(taken);
      if (this.#pending.size === 0) this.#rest();
    });
    return true;
  }

  #look() {
    for (const taken of this.#pending) taken.look();
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
    for (const taken of this.#pending) taken.drop();
    for (const resolve of this.#rooms.splice(0)) resolve();
    abandoned.unregister(this);
    abandon(this.#native, free);
  }
}

// The requests of a run, and their answers.
import { constants as system } from "node:os";
import { constants, names } from "./abi.js";
import { Refusal, TinyciError } from "./error.js";
import { now } from "./native.js";
import { outcomeName } from "./outcome.js";
import { decode, encode, numberOf, plain, sized } from "./values.js";

const STREAMS = names.stream;

/** The most bytes of output that one call passes on. */
const PIECE = 65536;

/** A request that was taken from its event. It is answered once, and its pointer is not used after that. */
export class PendingRequest {
  #pointer;
  #stop = new AbortController();
  /** The answer that the callback chose before it returned: a function of the C header, and its arguments. */
  decision = null;

  /** `room` returns a promise that resolves when there may be room for more output. */
  constructor(pointer, room) {
    this.#pointer = pointer;
    this.room = room;
  }

  get signal() {
    return this.#stop.signal;
  }

  /** Reads the request, or adds to its answer. */
  ask(accessor, ...args) {
    if (this.#pointer === null) throw new TinyciError("the request was answered already", { code: "invalid_arg" });
    return accessor(this.#pointer, ...args);
  }

  /** Answers, unless that was done before or the answer is no longer needed. */
  answer(how, ...args) {
    const pointer = this.#pointer;
    if (pointer === null) return;
    this.#pointer = null;
    try {
      how(pointer, ...args);
    } catch (error) {
      // If an argument was rejected here, the library was not called and did not consume the request.
      if (!(error instanceof TinyciError)) this.#pointer = pointer;
      if (error.code !== "canceled") throw error;
    }
  }

  /** Aborts the signal if the answer is no longer needed. */
  look() {
    if (this.#pointer !== null && now.request_canceled(this.#pointer) === 1) this.#stop.abort();
  }

  /** Frees the request after the end of its run. */
  drop() {
    this.#stop.abort();
    if (this.#pointer !== null) now.request_free(this.#pointer);
    this.#pointer = null;
  }
}

/** What every callback gets. */
class Request {
  #pending;

  constructor(pending) {
    this.#pending = pending;
    this.name = pending.ask(now.request_name);
    this.commit = pending.ask(now.request_commit);
    this.jobId = pending.ask(now.request_job_id);
    this.step = pending.ask(now.request_step);
    this.label = pending.ask(now.request_label);
    this.exportDir = pending.ask(now.request_export_dir);
  }

  get signal() {
    return this.#pending.signal;
  }

  fail(message, code) {
    throw new Refusal(message, code);
  }
}

/** One call of a hook callback. */
class Hook extends Request {
  #pending;

  constructor(pending, event) {
    super(pending);
    this.#pending = pending;
    this.outcome = outcomeName(now.event_outcome(event));
  }

  setVar(name, value) {
    this.#pending.ask(now.request_set_var, name, value);
  }

  skip(reason = null) {
    this.#pending.decision = [now.request_skip, reason === null ? null : plain(reason)];
  }
}

/** One call of a registered function by a script; `this` of the function. */
class FunctionCall extends Request {}

/** A request for the value of a secret. */
class SecretRequest extends Request {}

/** A deployment that needs an approval. */
class ApprovalRequest extends Request {
  constructor(pending) {
    super(pending);
    this.environment = this.name;
    this.question = pending.ask(now.request_question);
  }
}

/** A command for the program's executor. */
class Command extends Request {
  #pending;

  constructor(pending) {
    super(pending);
    this.#pending = pending;
    const { shell, argv, cwd, env, nice, input, input_hex, timeout_ms, output } = JSON.parse(
      pending.ask(now.request_command_json),
    );
    this.shell = shell ?? null;
    this.argv = argv ?? null;
    this.cwd = cwd;
    // Node's own environments are strings, with U+FFFD for bytes that are not UTF-8.
    this.env = env;
    this.nice = nice ?? 0;
    this.input = input_hex === undefined ? Buffer.from(input ?? "") : Buffer.from(input_hex, "hex");
    this.timeoutMs = timeout_ms ?? null;
    this.output = output;
  }

  async write(data, stream = "stdout") {
    const number = numberOf("stream", STREAMS, stream);
    const [bytes, length] = sized("data", data);
    for (let at = 0; at < length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      while (this.#offer(number, piece) === constants.AGAIN) await this.#pending.room();
    }
  }

  #offer(stream, piece) {
    this.#pending.look();
    this.signal.throwIfAborted();
    return this.#pending.ask(now.request_command_output, stream, piece, piece.length);
  }
}

/** Returns an argument. Strings are read from JSON, because `arg_string` ends at a NUL. */
function argument(pending, index) {
  switch (pending.ask(now.request_arg_kind, index)) {
    case constants.VALUE_BOOL:
      return pending.ask(now.request_arg_int, index) !== 0;
    case constants.VALUE_INT:
      return pending.ask(now.request_arg_int, index);
    case constants.VALUE_FLOAT:
      return pending.ask(now.request_arg_float, index);
    default:
      return decode(pending.ask(now.request_arg_json, index));
  }
}

/** Returns the answer for a value. `2` is an int, unless the function returns floats. */
function returned(value, isFloat) {
  switch (typeof value) {
    case "undefined":
      return [now.request_return_null];
    case "boolean":
      return [now.request_return_bool, value];
    case "bigint":
      return [now.request_return_int, value];
    case "number":
      return [Number.isSafeInteger(value) && !isFloat ? now.request_return_int : now.request_return_float, value];
    case "string":
      return value.includes("\0") ? [now.request_return_json, encode(value)] : [now.request_return_string, value];
    default:
      return value === null ? [now.request_return_null] : [now.request_return_json, encode(value)];
  }
}

/** Returns the answer to a command, from an exit code or an object with a code or a signal. */
function finished(ended) {
  const { code, signal = null } = typeof ended === "number" ? { code: ended } : (ended ?? {});
  const number = typeof signal === "string" ? system.signals[signal] : (signal ?? 0);
  if (number === undefined) throw new TypeError(`unknown signal ${signal}`);
  if (!Number.isInteger(code) && number === 0) {
    throw new TypeError("the executor must return an exit code, or an object with a `code` or a `signal`");
  }
  return [now.request_command_finish, Number.isInteger(code) ? code : 0, number];
}

/** Returns the answer to an approval: the approver, yes, or not yet. */
function approved(by) {
  if (typeof by === "string") return [now.request_return_string, by];
  if (by === true) return [now.request_ok];
  if (by === false || by === null || by === undefined) return [now.request_return_null];
  throw new TypeError("`approvals` must return the approver, true or false");
}

/** Calls the callback for each kind of request, and returns the answer. */
const CALLERS = {
  [constants.EVENT_HOOK]: async (pending, event, handlers) => {
    const hook = new Hook(pending, event);
    await handlers.hooks[hook.name](hook);
    return [now.request_ok];
  },
  [constants.EVENT_FUNCTION]: async (pending, event, handlers) => {
    const call = new FunctionCall(pending);
    const registered = handlers.functions[call.name];
    const count = Number(pending.ask(now.request_arg_count));
    const args = Array.from({ length: count }, (_, index) => argument(pending, index));
    return returned(await registered.call.apply(call, args), registered.returns === "float");
  },
  [constants.EVENT_SECRET]: async (pending, event, handlers) => {
    const request = new SecretRequest(pending);
    const value = (await handlers.secrets(request.name, request)) ?? null;
    return value === null ? [now.request_return_null] : [now.request_return_bytes, ...sized("a secret", value)];
  },
  [constants.EVENT_APPROVAL]: async (pending, event, handlers) =>
    approved(await handlers.approvals(new ApprovalRequest(pending))),
  [constants.EVENT_COMMAND]: async (pending, event, handlers) =>
    finished(await handlers.executor(new Command(pending))),
};

/** Returns true for a known kind of request. Others are not taken, which fails them. */
export const isServed = (kind) => kind in CALLERS;

/**
 * Answers a request with a callback, while the run continues. Returns `{ error, commit, step }` if the callback
 * threw an error that is a fault of the program, and the answer was still needed.
 */
export async function serve(kind, pending, event, handlers) {
  const [commit, step] = [pending.ask(now.request_commit), pending.ask(now.request_step)];
  try {
    const answer = await CALLERS[kind](pending, event, handlers);
    pending.answer(...(pending.decision ?? answer));
    return null;
  } catch (error) {
    if (error instanceof Refusal) {
      pending.answer(now.request_fail, plain(error.message), error.code);
      return null;
    }
    pending.look();
    const isPlain = error instanceof Error && error.name === "Error";
    pending.answer(now.request_abort, plain(isPlain ? error.message : error), 0);
    return pending.signal.aborted ? null : { error, commit, step };
  }
}

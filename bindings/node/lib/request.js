// What a run asks of its host, and the answers.
import { constants as system } from "node:os";
import { constants, names } from "./abi.js";
import { TinyciError } from "./error.js";
import { now } from "./native.js";
import { outcomeName } from "./outcome.js";
import { checks, decode, encode, numberOf, plain, sized } from "./values.js";

const STREAMS = names.stream;

/** As much as is passed on at once of what a command writes. */
const PIECE = 65536;

/** A request that was taken: it is answered once, and its pointer is not used after that. */
export class Taken {
  #pointer;
  #stop = new AbortController();
  /** What the handler said before it returned: a function of the header, and its arguments. */
  decision = null;

  /** `room` gives a promise of room for more output. */
  constructor(pointer, room) {
    this.#pointer = pointer;
    this.room = room;
  }

  get signal() {
    return this.#stop.signal;
  }

  /** Asks for something, or adds to the answer. */
  ask(accessor, ...args) {
    if (this.#pointer === null) throw new TinyciError("the request was answered already", { status: "invalid_arg" });
    return accessor(this.#pointer, ...args);
  }

  /** Answers, unless that was done or nobody waits any more. */
  answer(how, ...args) {
    const pointer = this.#pointer;
    if (pointer === null) return;
    this.#pointer = null;
    try {
      how(pointer, ...args);
    } catch (error) {
      // An argument that was refused here never came to the library, which takes requests for good.
      if (!(error instanceof TinyciError)) this.#pointer = pointer;
      if (error.status !== "canceled") throw error;
    }
  }

  /** Aborts the signal if nobody waits any more. */
  look() {
    if (this.#pointer !== null && now.request_canceled(this.#pointer) === 1) this.#stop.abort();
  }

  /** The run is over, so nobody will ever wait for it. */
  drop() {
    this.#stop.abort();
    if (this.#pointer !== null) now.request_free(this.#pointer);
    this.#pointer = null;
  }
}

/** What every handler is told. */
class Request {
  #taken;

  constructor(taken) {
    this.#taken = taken;
    this.name = taken.ask(now.request_name);
    this.commit = taken.ask(now.request_commit);
    this.job = taken.ask(now.request_job);
    this.step = taken.ask(now.request_step);
    this.label = taken.ask(now.request_label);
    this.exportDir = taken.ask(now.request_export_dir);
  }

  get signal() {
    return this.#taken.signal;
  }

  fail(message = null, code = 0) {
    const why = message === null ? null : plain(message);
    this.#taken.decision = [now.request_fail, why, checks.int32_t("code", code)];
  }
}

/** A point of a run at which the host wants to be asked. */
class Hook extends Request {
  #taken;

  constructor(taken, event) {
    super(taken);
    this.#taken = taken;
    this.outcome = outcomeName(now.event_outcome(event));
  }

  setVar(name, value) {
    this.#taken.ask(now.request_set_var, name, value);
  }

  skip(reason = null) {
    this.#taken.decision = [now.request_skip, reason === null ? null : plain(reason)];
  }
}

/** A script's call of a function: `this` of the function that is lent. */
class FunctionCall extends Request {}

/** A secret that a pipeline asks for. */
class SecretRequest extends Request {}

/** A deployment that somebody has to approve of. */
class ApprovalRequest extends Request {
  constructor(taken) {
    super(taken);
    this.environment = this.name;
    this.question = taken.ask(now.request_question);
  }
}

/** A command that the host is to run. */
class Command extends Request {
  #taken;

  constructor(taken) {
    super(taken);
    this.#taken = taken;
    const { shell, argv, cwd, env, nice, input, input_hex, timeout_ms, output } = JSON.parse(
      taken.ask(now.request_command_json),
    );
    this.shell = shell ?? null;
    this.argv = argv ?? null;
    this.cwd = cwd;
    // Node's own environments are text, so that what is not UTF-8 has U+FFFD in it.
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
      while (this.#offer(number, piece) === constants.AGAIN) await this.#taken.room();
    }
  }

  #offer(stream, piece) {
    this.#taken.look();
    this.signal.throwIfAborted();
    return this.#taken.ask(now.request_command_output, stream, piece, piece.length);
  }
}

/** The value of an argument. Its JSON tells of a NUL in a text, and `arg_string` does not. */
function argument(taken, index) {
  switch (taken.ask(now.request_arg_kind, index)) {
    case constants.VALUE_BOOL:
      return taken.ask(now.request_arg_int, index) !== 0;
    case constants.VALUE_INT:
      return taken.ask(now.request_arg_int, index);
    case constants.VALUE_FLOAT:
      return taken.ask(now.request_arg_float, index);
    default:
      return decode(taken.ask(now.request_arg_json, index));
  }
}

/** The answer that says a value. `2` is a whole number unless the function returns floats. */
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

/** The answer to a command: an exit code, or what `child_process` tells: a code or a signal. */
function finished(ended) {
  const { code, signal = null } = typeof ended === "number" ? { code: ended } : (ended ?? {});
  const number = typeof signal === "string" ? system.signals[signal] : (signal ?? 0);
  if (number === undefined) throw new TypeError(`unknown signal ${signal}`);
  if (!Number.isInteger(code) && number === 0) {
    throw new TypeError("the executor must return an exit code, or an object with a `code` or a `signal`");
  }
  return [now.request_command_finish, Number.isInteger(code) ? code : 0, number];
}

/** The answer that says who approves: somebody, the host, or nobody yet. */
function approved(by) {
  if (typeof by === "string") return [now.request_return_string, by];
  if (by === true) return [now.request_ok];
  if (by === false || by === null || by === undefined) return [now.request_return_null];
  throw new TypeError("`approvals` must return who approves, or true or false");
}

/** What is done for each kind of request: it gives the answer. */
const SERVED = {
  [constants.EVENT_HOOK]: async (taken, event, host) => {
    const hook = new Hook(taken, event);
    await host.hooks[hook.name](hook);
    return [now.request_ok];
  },
  [constants.EVENT_FUNCTION]: async (taken, event, host) => {
    const call = new FunctionCall(taken);
    const lent = host.functions[call.name];
    const args = Array.from({ length: Number(taken.ask(now.request_arg_count)) }, (_, index) => argument(taken, index));
    return returned(await lent.call.apply(call, args), lent.returns === "float");
  },
  [constants.EVENT_SECRET]: async (taken, event, host) => {
    const request = new SecretRequest(taken);
    const value = (await host.secrets(request.name, request)) ?? null;
    return value === null ? [now.request_return_null] : [now.request_return_bytes, ...sized("a secret", value)];
  },
  [constants.EVENT_APPROVAL]: async (taken, event, host) => approved(await host.approvals(new ApprovalRequest(taken))),
  [constants.EVENT_COMMAND]: async (taken, event, host) => finished(await host.executor(new Command(taken))),
};

/** Whether requests of this kind are known. Others are left, which fails them. */
export const isServed = (kind) => kind in SERVED;

/**
 * Has the host's handler answer a request, while the run goes on. Gives `{ error, commit, step }` for
 * an error that the handler threw while somebody waited for it: a mistake of the host's.
 */
export async function serve(kind, taken, event, host) {
  const [commit, step] = [taken.ask(now.request_commit), taken.ask(now.request_step)];
  try {
    const answer = await SERVED[kind](taken, event, host);
    taken.answer(...(taken.decision ?? answer));
    return null;
  } catch (error) {
    taken.look();
    const isPlain = error instanceof Error && error.name === "Error";
    taken.answer(now.request_abort, plain(isPlain ? error.message : error), 0);
    return taken.signal.aborted ? null : { error, commit, step };
  }
}

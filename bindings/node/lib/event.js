import { names } from "./abi.js";
import { now } from "./native.js";
import { outcomeName } from "./outcome.js";
import { RunRecord } from "./record.js";

const KINDS = names.event;
const STREAMS = names.stream;

/** One thing that happened in a run. Plain data, which outlives the run. */
export class RunEvent {
  #json;

  constructor(pointer, kind) {
    this.kind = kind;
    this.sequence = Number(now.event_sequence(pointer));
    this.time = new Date(Number(now.event_time_ms(pointer)));
    this.commit = now.event_commit(pointer);
    this.jobId = now.event_job_id(pointer);
    this.step = now.event_step(pointer);
    this.label = now.event_label(pointer);
    this.logLines = now.event_log_lines(pointer) ?? "";
    const data = now.event_data(pointer);
    const stream = now.event_stream(pointer);
    const outcome = outcomeName(now.event_outcome(pointer));
    const record = now.event_record(pointer);
    if (stream !== 0) this.stream = STREAMS[stream] ?? "unknown";
    if (stream !== 0) this.data = data;
    else if (data !== null) this.message = data.toString();
    if (outcome !== null) this.outcome = outcome;
    if (record !== null) this.record = new RunRecord(record);
    this.#json = now.event_json(pointer);
    if (kind.startsWith("deploy_")) this.deployment = this.toJSON().deployment;
  }

  /** The event as `tinyci run --json` prints it. */
  toJSON() {
    return JSON.parse(this.#json);
  }
}

/** Copies an event; returns null for a kind of a later version. */
export function readEvent(pointer) {
  const kind = KINDS[now.event_kind(pointer)];
  return kind === undefined ? null : new RunEvent(pointer, kind);
}

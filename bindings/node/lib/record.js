import { constants } from "./abi.js";
import { now } from "./native.js";
import { outcomeName } from "./outcome.js";

/** The record of one job. Plain data, which outlives the list it was read from. */
export class RunRecord {
  #json;

  constructor(pointer) {
    this.commit = now.record_commit(pointer);
    this.branch = now.record_branch(pointer);
    this.branchBytes = now.record_branch_bytes(pointer);
    this.outcome = outcomeName(now.record_outcome(pointer));
    this.passed = now.record_passed(pointer) === 1;
    this.reason = now.record_reason(pointer);
    this.started = new Date(Number(now.record_started_ms(pointer)));
    this.durationMs = Number(now.record_duration_ms(pointer));
    this.steps = Array.from({ length: Number(now.record_step_count(pointer)) }, (_, index) => ({
      name: now.record_step_name(pointer, index),
      outcome: outcomeName(now.record_step_outcome(pointer, index)),
      exitCode: exitCode(now.record_step_exit_code(pointer, index)),
      error: now.record_step_error(pointer, index),
    }));
    this.#json = now.record_json(pointer);
  }

  /** The complete record, as in `refs/notes/runs/tinyci`. */
  toJSON() {
    return JSON.parse(this.#json);
  }
}

function exitCode(code) {
  return code === -1 ? null : code;
}

/** Reads and frees a list of records. */
export function readRecords(list) {
  try {
    const records = [];
    for (let one; (one = now.records_next(list)) !== constants.DONE;) records.push(new RunRecord(one));
    return records;
  } finally {
    now.records_free(list);
  }
}

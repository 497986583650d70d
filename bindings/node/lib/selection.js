import { made } from "./made.js";
import { now } from "./native.js";
import { pointerOf } from "./pipeline.js";
import { assumed, sized } from "./values.js";

const list = (value) => (Array.isArray(value) ? value : [value]);

/** The setter of each option of a selection. */
const SETTERS = {
  revisions: (to, revisions) => list(revisions).forEach((revision) => now.selection_add_revision(to, revision)),
  ranges: (to, ranges) => list(ranges).forEach((range) => now.selection_add_range(to, range)),
  updates: (to, updates) => list(updates).forEach((one) => now.selection_add_update(to, one.old, one.new, one.ref)),
  hookLines: (to, lines) => now.selection_add_hook_lines(to, ...sized("hookLines", lines)),
  pushOptions: (to, options) => list(options).forEach((option) => now.selection_add_push_option(to, option)),
  waitMs: (to, ms) => now.selection_set_wait_ms(to, ms === Infinity ? -1 : ms),
  retry: now.selection_set_retry,
  replaceLive: now.selection_set_replace_live,
  allHistory: now.selection_set_all_history,
  assume: (to, assume) => assumed(assume).forEach((pair) => now.selection_add_assumption(to, ...pair)),
  pipeline: (to, pipeline) => now.selection_set_pipeline(to, pointerOf(pipeline)),
};

/** Returns the options of a selection: `"main"` is short for `{ revisions: ["main"] }`. */
export function optionsOf(selected = {}) {
  return typeof selected === "string" || Array.isArray(selected) ? { revisions: selected } : selected;
}

const SELECTION = { create: now.selection_new, free: now.selection_free };

/** Makes a tinyci_selection, which the caller frees. The caller also handles the `others`. */
export function select(options, others = []) {
  return made("option of a selection", options, SETTERS, others, SELECTION);
}

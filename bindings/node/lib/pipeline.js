import { names } from "./abi.js";
import { later, now } from "./native.js";
import { known, numberOf, sized } from "./values.js";

const FORMATS = names.format;
const DEFINITIONS = names.definitions;

const freed = new FinalizationRegistry((pointer) => now.pipeline_free(pointer));

/** The default name of a config. */
const NAMES = { yaml: ".tinyci.yml", rhai: ".tinyci.rhai" };

/** Returns the arguments of a config: text, length, format, name. */
export function config(text, options = {}) {
  known("option of a config", options, ["format", "name"]);
  const { format = "yaml", name = NAMES[format] } = options;
  return [...sized("text", text), numberOf("format", FORMATS, format), name];
}

/** The pointer of each pipeline, which no other object uses. */
const pointers = new WeakMap();

/** The steps of one config, in the order of a run. */
export class Pipeline {
  constructor(pointer) {
    const count = Number(now.pipeline_step_count(pointer));
    this.steps = Array.from({ length: count }, (_, index) => now.pipeline_step_name(pointer, index));
    pointers.set(this, pointer);
    freed.register(this, pointer);
  }

  /** Converts a YAML pipeline to an equivalent script. */
  toRhai() {
    return now.pipeline_to_rhai(pointers.get(this));
  }
}

/** Returns the pointer; it is valid as long as `pipeline` is in use. */
export function pointerOf(pipeline) {
  const pointer = pointers.get(pipeline);
  if (pointer === undefined) throw new TypeError("`pipeline` must be a Pipeline, as `parsePipeline` returns it");
  return pointer;
}

/** Parses a pipeline without an engine: scripts can import no files and call no registered functions. */
export async function parsePipeline(text, options) {
  return new Pipeline(await later.pipeline_parse(null, ...config(text, options)));
}

/** Returns the script API reference, with the functions of an engine if there is one. */
export function definitionsOf(engine, format = "markdown") {
  return later.definitions(engine, numberOf("format", DEFINITIONS, format));
}

/** Returns the script API reference without registered functions. */
export async function definitions(format) {
  return definitionsOf(null, format);
}

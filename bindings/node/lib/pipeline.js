import { names } from "./abi.js";
import { later, now } from "./native.js";
import { known, numberOf, sized } from "./values.js";

const FORMATS = names.format;
const DEFINITIONS = names.definitions;

const freed = new FinalizationRegistry((pointer) => now.pipeline_free(pointer));

/** What a config is called where its name is not said. */
const NAMES = { yaml: ".tinyci.yml", rhai: ".tinyci.rhai" };

/** The arguments with which the header takes a config: text, length, format, name. */
export function config(text, options = {}) {
  known("option of a config", options, ["format", "name"]);
  const { format = "yaml", name = NAMES[format] } = options;
  return [...sized("text", text), numberOf("format", FORMATS, format), name];
}

/** The pointer of each pipeline. It is nobody else's. */
const pointers = new WeakMap();

/** What one config says: its phases and hooks, in the order of a run. */
export class Pipeline {
  constructor(pointer) {
    const count = Number(now.pipeline_step_count(pointer));
    this.steps = Array.from({ length: count }, (_, index) => now.pipeline_step_name(pointer, index));
    pointers.set(this, pointer);
    freed.register(this, pointer);
  }

  /** A script that does the same, of a pipeline in YAML. */
  toRhai() {
    return now.pipeline_to_rhai(pointers.get(this));
  }
}

/** The pointer, to be used while `pipeline` is. */
export function pointerOf(pipeline) {
  const pointer = pointers.get(pipeline);
  if (pointer === undefined) throw new TypeError("`pipeline` must be a Pipeline, as `parsePipeline` gives it");
  return pointer;
}

/** Reads a pipeline from a text, without an engine: scripts import nothing and get no functions. */
export async function parsePipeline(text, options) {
  return new Pipeline(await later.pipeline_parse(null, ...config(text, options)));
}

/** The reference of the script API, with the functions of an engine if there is one. */
export function definitionsOf(engine, format = "markdown") {
  return later.definitions(engine, numberOf("format", DEFINITIONS, format));
}

/** The reference of the script API, without functions of a program. */
export async function definitions(format) {
  return definitionsOf(null, format);
}

import { constants } from "./abi.js";
import { withCancel } from "./cancel.js";
import { readCommits } from "./commit.js";
import { deployRequest } from "./deployment.js";
import { TinyciError } from "./error.js";
import { later, now } from "./native.js";
import { absolute, setOptions } from "./options.js";
import { outcomeNumber } from "./outcome.js";
import { Pipeline, config, definitionsOf } from "./pipeline.js";
import { readRecords } from "./record.js";
import { Run } from "./run.js";
import { optionsOf, select } from "./selection.js";
import { known, lines } from "./values.js";

const freed = new FinalizationRegistry((pointer) => now.engine_free(pointer));

/** Adds up flags. */
const flags = (...pairs) => pairs.reduce((sum, [isSet, flag]) => (isSet ? sum | flag : sum), 0);

/** Opens the repository at exactly this path. */
export async function open(path, options = {}) {
  return opened(later.engine_open, path, options);
}

/** Opens the nearest repository at a directory or above it. */
export async function discover(dir = ".", options = {}) {
  return opened(later.engine_discover, dir, options);
}

async function opened(openEngine, path, options) {
  const pointer = now.options_new();
  try {
    const handlers = setOptions(pointer, options);
    return new Engine(await openEngine(absolute(path), pointer), handlers);
  } finally {
    now.options_free(pointer);
  }
}

/** The continuous integration of one repository. */
export class Engine {
  #pointer;
  #handlers;
  #runs = [];
  #calls = new Set();
  #closing = null;

  constructor(pointer, handlers) {
    this.#pointer = pointer;
    this.#handlers = handlers;
    this.path = now.engine_path(pointer);
    this.isBare = now.engine_is_bare(pointer) !== 0;
    freed.register(this, pointer, this);
  }

  run(selected) {
    return this.#runSelected(now.run_start, selected);
  }

  follow(selected) {
    return this.#runSelected(now.follow_start, selected);
  }

  deploy(options = {}) {
    const request = deployRequest(options, ["environment", "signal"]);
    try {
      return this.#start(options.signal, (engine, cancel) =>
        now.deploy_start(engine, options.environment, request, cancel),
      );
    } finally {
      now.deploy_request_free(request);
    }
  }

  rollback(options = {}) {
    known("option of a rollback", options, ["environment", "signal"]);
    return this.#start(options.signal, (engine, cancel) => now.rollback_start(engine, options.environment, cancel));
  }

  runStep(revision, steps, options = {}) {
    known("option of a step", options, ["keep", "signal"]);
    const how = flags([options.keep, constants.STEPS_KEEP]);
    const names = [steps].flat().join("\n");
    return this.#start(options.signal, (engine, cancel) => now.steps_start(engine, revision, names, how, cancel));
  }

  log(options = {}) {
    known("option of a log", options, ["revision", "lines", "follow", "signal"]);
    const { revision, lines: first = -1, follow, signal } = options;
    const how = flags([follow, constants.LOG_FOLLOW]);
    return this.#start(signal, (engine, cancel) => now.log_start(engine, revision, first, how, cancel));
  }

  warnings() {
    return this.#call(async (engine) => lines(await later.engine_warnings(engine)));
  }

  remoteUrl(remote) {
    return this.#call((engine) => later.remote_url(engine, remote));
  }

  resolve(revision) {
    return this.#call((engine) => later.resolve(engine, revision));
  }

  async commit(revision) {
    return (await this.commits([revision]))[0];
  }

  commits(revisions) {
    return this.#call(async (engine) => readCommits(await later.commits_load(engine, [revisions].flat().join("\n"))));
  }

  pendingCommits(selected) {
    return this.#select(selected, [], async (engine, selection) =>
      readCommits(await later.pending_commits(engine, selection)),
    );
  }

  records(filter) {
    return this.#select(filter, ["outcome", "limit"], async (engine, selection, { outcome, limit = 0 }) =>
      readRecords(await later.records_query(engine, selection, outcomeNumber(outcome), limit)),
    );
  }

  pipeline(revision) {
    return this.#call(async (engine) => new Pipeline(await later.pipeline_load(engine, revision)));
  }

  parsePipeline(text, options) {
    return this.#call(async (engine) => new Pipeline(await later.pipeline_parse(engine, ...config(text, options))));
  }

  plan(selected) {
    return this.#select(selected, [], async (engine, selection) =>
      JSON.parse(await later.plan_json(engine, selection)),
    );
  }

  check(revision) {
    return this.#call(async (engine) => JSON.parse(await later.check_json(engine, revision)));
  }

  checkText(text, options = {}) {
    return this.#call(async (engine) => {
      const { revision, ...rest } = options;
      return JSON.parse(await later.check_text_json(engine, revision, ...config(text, rest)));
    });
  }

  definitions(format) {
    return this.#call((engine) => definitionsOf(engine, format));
  }

  testPipeline(options = {}) {
    return this.#call(async (engine) => {
      known("option of tests", options, ["revision", "dir", "filters", "coverage"]);
      const { revision, dir, filters = [], coverage } = options;
      const where = dir === undefined ? null : absolute(dir);
      const how = flags([coverage, constants.TEST_COVERAGE]);
      return JSON.parse(await later.test_pipeline_json(engine, revision, where, [filters].flat().join("\n"), how));
    });
  }

  unrecognizedLines(revision) {
    return this.#call(async (engine) => lines(await later.unrecognized_lines(engine, revision)));
  }

  results(filter) {
    return this.#select(filter, ["outcome", "limit", "allAttempts"], async (engine, selection, options) => {
      const { outcome, limit = 0, allAttempts } = options;
      const which = flags([allAttempts, constants.RESULTS_ALL_ATTEMPTS]);
      return lines(await later.results_json(engine, selection, outcomeNumber(outcome), limit, which)).map(JSON.parse);
    });
  }

  status() {
    return this.#call(async (engine) => JSON.parse(await later.status_json(engine)));
  }

  settings() {
    return this.#call(async (engine) => lines(await later.settings_json(engine)).map(JSON.parse));
  }

  deployPlan(options = {}) {
    return this.#call(async (engine) => {
      const request = deployRequest(options, ["environment"]);
      try {
        return JSON.parse(await later.deploy_plan_json(engine, options.environment, request));
      } finally {
        now.deploy_request_free(request);
      }
    });
  }

  deployed(environment) {
    return this.#call(async (engine) => {
      const found = await later.deployed_json(engine, environment);
      return found === constants.DONE ? null : JSON.parse(found);
    });
  }

  deployments(filter = {}) {
    return this.#call(async (engine) => {
      known("option of deployments", filter, ["environment", "limit", "onWarning"]);
      const { environment, limit = 0, onWarning = () => {} } = filter;
      const { out, warnings } = await later.deployments_json(engine, environment, limit);
      for (const warning of lines(warnings)) onWarning(warning);
      return lines(out).map(JSON.parse);
    });
  }

  approve(revision, environment) {
    return this.#call(async (engine) => JSON.parse(await later.approve(engine, environment, revision)));
  }

  unlockDeployments(reason, environment) {
    return this.#call(async (engine) => (await later.unlock_deployments(engine, environment, reason)) === constants.OK);
  }

  retire(environment) {
    return this.#call(async (engine) => (await later.retire(engine, environment)) === constants.OK);
  }

  setupRemote(remote) {
    return this.#call(async (engine) => lines(await later.setup_remote(engine, remote)));
  }

  undoSetupRemote(remote) {
    return this.#call(async (engine) => lines(await later.undo_setup_remote(engine, remote)));
  }

  mergeResults(remote) {
    return this.#call(async (engine) => (await later.merge_results(engine, remote)) === constants.OK);
  }

  export(revision, dir, options = {}) {
    return this.#call(async (engine) => {
      known("option of an export", options, ["signal"]);
      await withCancel(options.signal, (token) => later.export_commit(engine, revision, absolute(dir), token));
    });
  }

  artifacts(revision, options = {}) {
    return this.#call(async (engine) => {
      known("option of artifacts", options, ["jobId", "paths"]);
      const { jobId, paths = [] } = options;
      return JSON.parse(await later.artifacts_json(engine, revision, jobId, [paths].flat().join("\n")));
    });
  }

  copyArtifacts(revision, dir, options = {}) {
    return this.#call(async (engine) => {
      known("option of artifacts", options, ["jobId", "paths", "force", "signal"]);
      const { jobId, paths = [], force, signal } = options;
      const how = flags([force, constants.ARTIFACTS_FORCE]);
      const args = [revision, jobId, [paths].flat().join("\n"), absolute(dir), how];
      return JSON.parse(await withCancel(signal, (token) => later.artifacts_copy(engine, ...args, token)));
    });
  }

  install(options = {}) {
    return this.#call(async (engine) => {
      known("option of an installation", options, ["command", "hideRefs", "sharedHooks", "adoptBuilds"]);
      const { command, hideRefs, sharedHooks, adoptBuilds } = options;
      const how = flags(
        [hideRefs, constants.INSTALL_HIDE_REFS],
        [sharedHooks, constants.INSTALL_SHARED_HOOKS],
        [adoptBuilds, constants.INSTALL_ADOPT_BUILDS],
      );
      return lines(await later.install(engine, command, how));
    });
  }

  uninstall() {
    return this.#call(async (engine) => lines(await later.uninstall(engine)));
  }

  compact(options = {}) {
    return this.#call(async (engine) => {
      known("option of packing", options, ["keep", "keepBuilds", "signal"]);
      const { keep = 1, keepBuilds = [], signal } = options;
      // A name without a slash is that of a build, whatever the working directory is.
      const builds = keepBuilds.map((build) => (build.includes("/") ? absolute(build) : build)).join("\n");
      return JSON.parse(await withCancel(signal, (token) => later.compact(engine, keep, builds, token)));
    });
  }

  prune(options = {}) {
    return this.#call(async (engine) => {
      known("option of pruning", options, ["keep", "maxAgeMs", "maxBytes", "dryRun", "signal"]);
      const { keep = -1, maxAgeMs = -1, maxBytes = -1, dryRun, signal } = options;
      const how = flags([dryRun, constants.PRUNE_DRY_RUN]);
      return JSON.parse(await withCancel(signal, (token) => later.prune(engine, keep, maxAgeMs, maxBytes, how, token)));
    });
  }

  cancel(options = {}) {
    return this.#call(async (engine) => {
      known("option of a cancellation", options, ["revision", "reason", "by", "kill", "waitMs", "signal"]);
      const { revision = null, reason = null, by, kill, waitMs = Infinity, signal } = options;
      const how = flags([kill, constants.JOB_CANCEL_KILL]);
      const wait = waitMs === Infinity ? -1 : waitMs;
      return JSON.parse(
        await withCancel(signal, (token) =>
          later.job_cancel(engine, revision, reason, by?.name ?? null, by?.address ?? null, how, wait, token),
        ),
      );
    });
  }

  skip(revision, options = {}) {
    return this.#call(async (engine) => {
      known("option of skipping", options, ["reason", "by", "signal"]);
      const { reason = null, by, signal } = options;
      return JSON.parse(
        await withCancel(signal, (token) =>
          later.skip(engine, revision, reason, by?.name ?? null, by?.address ?? null, token),
        ),
      );
    });
  }

  forget(revision) {
    return this.#call(async (engine) => (await later.forget(engine, revision)) === constants.OK);
  }

  forgetAll() {
    return this.#call(async (engine) => JSON.parse(await later.forget_all(engine)));
  }

  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose]() {
    await this.close();
  }

  async #close() {
    const pointer = this.#pointer;
    this.#pointer = null;
    await Promise.all(this.#runs.map((run) => run.deref()?.close()));
    await Promise.allSettled(this.#calls);
    freed.unregister(this);
    now.engine_free(pointer);
  }

  #open() {
    if (this.#pointer === null)
      throw new TinyciError("the engine is closed", { code: "invalid_arg", file: this.path });
    return this.#pointer;
  }

  /** Starts a run on selected commits. */
  #runSelected(start, selected) {
    const options = optionsOf(selected);
    const selection = select(options, ["signal"]);
    try {
      return this.#start(options.signal, (engine, cancel) => start(engine, selection, cancel));
    } finally {
      now.selection_free(selection);
    }
  }

  #start(signal, start) {
    const run = new Run((cancel) => start(this.#open(), cancel), this.#handlers, signal);
    // A weak reference, so that a run which the program dropped is collected and stopped.
    this.#runs = [...this.#runs.filter((one) => one.deref()?.isOver === false), new WeakRef(run)];
    return run;
  }

  /** Makes a call, during which the engine is not freed. */
  async #call(make) {
    const call = make(this.#open());
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }

  #select(selected, others, make) {
    return this.#call(async (engine) => {
      const options = optionsOf(selected);
      const selection = select(options, others);
      try {
        return await make(engine, selection, options);
      } finally {
        now.selection_free(selection);
      }
    });
  }
}

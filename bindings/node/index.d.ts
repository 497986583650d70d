/// <reference types="node" />

/** The version of the loaded library. */
export const version: string;

/** Returns true if the library was built with a feature, such as `rhai` (pipelines that are scripts). */
export function hasFeature(name: string): boolean;

/** Opens the repository at exactly this path: a bare one, the top of a working tree, or a `.git` directory. */
export function open(path: Path, options?: Options): Promise<Engine>;

/** Opens the nearest repository: the one at the directory, or in the nearest directory above it. */
export function discover(dir?: Path, options?: Options): Promise<Engine>;

/** The format of the script API reference: JSON, a page for people, or a file for language servers. */
export type DefinitionsFormat = "json" | "markdown" | "rhai";

/** Returns the script API reference, as `tinyci defs` prints it. */
export function definitions(format?: DefinitionsFormat): Promise<string>;

/**
 * Parses a pipeline that is not in a commit. A script can import no files and call no registered functions
 * here: see {@link Engine.parsePipeline}.
 */
export function parsePipeline(text: string | Uint8Array, options?: ConfigOptions): Promise<Pipeline>;

/**
 * Fills in the placeholders of a template: `<%= name %>` becomes the value of the variable. Throws if a
 * shell could take a value for more than one word.
 */
export function interpolate(template: string, vars?: Record<string, string>): string;

/** A path. Pass its bytes if it is not UTF-8. */
export type Path = string | URL | Uint8Array;

/** How a step or a job ended. Only `success` is green. Read one that you do not know as not passed. */
export type Outcome = "success" | "failure" | "timed_out" | "skipped" | "error" | "canceled" | "unknown";

/**
 * How a deployment ended: as any job, or: a person must approve it, it is in progress, or its end is not
 * recorded. `retired`, in lists of deployments: nothing is deployed now.
 */
export type DeployOutcome = Outcome | "awaiting_approval" | "running" | "interrupted" | "retired";

export type HookPoint =
  | "before_build"
  | "after_build_success"
  | "after_build_failure"
  | "after_build"
  | "before_test"
  | "after_test_success"
  | "after_test_failure"
  | "after_test"
  | "after_all";

/**
 * A failed call: tinyci could not do what the program asked for. A failed build is not an error. Wrong types
 * of arguments are a `TypeError` or `RangeError` instead.
 */
export class TinyciError extends Error {
  readonly name: "TinyciError";
  /** The kind of error: `not_found`, `not_a_repo`, `config`, `busy`, … as in `TINYCI_*` of the C header. */
  readonly code: string;
  /** The file or repository that the error is about. */
  readonly file: string | null;
  /** The line of the config, script or template, from 1. */
  readonly line: number | null;
  /** The column in characters, from 1. */
  readonly column: number | null;
  /** The causes at the end of the message, nearest first. */
  readonly causes: string[];
  /** The code of the {@link Refusal} that caused the error, or 0. */
  readonly hostCode: number;
}

/**
 * The error with which a callback says no: the step fails, unless a script catches it. Any other error is a
 * fault of the program: no script catches it, the commit gets no verdict, and the loop throws it after the
 * end of the run.
 */
export class Refusal extends Error {
  /** The message is for the record, which shows the code after it; 0 for no code. */
  constructor(message?: string, code?: number);
  readonly name: "Refusal";
  readonly code: number;
}

/** What you set for one engine, besides `git config tinyci.*`. */
export interface Options {
  /** Globs of the refs whose commits are tested: `refs/heads/*`. */
  refs?: string[];
  /** How many commits are tested at the same time. */
  jobs?: number;
  /** The time limit of one job, in milliseconds. */
  jobTimeoutMs?: number;
  /** The directory of the builds. */
  buildsDir?: Path;
  /** How many bytes of output the log keeps per job. */
  logLimit?: number;
  /** Values of `git config tinyci.<key>`; an array for a key with several values. */
  settings?: Record<string, Setting | Setting[]>;
  /** Environment variables of every command; null removes one. */
  env?: Record<string, string | null>;
  /** Variables that every command can use as placeholders. */
  vars?: Record<string, string>;
  /** The actor that records name. Default: git's user.name and user.email. */
  by?: { name: string; address: string };
  /** Hook callbacks by hook; each is called before the config's own hook. */
  hooks?: Partial<Record<HookPoint, (hook: Hook) => unknown>>;
  /** Functions that scripts can call, by `name` or `module::name`. */
  functions?: Record<string, HostCallable | HostFunction>;
  /** Returns the value of a secret; for null, tinyci looks in the directory of `tinyci.secretsDir`. */
  secrets?: (name: string, request: Request) => Awaitable<string | Uint8Array | null | undefined>;
  /**
   * Called if a deployment needs an approval and the repository has none that counts. Returns the approver,
   * such as `Ada <ada@example.org>`, or true; else the deployment awaits approval. If `tinyci.approvers` is
   * set, it is called only if the account of this process is listed there.
   */
  approvals?: (request: ApprovalRequest) => Awaitable<string | boolean | null | undefined>;
  /** Runs the commands instead of the local machine. */
  executor?: (command: Command) => Awaitable<number | Ended>;
}

export type Setting = string | number | boolean;

export type Awaitable<T> = T | Promise<T>;

/** A value of a script. An integer that a `number` cannot represent is a `bigint`. */
export type Value = null | undefined | boolean | number | bigint | string | Value[] | { [name: string]: Value };

/** A function for scripts. To say no, throw a {@link Refusal} or call `this.fail()`. */
export type HostCallable = (this: Request, ...args: any[]) => Awaitable<Value>;

/** A function for scripts, with more settings than a callable has. */
export interface HostFunction {
  call: HostCallable;
  /** The minimum and maximum number of arguments; default: as many as the function names. */
  args?: [least: number, most: number];
  /**
   * `pure` (computes or reads), `control` (directs the script) or `external` (changes something). A dry run
   * calls the first two. Default: `external`.
   */
  effect?: "pure" | "control" | "external";
  /** One sentence for the script reference. */
  doc?: string;
  /** Returns all numbers as floats; by default, `2` is an int. */
  returns?: "float";
}

/** How a command ended, as in the `close` event of a child process. */
export interface Ended {
  code?: number | null;
  signal?: NodeJS.Signals | number | null;
}

/** What every callback gets. */
export interface Request {
  /** The name of the hook, function, secret or environment, or the command. */
  readonly name: string;
  /** The full id of the commit that is being tested or deployed. */
  readonly commit: string;
  /** The id of the job. It separates the requests of concurrent jobs. */
  readonly jobId: string;
  /** The step that the request comes from. */
  readonly step: string;
  /** The task of a script's `parallel`, or the group, that the request comes from. */
  readonly label: string | null;
  /** The directory with the commit's files. */
  readonly exportDir: string;
  /** Aborted when the answer is no longer needed. */
  readonly signal: AbortSignal;
  /** Throws a {@link Refusal}. */
  fail(message?: string, code?: number): never;
}

export interface Hook extends Request {
  readonly name: HookPoint;
  /** The outcome of the commit so far. */
  readonly outcome: Outcome | null;
  /** Sets a variable for the placeholders of all later commands, if the callback succeeds. */
  setVar(name: string, value: string): void;
  /** Keeps the config's own hook from running, if the callback succeeds. */
  skip(reason?: string | null): void;
}

export interface ApprovalRequest extends Request {
  readonly environment: string;
  /** The question that a script asks the approver; null if the config only requires an approval. */
  readonly question: string | null;
}

export interface Command extends Request {
  /** A script for `/bin/sh -c`; null if `argv` is set. */
  readonly shell: string | null;
  readonly argv: string[] | null;
  readonly cwd: string;
  /** The complete environment, for `spawn`. Pass no other variables. */
  readonly env: Record<string, string>;
  /** The niceness of the command, 0 to 19; see nice(1). */
  readonly nice: number;
  /** The standard input. */
  readonly input: Buffer;
  /** The time that is left, in milliseconds; null for no limit. */
  readonly timeoutMs: number | null;
  /** `split` if stdout and stderr must be passed on separately. */
  readonly output: "merged" | "split";
  /**
   * Passes on output of the command. The promise waits while the event buffer is full, and is rejected when
   * the result of the command is no longer needed.
   */
  write(data: string | Uint8Array, stream?: "stdout" | "stderr"): Promise<void>;
}

/** Selects commits; strings are revisions. Default: all pending commits. */
export type Selected = string | string[] | Selection;

export interface Selection {
  /**
   * Commits in git's revision syntax. A named commit is pending even if no selected ref reaches it or it is
   * below the baseline.
   */
  revisions?: string | string[];
  /** Ranges, such as `v1.0..main`. */
  ranges?: string | string[];
  /** Pushed refs, with their full names and ids. */
  updates?: Update | Update[];
  /** The input of a `post-receive` hook. */
  hookLines?: string | Uint8Array;
  /** The options of `git push -o`. With `ci.skip` the pushed commits are not tested. */
  pushOptions?: string | string[];
  /** How long to follow another run in the repository before it fails with `busy`; `Infinity` for no limit. */
  waitMs?: number;
  /** Tests named commits again that have a verdict or are out of attempts. */
  retry?: boolean;
  /** Allows a retry to replace the build of a commit that is deployed. */
  replaceLive?: boolean;
  /** Includes the commits below the baseline, which are older than the use of tinyci. */
  allHistory?: boolean;
  /** Replaces the config of every selected commit. */
  pipeline?: Pipeline;
  /** The output that a dry run assumes of commands. */
  assume?: Assumed;
}

/**
 * The output that dry runs assume of commands, since they run none: globs over the commands, and the outputs.
 * The first match applies.
 */

/**
 * The output that plans assume of commands, since plans run nothing: globs over the commands and the
 * outputs, of which the first that matches applies.
 */
export type Assumed = Record<string, string> | [command: string, output: string][];

export interface Update {
  old: string;
  new: string;
  ref: string | Uint8Array;
}

export interface RunOptions extends Selection {
  /** If aborted, stops the run as {@link Run.cancel} does: the loop ends, and records say `canceled`. */
  signal?: AbortSignal;
}

export interface RecordFilter extends Selection {
  outcome?: Outcome;
  /** The maximum number of results; 0 for no limit. */
  limit?: number;
}

export interface ConfigOptions {
  /** Default: `yaml`. */
  format?: "yaml" | "rhai";
  /** The name in error messages, such as `nightly.yml`. */
  name?: string;
}

/** Selects what to deploy. Default: the newest green commit. */
export interface DeployOptions {
  /** The target environment. Default: `production`. */
  environment?: string;
  revision?: string;
  /** Deploys even a commit that is not green. */
  force?: boolean;
  /** Deploys the commit's files at once, without a build. */
  bare?: boolean;
  /** Deploys what was deployed before the current deployment. */
  rollback?: boolean;
  /** Carries out exactly this plan. Fails if the deployed commit has changed. */
  plan?: any;
  /** The output that a plan assumes of commands. */
  assume?: Assumed;
  /** The person who deploys. Default: git's user.name and user.email. */
  by?: { name: string; address: string };
}

/** A line of `tinyci deployments --json`. */
export interface Deployment {
  readonly commit: string;
  readonly environment: string;
  readonly outcome: DeployOutcome;
  readonly [more: string]: any;
}

/** The continuous integration of one repository. */
export class Engine implements AsyncDisposable {
  private constructor();
  /** The directory that contains `builds/`. */
  readonly path: string;
  /** True if the repository has no working tree. */
  readonly isBare: boolean;
  /**
   * Returns messages for a person: unknown settings, a repository that was moved, paths that commands cannot
   * use.
   */
  warnings(): Promise<string[]>;
  /** Returns the URL that pushes to a remote go to. Default: `origin`. */
  remoteUrl(remote?: string): Promise<string>;
  /** Returns the full id of the commit that a revision names. */
  resolve(revision: string): Promise<string>;
  /** Returns the commit that a revision names. */
  commit(revision: string): Promise<Commit>;
  /** Returns the commits that revisions name, in their order. Much faster than a call for each. */
  commits(revisions: string | string[]): Promise<Commit[]>;
  /**
   * Reads the log of a commit's last job, or of all runs. Its lines come as output. `lines` is the number of
   * last lines to begin with; default: all. `follow` continues with new lines until the commit's job ends or
   * the run is canceled. Runs no commands, and has no records.
   */
  log(options?: { revision?: string; lines?: number; follow?: boolean; signal?: AbortSignal }): Run;
  /** Starts a run. Keep iterating its events: if the event buffer is full, the run blocks. */
  run(selected?: string | string[] | RunOptions): Run;
  /**
   * Runs steps of one commit in a separate export directory, until one fails. Each command comes as `output`
   * before it runs. Nothing is recorded; `keep` keeps the export directory for a day.
   */
  runStep(revision: string, steps: string | string[], options?: { keep?: boolean; signal?: AbortSignal }): Run;
  /** Follows a run of another process; its log comes as `output`. Runs no commands. */
  follow(selected?: string | string[] | RunOptions): Run;
  /**
   * Starts a deployment. There is no confirmation: show a {@link deployPlan} first. A deployment that fails or
   * awaits approval is not an error; see `run.deployment.outcome`.
   */
  deploy(options?: DeployOptions & { signal?: AbortSignal }): Run<Deployment>;
  /**
   * Starts a deployment of what was deployed before the current deployment. A second rollback goes to the
   * deployment before that.
   */
  rollback(options?: { environment?: string; signal?: AbortSignal }): Run<Deployment>;
  /** Returns the pending commits, oldest first. */
  pendingCommits(selected?: Selected): Promise<Commit[]>;
  /** Returns the records behind verdicts, newest commit first. */
  records(filter?: string | string[] | RecordFilter): Promise<RunRecord[]>;
  /** Loads the pipeline of a commit. */
  pipeline(revision: string): Promise<Pipeline>;
  /** Parses a pipeline that is not in a commit, with this engine's files and registered functions. */
  parsePipeline(text: string | Uint8Array, options?: ConfigOptions): Promise<Pipeline>;
  /** Returns what a run would do, as `tinyci plan --json` does. */
  plan(selected?: Selected): Promise<any>;
  /** Checks the config of a commit, as `tinyci check --commit REV --json` does. */
  check(revision: string): Promise<any>;
  /**
   * Checks a config that is not committed, as `tinyci check FILE --json` does. A script imports files from the
   * commit of `revision`, or from the engine's path.
   */
  checkText(text: string | Uint8Array, options?: ConfigOptions & { revision?: string }): Promise<any>;
  /** Returns the script API reference with this engine's functions, as `tinyci defs` does. */
  definitions(format?: DefinitionsFormat): Promise<string>;
  /**
   * Runs the tests of a script, as `tinyci test-pipeline --json` does. Runs no commands. The script is that of
   * `revision`, or else in `dir`; default: the path that the engine was opened with. `filters` are substrings
   * of test names; `coverage` reports which lines the tests run.
   */
  testPipeline(options?: {
    revision?: string;
    dir?: Path;
    filters?: string | string[];
    coverage?: boolean;
  }): Promise<any>;
  /**
   * Returns the lines in a commit's records that tinyci cannot read: damaged or forged lines, or lines of
   * another program.
   */
  unrecognizedLines(revision: string): Promise<string[]>;
  /** Returns the results of commits, newest first, as `tinyci results --json` does. */
  results(filter?: string | string[] | (RecordFilter & { allAttempts?: boolean })): Promise<any[]>;
  /** Returns what is running, pending and deployed, as `tinyci status --json` does. */
  status(): Promise<any>;
  /** Returns all settings and their values, as `tinyci settings --json` does. */
  settings(): Promise<any[]>;
  /** Returns what a deployment would do, as `tinyci deploy --dry-run --json` does. */
  deployPlan(options?: DeployOptions): Promise<any>;
  /** Returns the deployment that is live in an environment, or null. Default: `production`. */
  deployed(environment?: string): Promise<Deployment | null>;
  /** Returns deployments, newest first. `onWarning` gets messages about unreadable entries. */
  deployments(filter?: {
    environment?: string;
    limit?: number;
    onWarning?: (line: string) => void;
  }): Promise<Deployment[]>;
  /** Approves the deployment of a commit. Push the `reference` of the result to send it to the server. */
  approve(revision: string, environment?: string): Promise<any>;
  /**
   * Allows deployments again after an interrupted one, once a person has checked the environment. The reason
   * is recorded. Returns false if there was nothing to unlock.
   */
  unlockDeployments(reason: string, environment?: string): Promise<boolean>;
  /**
   * Records that an environment has no deployment now, so that its builds are no longer protected. Returns
   * false if that was recorded already.
   */
  retire(environment?: string): Promise<boolean>;
  /**
   * Configures the repository so that `git fetch` also fetches a remote's results. Default: `origin`. Returns
   * the added lines of git's configuration.
   */
  setupRemote(remote?: string): Promise<string[]>;
  /** Removes those lines and returns them. */
  undoSetupRemote(remote?: string): Promise<string[]>;
  /** Merges the results that were last fetched from a remote. Returns false if nothing was new. */
  mergeResults(remote?: string): Promise<boolean>;
  /** Writes the files of a commit to a directory, which must be empty or not exist. */
  export(revision: string, dir: Path, options?: { signal?: AbortSignal }): Promise<void>;
  /**
   * Lists the files that a job kept, as `tinyci artifacts --json` does. Without a `jobId`, it is the commit's
   * newest job that kept files.
   */
  artifacts(revision: string, options?: { jobId?: string; paths?: string | string[] }): Promise<any>;
  /** Copies such files to a directory, and checks each against the record. Returns the list of the copied files. */
  copyArtifacts(
    revision: string,
    dir: Path,
    options?: { jobId?: string; paths?: string | string[]; force?: boolean; signal?: AbortSignal },
  ): Promise<any>;
  /** Installs the git hook that tests pushed commits. Returns messages for a person. */
  install(options?: {
    /** The command of the git hook. Default: `tinyci`. */
    command?: string;
    /** Makes git refuse pushes to the refs that contain verdicts. */
    hideRefs?: boolean;
    /** Allows a hooks directory that several repositories use. */
    sharedHooks?: boolean;
    /** Takes over the builds in `tinyci.buildsDir` from a repository that no longer exists. */
    adoptBuilds?: boolean;
  }): Promise<string[]>;
  /** Removes the git hook. Returns messages for a person. */
  uninstall(): Promise<string[]>;
  /**
   * Packs all builds but the newest `keep` (default: 1) and those that `keepBuilds` names, as
   * `tinyci compact --json` does.
   */
  compact(options?: { keep?: number; keepBuilds?: string[]; signal?: AbortSignal }): Promise<any>;
  /**
   * Removes old builds, as `tinyci prune --json` does. Without a rule, the repository's settings apply.
   */
  prune(options?: {
    /** Keeps the N builds that ran last. */
    keep?: number;
    /** Removes builds that last ran longer ago than this. */
    maxAgeMs?: number;
    /** Removes the oldest builds until the others fit. */
    maxBytes?: number;
    /** Removes nothing, and reports what would be removed. */
    dryRun?: boolean;
    signal?: AbortSignal;
  }): Promise<any>;
  /**
   * Cancels the job of a commit, or the whole run without a revision, in any process, and waits until it has
   * ended. The signal ends the wait. Returns what `tinyci cancel --json` prints.
   */
  cancel(options?: {
    revision?: string;
    reason?: string;
    by?: { name: string; address: string };
    /** Kills at once, without a grace period and without `after_all`. */
    kill?: boolean;
    /** How long to wait. Default: `Infinity`. */
    waitMs?: number;
    signal?: AbortSignal;
  }): Promise<any>;
  /**
   * Gives a commit the verdict `skipped`, so that it is not tested. An active job of it is canceled first.
   * Returns the record.
   */
  skip(
    revision: string,
    options?: { reason?: string; by?: { name: string; address: string }; signal?: AbortSignal },
  ): Promise<any>;
  /** Deletes a commit's verdict, so that it is tested again. Returns false if it had none. */
  forget(revision: string): Promise<boolean>;
  /**
   * Deletes the verdicts and records of all commits, and accepts the loss of refs that other programs deleted,
   * which runs otherwise restore. Returns what `tinyci results --forget-all --json` prints.
   */
  forgetAll(): Promise<any>;
  /** Stops the engine's runs, waits for its calls, and frees it. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** An active run, deployment or log. Iterate it once: that keeps it going, and calls the callbacks. */
export class Run<Result = RunRecord[]> implements AsyncIterable<RunEvent>, AsyncDisposable {
  private constructor();
  /** True if the run has ended. */
  readonly isOver: boolean;
  /** The records after the end. Throws before the end, and throws the run's own error if it could not start. */
  readonly records: RunRecord[];
  /**
   * The last line of `tinyci run --json`, after the end. Besides the records, it has the commits that were not
   * tested, the deployments that followed, and `error` if the run had to stop early. Not for deployments.
   */
  readonly summary: any;
  /** The record of a deployment after its end; null for other runs. */
  readonly deployment: Deployment | null;
  /** Stops the run. The first call ends the running command and still runs `after_all`; the second kills. */
  cancel(): void;
  /** Iterates to the end, and returns the records, or the deployment. */
  wait(): Promise<Result>;
  /** Kills an active run, and waits until it has ended. */
  close(): Promise<void>;
  /** Leaving the loop early closes the run. The loop throws an error of a callback at the end. */
  [Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface EventBase {
  /** The number of the event among the events and requests of its run, from 1. */
  readonly sequence: number;
  readonly time: Date;
  readonly commit: string | null;
  /** The id of the job. It separates the events of concurrent jobs. */
  readonly jobId: string | null;
  /** The event's step. */
  readonly step: string | null;
  /** The task of a script's `parallel`, or the group, that the event comes from. */
  readonly label: string | null;
  /** The event's lines in the log. */
  readonly logLines: string;
  /** The event as `tinyci run --json` prints it. */
  toJSON(): any;
}

export type RunEvent = EventBase &
  (
    | { readonly kind: "planned" | "job_started" | "exported" | "step_started" }
    | { readonly kind: "output"; readonly data: Buffer; readonly stream: "stdout" | "stderr" | "unknown" }
    | { readonly kind: "step_finished"; readonly outcome: Outcome }
    | { readonly kind: "job_finished"; readonly outcome: Outcome; readonly record: RunRecord }
    | { readonly kind: "finished"; readonly outcome: Outcome }
    | { readonly kind: "deploy_started"; readonly deployment: Deployment }
    | { readonly kind: "deploy_finished"; readonly deployment: Deployment; readonly outcome: DeployOutcome }
    | { readonly kind: "warning" | "waiting"; readonly message: string }
  );

/** The record of one job. */
export interface RunRecord {
  readonly commit: string;
  readonly branch: string | null;
  readonly branchBytes: Buffer | null;
  readonly outcome: Outcome;
  /** True if the commit is green. Use only this field to decide that. */
  readonly passed: boolean;
  /** Why, if the steps do not say so. */
  readonly reason: string | null;
  readonly started: Date;
  readonly durationMs: number;
  readonly steps: StepRecord[];
  /** The complete record, as in `refs/notes/runs/tinyci`. */
  toJSON(): any;
}

/** The record of one step. */
export interface StepRecord {
  readonly name: string;
  readonly outcome: Outcome;
  /** Of the last command; 128 plus the number of the signal that ended it; null if no command ended. */
  readonly exitCode: number | null;
  readonly error: string | null;
}

/** Git's data about a commit. */
export interface Commit {
  readonly id: string;
  readonly tree: string;
  readonly branch: string | null;
  readonly branchBytes: Buffer | null;
  readonly subject: string;
  readonly subjectBytes: Buffer;
  /** `Name <address>`. */
  readonly author: string;
  readonly authorBytes: Buffer;
  /** The complete message. */
  readonly message: string;
  readonly messageBytes: Buffer;
  /** The full ids of the parents, in git's order. */
  readonly parents: string[];
  readonly time: Date;
  /** All fields, as tinyci writes them. */
  toJSON(): any;
}

/** The steps of one config. */
export class Pipeline {
  private constructor();
  /** The names of its steps, in the order of a run. */
  readonly steps: string[];
  /** Converts a YAML pipeline to an equivalent script, as `tinyci convert` does. */
  toRhai(): string;
}

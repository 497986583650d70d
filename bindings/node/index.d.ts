/// <reference types="node" />

/** The version of the library that is loaded. */
export const version: string;

/** Whether the library was built with a feature: `rhai` for pipelines that are scripts. */
export function hasFeature(name: string): boolean;

/** Opens exactly this repository: a bare one, the top of a work tree, or a `.git` folder. */
export function open(path: Path, options?: Options): Promise<Engine>;

/** Opens the repository that a directory is in: the nearest one at the directory or above it. */
export function discover(dir?: Path, options?: Options): Promise<Engine>;

/** The form of the script API's reference: JSON, a page for people, or a file for language servers. */
export type DefinitionsFormat = "json" | "markdown" | "rhai";

/** The reference of the script API: what `tinyci defs` prints. */
export function definitions(format?: DefinitionsFormat): Promise<string>;

/**
 * Reads a pipeline from a text that stands in no commit. A script imports nothing and gets no
 * functions here: see {@link Engine.parsePipeline}.
 */
export function parsePipeline(text: string | Uint8Array, options?: ConfigOptions): Promise<Pipeline>;

/**
 * Fills the tags of a template in: `<%= name %>` becomes the variable's value. A value goes in only
 * if a shell can take it for no more than a word.
 */
export function interpolate(template: string, vars?: Record<string, string>): string;

/** A path. One that is not UTF-8 is given as its bytes. */
export type Path = string | URL | Uint8Array;

/** Only `success` is green. Read one that you do not know as not passed. */
export type Outcome = "success" | "failure" | "timed_out" | "skipped" | "error" | "canceled" | "unknown";

/**
 * Of a deployment: it waits for a person, is under way, or nobody saw it end; of an environment that it
 * was retired; or as any other.
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
 * That tinyci could not work. A red build is no error but an outcome. What is wrong already with
 * the type of an argument is a `TypeError` or `RangeError`.
 */
export class TinyciError extends Error {
  readonly name: "TinyciError";
  /** What kind: `not_found`, `not_a_repo`, `config`, `busy`, … as the header's `TINYCI_*`. */
  readonly status: string;
  /** The file or repository that it met. */
  readonly file: string | null;
  /** The line of the config, script or template, from 1. */
  readonly line: number | null;
  /** The column in characters, from 1. */
  readonly column: number | null;
  /** The causes, which the message ends with, the nearest first. */
  readonly causes: string[];
  /** The number that a handler gave with its refusal, or 0. */
  readonly hostCode: number;
}

/** What is set for one engine, beside `git config tinyci.*`. */
export interface Options {
  /** Patterns of the refs whose commits are run: `refs/heads/*`. */
  refs?: string[];
  /** How many commits are worked on at once. */
  jobs?: number;
  /** How long one commit may take, in milliseconds. */
  timeoutMs?: number;
  /** Where build folders stand. */
  buildsDir?: Path;
  /** How many bytes of one build's output its log keeps. */
  logLimit?: number;
  /** What `git config tinyci.<key> <value>` would set, or the many values of one key. */
  settings?: Record<string, Setting | Setting[]>;
  /** Variables in the environment of every command; null takes one out of it. */
  env?: Record<string, string | null>;
  /** Variables that every command can use in a tag. */
  vars?: Record<string, string>;
  /** Who acts, as records name it; else whom git's configuration names. */
  by?: { name: string; address: string };
  /** What is called at points of every run, before the config's own hook of that name. */
  hooks?: Partial<Record<HookPoint, (hook: Hook) => unknown>>;
  /** Functions that scripts can call, by `name` or `module::name`. */
  functions?: Record<string, HostCallable | HostFunction>;
  /** Answers for secrets; with null, the folder of `tinyci.secretsDir` is looked into. */
  secrets?: (name: string, request: Request) => Awaitable<string | Uint8Array | null | undefined>;
  /**
   * Asked where a deployment wants an approval, and none in the repository counts: gives who approves,
   * such as `Ada <ada@example.org>`, or true; else the deployment waits. Where `tinyci.approvers` lists
   * somebody, it is asked only if this process runs as an account there.
   */
  approvals?: (request: ApprovalRequest) => Awaitable<string | boolean | null | undefined>;
  /** Runs the commands, instead of the local machine. */
  executor?: (command: Command) => Awaitable<number | Ended>;
}

export type Setting = string | number | boolean;

export type Awaitable<T> = T | Promise<T>;

/** A value of a script. Whole numbers that a `number` cannot hold are a `bigint`. */
export type Value = null | undefined | boolean | number | bigint | string | Value[] | { [name: string]: Value };

/**
 * A function that is lent to scripts. An error that it throws is a mistake of the host's: no script
 * catches it, and the commit gets no verdict. What it refuses by `this.fail()` a script can catch.
 */
export type HostCallable = (this: Request, ...args: any[]) => Awaitable<Value>;

/** A function that is lent to scripts, with more than its code says. */
export interface HostFunction {
  call: HostCallable;
  /** How many arguments it takes, at least and at most; else as many as it names. */
  args?: [least: number, most: number];
  /** What calling it does to the world; `external` unless said, so that a plan does not call it. */
  effect?: "pure" | "control" | "external";
  /** A sentence for the reference of the script language. */
  doc?: string;
  /** Makes of every number that it returns one with a fraction; else `2` is a whole number. */
  returns?: "float";
}

/** How a command ended: what the `close` event of a child process tells. */
export interface Ended {
  code?: number | null;
  signal?: NodeJS.Signals | number | null;
}

/** What a handler is told of what it is asked. */
export interface Request {
  /** The hook's name, the function's, the secret's, or the command's text. */
  readonly name: string;
  readonly commit: string;
  /** The attempt at the commit, which tells apart what several jobs ask at once. */
  readonly job: string;
  readonly step: string;
  /** The branch of a script's `parallel`, or its group. */
  readonly label: string | null;
  /** The folder that holds the commit's tree. */
  readonly exportDir: string;
  /** Aborted once nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /**
   * Refuses, whatever the handler returns: the step fails, unless a script catches it. An error that
   * the handler throws leaves no verdict instead, and comes out of the loop when the run has ended.
   */
  fail(message?: string | null, code?: number): void;
}

export interface Hook extends Request {
  readonly name: HookPoint;
  /** What is known of the commit so far. */
  readonly outcome: Outcome | null;
  /** Sets a variable that the commands from here on can use in a tag, once the hook has passed. */
  setVar(name: string, value: string): void;
  /** Passes, and leaves out what the config has there. */
  skip(reason?: string | null): void;
}

export interface ApprovalRequest extends Request {
  readonly environment: string;
  /** What a script asks; null where the config only says that somebody has to approve. */
  readonly question: string | null;
}

export interface Command extends Request {
  /** A text for `/bin/sh -c`; null where there is `argv`. */
  readonly shell: string | null;
  readonly argv: string[] | null;
  readonly cwd: string;
  /** The whole environment, for `spawn`: nothing of the host's own beside it. */
  readonly env: Record<string, string>;
  /** How far it is to stand back when others need the processor: 0 to 19. */
  readonly nice: number;
  /** For its standard input. */
  readonly input: Buffer;
  /** How long it may still take, in milliseconds. */
  readonly timeoutMs: number | null;
  /** Whether its two streams are told apart. */
  readonly output: "merged" | "split";
  /** Passes on what it writes, as fast as the run's events are read. Rejected once nobody waits. */
  write(data: string | Uint8Array, stream?: "stdout" | "stderr"): Promise<void>;
}

/** Which commits to look at; a string or strings are revisions. Without any: all that is pending. */
export type Selected = string | string[] | Selection;

export interface Selection {
  /** Commits in any of git's revision syntax. What is named is due whatever refs and baseline say. */
  revisions?: string | string[];
  /** Ranges, such as `v1.0..main`. */
  ranges?: string | string[];
  /** Refs that were pushed, with their full names and ids. */
  updates?: Update | Update[];
  /** What a `post-receive` hook reads on its standard input. */
  hookLines?: string | Uint8Array;
  /** What was said with the push, `git push -o`: `ci.skip` leaves what it brought untested. */
  pushOptions?: string | string[];
  /** How long to follow another run in the repository instead of failing as `busy`; `Infinity` for ever. */
  waitMs?: number;
  /** Whether commits that are named run again though they have a verdict. */
  retry?: boolean;
  /** Whether such a retry may make the build anew of a commit that is deployed, in the place of what runs. */
  replaceLive?: boolean;
  /** Whether to look under the baseline too, which holds what was there before tinyci. */
  allHistory?: boolean;
  /** Judges every selected commit by this one, instead of its own config. */
  pipeline?: Pipeline;
  /** The output that plans of named commits assume of commands. */
  assume?: Assumed;
}

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
  /** Aborted, it stops the run as {@link Run.cancel} does: the loop ends, and records say `canceled`. */
  signal?: AbortSignal;
}

export interface Filter extends Selection {
  outcome?: Outcome;
  /** At most so many; 0 for all. */
  limit?: number;
}

export interface ConfigOptions {
  /** `yaml` unless said. */
  format?: "yaml" | "rhai";
  /** What errors call it, such as `nightly.yml`. */
  name?: string;
}

/** What to deploy: the newest commit that is green, unless said. */
export interface DeployWords {
  /** Where to; `production` unless said. */
  environment?: string;
  revision?: string;
  /** Whether to deploy also what is not green. */
  force?: boolean;
  /** Whether to deploy the commit's files at once, without what a build adds. */
  bare?: boolean;
  /** Whether to go back to what was deployed before. */
  rollback?: boolean;
  /** Exactly what was planned, and only if nothing else was deployed there meanwhile. */
  plan?: any;
  /** The output that a plan assumes of commands. */
  assume?: Assumed;
  /** Who deploys; else whom git's configuration names. */
  by?: { name: string; address: string };
}

/** A line of `tinyci deployments --json`. */
export interface Deployment {
  readonly commit: string;
  readonly environment: string;
  readonly outcome: DeployOutcome;
  readonly [more: string]: any;
}

/** One repository's continuous integration. */
export class Engine implements AsyncDisposable {
  private constructor();
  /** The folder that holds `builds/`. */
  readonly path: string;
  /** Whether the repository has no working tree. */
  readonly isBare: boolean;
  /**
   * Warnings about the repository, for a person to read: unknown settings, a repository that was moved,
   * paths that commands cannot use.
   */
  warnings(): Promise<string[]>;
  /** The URL that pushes to a remote go to; `origin` unless said. */
  remoteUrl(remote?: string): Promise<string>;
  /** The full id of the commit that a revision names. */
  resolve(revision: string): Promise<string>;
  /** The commit that a revision names. */
  commit(revision: string): Promise<Commit>;
  /** The commits that revisions name, in their order; far cheaper than a call for each. */
  commits(revisions: string | string[]): Promise<Commit[]>;
  /**
   * Reads the log of a commit's last job, or of all runs. Its lines come as output. `lines` is how many
   * of the last lines to begin with, all unless said; `follow` continues with lines as they are written,
   * until the job of the commit is over or the run is canceled. Runs nothing, and has no records.
   */
  log(options?: { revision?: string; lines?: number; follow?: boolean; signal?: AbortSignal }): Run;
  /** Starts a run. It goes on as far as its events are iterated. */
  run(selected?: string | string[] | RunOptions): Run;
  /**
   * Starts steps of one commit by hand, in an export of their own until one fails. Each command comes
   * as `output` before it runs. Nothing is recorded; `keep` leaves the export for a day.
   */
  runStep(revision: string, steps: string | string[], options?: { keep?: boolean; signal?: AbortSignal }): Run;
  /** Follows a run of another process: what it writes comes as `output`. Runs nothing itself. */
  follow(selected?: string | string[] | RunOptions): Run;
  /**
   * Starts a deployment, and asks nobody whether it may begin: show a {@link deployPlan} first. One
   * that fails or waits is no error: `run.deployment.outcome` tells.
   */
  deploy(words?: DeployWords & { signal?: AbortSignal }): Run<Deployment>;
  /** Starts going back to what was deployed before; doing it again goes back further. */
  rollback(words?: { environment?: string; signal?: AbortSignal }): Run<Deployment>;
  /** The commits that are due, oldest first. */
  pendingCommits(selected?: Selected): Promise<Commit[]>;
  /** What is kept of earlier runs: of each commit what its verdict rests on, the newest first. */
  records(filter?: string | string[] | Filter): Promise<RunRecord[]>;
  /** The pipeline that a commit's config asks for. */
  pipeline(revision: string): Promise<Pipeline>;
  /** Reads a pipeline from a text, with this engine's imports and functions. */
  parsePipeline(text: string | Uint8Array, options?: ConfigOptions): Promise<Pipeline>;
  /** What a run would do: what `tinyci plan --json` prints. */
  plan(selected?: Selected): Promise<any>;
  /** What is wrong with a commit's config: what `tinyci check --commit REV --json` prints. */
  check(revision: string): Promise<any>;
  /**
   * What is wrong with a config that is not committed: what `tinyci check FILE --json` prints. A script
   * imports from the commit of `revision`, or from the files below the engine's path.
   */
  checkText(text: string | Uint8Array, options?: ConfigOptions & { revision?: string }): Promise<any>;
  /** The reference of the script API with this engine's functions: what `tinyci defs` prints. */
  definitions(format?: DefinitionsFormat): Promise<string>;
  /**
   * Runs the tests of a script: what `tinyci test-pipeline --json` prints. Nothing of the script is run.
   * Without a revision the files of `dir` are meant, or those at the path that the engine was opened
   * with. `filters` are parts of the names of the tests to run; `coverage` finds out which lines no
   * test runs.
   */
  testPipeline(options?: {
    revision?: string;
    dir?: Path;
    filters?: string | string[];
    coverage?: boolean;
  }): Promise<any>;
  /** The lines among a commit's records that tinyci cannot read: damaged, another program's, or forged. */
  unrecognizedLines(revision: string): Promise<string[]>;
  /** What became of commits, newest first: what `tinyci results --json` prints. */
  results(filter?: string | string[] | (Filter & { allAttempts?: boolean })): Promise<any[]>;
  /** How the repository stands: what `tinyci status --json` prints. */
  status(): Promise<any>;
  /** Every setting, and what is set: what `tinyci settings --json` prints. */
  settings(): Promise<any[]>;
  /** What a deployment would do: what `tinyci deploy --dry-run --json` prints. */
  deployPlan(words?: DeployWords): Promise<any>;
  /** What is deployed to an environment now, `production` unless said; null for nothing. */
  deployed(environment?: string): Promise<Deployment | null>;
  /** What was deployed, newest first. `onWarning` gets lines that a person should see. */
  deployments(filter?: { environment?: string; limit?: number; onWarning?: (line: string) => void }): Promise<Deployment[]>;
  /** Approves of a commit in an environment. Its `reference` is the ref to push to the server. */
  approve(revision: string, environment?: string): Promise<any>;
  /** Says why an environment whose last deployment was interrupted can go on; false if none was. */
  unlockDeployments(reason: string, environment?: string): Promise<boolean>;
  /** Puts on record that nothing runs in an environment any more, so that its builds are no longer pinned; false if it was. */
  retire(environment?: string): Promise<boolean>;
  /** Has `git fetch` bring a remote's results; `origin` unless said. Gives the new lines of git's configuration. */
  setupRemote(remote?: string): Promise<string[]>;
  /** Takes those lines out again. */
  undoSetupRemote(remote?: string): Promise<string[]>;
  /** Merges the results that were last fetched of a remote; false if nothing was new. */
  mergeResults(remote?: string): Promise<boolean>;
  /** Writes a commit's tree to a folder, which must not exist or be empty. */
  export(revision: string, dir: Path, options?: { signal?: AbortSignal }): Promise<void>;
  /** The files that a job kept: what `tinyci artifacts --json` prints. Without a job, of the newest that kept any. */
  artifacts(revision: string, options?: { job?: string; paths?: string | string[] }): Promise<any>;
  /** Copies such files to a directory, each checked against the record. Gives the list of what was copied. */
  copyArtifacts(
    revision: string,
    dir: Path,
    options?: { job?: string; paths?: string | string[]; force?: boolean; signal?: AbortSignal },
  ): Promise<any>;
  /** Installs the git hook that runs what is pushed. Gives lines that a person should see. */
  install(options?: { command?: string; hideRefs?: boolean; sharedHooks?: boolean; adoptBuilds?: boolean }): Promise<string[]>;
  /** Takes the hook out again. */
  uninstall(): Promise<string[]>;
  /** Packs all but the newest builds, and those to leave: what `tinyci compact --json` prints. */
  compact(options?: { newest?: number; leave?: string[]; signal?: AbortSignal }): Promise<any>;
  /** Removes old builds by these rules, else by those of the settings: what `tinyci prune --json` prints. */
  prune(options?: {
    keep?: number;
    maxAgeMs?: number;
    maxBytes?: number;
    dryRun?: boolean;
    signal?: AbortSignal;
  }): Promise<any>;
  /**
   * Ends the job of a commit in whatever process it is, or the whole run without a revision, and waits
   * until it has ended: what `tinyci cancel --json` prints. The signal ends the wait.
   */
  cancel(options?: {
    revision?: string;
    reason?: string;
    by?: { name: string; address: string };
    /** Kills at once, without a grace period and without `after_all`. */
    kill?: boolean;
    /** How long to wait; `Infinity` unless said. */
    waitMs?: number;
    signal?: AbortSignal;
  }): Promise<any>;
  /** Leaves a commit untested, and gives the record; a job of it is ended first. */
  skip(
    revision: string,
    options?: { reason?: string; by?: { name: string; address: string }; signal?: AbortSignal },
  ): Promise<any>;
  /** Takes a commit's verdict away, so that it is due again; false if it had none. */
  forget(revision: string): Promise<boolean>;
  /**
   * Forgets the verdicts and records of all commits, and gives up what others deleted of tinyci's refs,
   * which each run restores: what `tinyci results --forget-all --json` prints.
   */
  forgetAll(): Promise<any>;
  /** Stops its runs, waits for its calls, and frees it. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A run under way, to be iterated once: that keeps it going, and calls the handlers. */
export class Run<Result = RunRecord[]> implements AsyncIterable<RunEvent>, AsyncDisposable {
  private constructor();
  readonly isOver: boolean;
  /** What remains of the run, once it is over; else an error, and the run's own if it could not begin. */
  readonly records: RunRecord[];
  /**
   * The summary of a run, once it is over: what `tinyci run --json` prints last. Beside the records it
   * has the commits that were not run, the deployments that followed, and as `fault` why the run had to
   * stop. Not for deployments.
   */
  readonly summary: any;
  /** What became of a deployment, once it is over; null for other runs. */
  readonly deployment: Deployment | null;
  /** Once: ends the running command and still runs `after_all`. Twice: kills and stops. */
  cancel(): void;
  /** Iterates to the end, and gives the records, or the deployment. */
  wait(): Promise<Result>;
  /** Kills and stops, if it is not over, and waits for that. */
  close(): Promise<void>;
  /** Leaving the loop early closes the run. An error of a handler comes out at the end. */
  [Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface EventBase {
  /** Its place among the events and requests of its run, from 1. */
  readonly sequence: number;
  readonly time: Date;
  readonly commit: string | null;
  /** The attempt at the commit, which tells apart what several jobs do at once. */
  readonly job: string | null;
  /** The phase or hook. */
  readonly step: string | null;
  /** The branch of a script's `parallel`, or its group. */
  readonly label: string | null;
  /** What the log has for this event, without the time. */
  readonly logLines: string;
  /** All of it, as `tinyci run --json` prints it. */
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

/** What remains of one attempt at one commit. */
export interface RunRecord {
  readonly commit: string;
  readonly branch: string | null;
  readonly branchBytes: Buffer | null;
  readonly outcome: Outcome;
  /** Whether the commit is green: the one test for it. */
  readonly passed: boolean;
  /** Why, where the steps do not say it. */
  readonly reason: string | null;
  readonly started: Date;
  readonly durationMs: number;
  readonly steps: StepRecord[];
  /** All of it, as `refs/notes/runs/tinyci` keeps it. */
  toJSON(): any;
}

export interface StepRecord {
  readonly name: string;
  readonly outcome: Outcome;
  /** Of its last command; 128 and the signal's number for a signal; null where none ended by itself. */
  readonly exitCode: number | null;
  readonly error: string | null;
}

/** What git knows of a commit. */
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
  /** The whole message. */
  readonly message: string;
  readonly messageBytes: Buffer;
  /** The full ids of its parents, in git's order. */
  readonly parents: string[];
  readonly time: Date;
  /** All of it, as tinyci writes it. */
  toJSON(): any;
}

/** What one config says. */
export class Pipeline {
  private constructor();
  /** Its phases and hooks, in the order of a run. */
  readonly steps: string[];
  /** A script that does the same, of a pipeline in YAML: what `tinyci convert` prints. */
  toRhai(): string;
}

/*
 * tinyci: continuous integration as a library. There is no daemon: all state is in the git
 * repository.
 *
 * This file is complete: a binding needs nothing else. A test generates it from src/capi/.
 * include/tinyci.json contains the same as data, and bindings/prototypes.h contains the prototypes,
 * one per line.
 *
 * OBJECTS. All types are opaque. You own every object returned by a `*_new` function or stored
 * through a `T **out` parameter; free it with the matching `*_free` function. A `const T *` result
 * is borrowed: do not free it. It is valid until its parent is freed (for events: until the next
 * `tinyci_run_next`). Objects keep alive what they depend on, so you may free them in any order and
 * from any thread. Exception: a `tinyci_request` is consumed by the call that answers it; do not
 * use or free it afterwards.
 *
 * ERRORS. A function that can fail returns a `tinyci_code`. Its last parameter is
 * `tinyci_error **err`. TINYCI_OK is 0. TINYCI_DONE and TINYCI_AGAIN are positive and are not
 * errors. Every negative code is an error, also one that you do not know. `err` may be NULL.
 * Otherwise the call always sets `*err`: to NULL if the code is not negative, else to an error that
 * you own; free it with `tinyci_error_free`. You need not initialize `*err`. There is no global
 * "last error".
 *
 * A failing call sets `*out` to NULL. It changes nothing else, unless its documentation says so.
 * TINYCI_DONE and TINYCI_AGAIN also leave `*out` NULL.
 *
 * A code says whether the call worked; an outcome says how a step, a job or a deployment ended. A
 * failed build is not an error. Check the outcome: only TINYCI_OUTCOME_SUCCESS is green. Treat an
 * outcome that you do not know as not passed.
 *
 * NULL. A null pointer never crashes. `*_free` ignores it. Functions that do not return a code
 * return 0 or NULL. For optional arguments, NULL means the default. All other functions return
 * TINYCI_INVALID_ARG. Any other pointer must be valid: an object that was not freed, a string that
 * ends with NUL, or as many bytes as the length parameter says.
 *
 * STRINGS are UTF-8 and end with NUL. If a length is passed as well, the final NUL is optional. A
 * string argument that is not UTF-8 gives TINYCI_INVALID_ARG. In results, U+FFFD replaces NUL
 * characters and what is not UTF-8; functions named `*_bytes` return the original bytes. Paths are
 * bytes, as the system has them. A `const char *` result belongs to its object or is static. A
 * `char **` result is yours: free it with `tinyci_string_free`. Arguments are copied if they are
 * needed after the call.
 *
 * THREADS. Objects are not tied to a thread. Functions that take `const T *` may be called on the
 * same object from several threads at once. Functions that take `T *` need exclusive access during
 * the call. `*_free` must be the last use. Each function repeats its rule: "Any thread" or "One
 * thread at a time".
 *
 * CALLBACKS AND REQUESTS. There are no callbacks: no function takes a function pointer, and your
 * code never runs inside a call. Instead, register hooks, functions and handlers in the options.
 * When a run reaches one, `tinyci_run_next` returns an event that is a request. Take it with
 * `tinyci_event_take_request` and answer it with one of the `tinyci_request_*` functions.
 *
 * SIGNAL HANDLERS may call only `tinyci_cancel_trigger`.
 *
 * STACK. A call needs at most 32 KiB of the caller's stack. Calls that need more do their work in a
 * thread of the library, and wait for it.
 *
 * FORK. An object belongs to the process that created it. In a forked child, functions return
 * TINYCI_WRONG_PROCESS, or 0 or NULL if they do not return a code. `*_free` does nothing there,
 * because the parent still uses the object's contents. Open a new engine in the child. Errors are
 * plain data: you can read and free them in both processes.
 *
 * PANICS. If tinyci has a bug, a call may return TINYCI_PANIC. Every later call with the same
 * object then returns TINYCI_PANIC too. The only thing left to do is to free the object.
 *
 * ENVIRONMENT. Functions that start or describe a run read the environment variables of the
 * process, during that call only. Commands get the variables as they were when their run started.
 * You may call setenv() between calls, also while a run is active. Never call setenv(), putenv() or
 * unsetenv() in one thread while another thread is in a call.
 *
 * CHILD PROCESSES. A run starts commands and waits for each of them. During a run, do not wait for
 * all children: no wait(), waitpid(-1) or waitid(P_ALL). Do not set SIGCHLD to SIG_IGN or use
 * SA_NOCLDWAIT. Waiting for your own child by its process id is safe.
 *
 * THE PROCESS. tinyci sets no signal handlers, does not change the working directory or the
 * environment, and never exits. It writes nothing to stdout or stderr, except for the line that
 * Rust prints on a panic. Threads of the library end with the object that they work for.
 *
 * NUMBERS. Durations are in milliseconds unless a name says otherwise. A timeout of 0 does not
 * wait, and -1 waits without a limit. Booleans are integers: 0 is false, any other number is true.
 * The only types of parameters and results are int32_t, int64_t, uint32_t, uint64_t, size_t, double
 * and pointers. The numbers of codes, outcomes and kinds are never reused.
 *
 * VERSIONS. As long as TINYCI_ABI stays the same, functions and constants are added but never
 * changed or removed. The shared library is libtinyci.so.<TINYCI_ABI>. If you load it at run time,
 * refuse a library with another tinyci_abi(), or with a tinyci_version_number() below the
 * TINYCI_VERSION_NUMBER of your header.
 */

#ifndef TINYCI_H
#define TINYCI_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this header. `tinyci_version()` returns that of the library.
 */
#define TINYCI_VERSION "0.1.0"

/**
 * The major version.
 */
#define TINYCI_VERSION_MAJOR 0

/**
 * The minor version.
 */
#define TINYCI_VERSION_MINOR 1

/**
 * The patch version.
 */
#define TINYCI_VERSION_PATCH 0

/**
 * The version as a number that increases with it: 1.2.3 is 1002003.
 */
#define TINYCI_VERSION_NUMBER 1000


/**
 * A cancel token with a level: 0 does nothing. 1 ends the running command and still runs
 * `after_all`. 2 kills everything and stops. The level never decreases. You can pass one token to
 * several calls; it stops all of them.
 *
 * You own it. Calls that use it keep their own reference, so you may free it at any time, even
 * while a run uses it.
 */
typedef struct tinyci_cancel tinyci_cancel;

/**
 * A commit as git stores it. It belongs to the `tinyci_commits` that it came from, and is valid as
 * long as that is.
 */
typedef struct tinyci_commit tinyci_commit;

/**
 * A list of commits, read one by one. You own it.
 */
typedef struct tinyci_commits tinyci_commits;

/**
 * The commit to deploy, and how. If you pass NULL for a request, that is the newest green commit
 * on the environment's branch that contains the deployed commit.
 *
 * You own it. Calls that use it copy it.
 */
typedef struct tinyci_deploy_request tinyci_deploy_request;

/**
 * An engine for one repository: it finds the commits without a verdict, tests them, and stores the
 * results in git notes.
 *
 * You own it. Runs and other objects that you create from it keep it alive, so you may free it at
 * any time. Between calls, it holds no lock and no open file.
 */
typedef struct tinyci_engine tinyci_engine;

/**
 * The reason why a call failed. You own it. It is plain data and depends on no other object: you
 * can read it in any thread and in a forked child.
 */
typedef struct tinyci_error tinyci_error;

/**
 * An event of a run, or a request. It belongs to its run: it is valid, with all pointers taken
 * from it, until the next `tinyci_run_next` or `tinyci_run_free`.
 */
typedef struct tinyci_event tinyci_event;

/**
 * The options of an engine: `git config tinyci.*` and more, for one engine.
 *
 * You own it. `tinyci_engine_open` copies it: you may change, reuse or free it afterwards. A
 * setter that fails changes nothing. `tinyci_engine_open` reports the first failure, so you need
 * not check each setter.
 */
typedef struct tinyci_options tinyci_options;

/**
 * A pipeline: the steps that one config defines, in the order in which they run. You own it. It
 * depends on no other object.
 */
typedef struct tinyci_pipeline tinyci_pipeline;

/**
 * The record of one job. It belongs to the records or to the event that it was taken from. It is
 * valid, with all pointers taken from it, as long as they are.
 */
typedef struct tinyci_record tinyci_record;

/**
 * A list of records, read one by one. You own it. Its records are valid as long as the list.
 */
typedef struct tinyci_records tinyci_records;

/**
 * A request of a run to your program. You own it after you take it. Only the job that made the
 * request waits for the answer, until it is canceled or its time limit is over.
 *
 * Answer it once, from any thread, now or later. The functions that answer it consume it, also if
 * they return an error: do not use or free it afterwards.
 *
 * There are three ways not to give an answer. `tinyci_request_fail` refuses: the step and the
 * commit fail. `tinyci_request_abort` says that your program itself failed: the commit gets no
 * verdict and is tested again. An answer that returns `TINYCI_INVALID_ARG` also aborts. If you
 * free a request without an answer, its step fails, so that no commit becomes green by mistake.
 */
typedef struct tinyci_request tinyci_request;

/**
 * A run, a deployment, or another long operation, in threads of the library. You own it, and you
 * must keep calling `tinyci_run_next`: when the event buffer is full, the run waits.
 *
 * It keeps its engine, selection and cancel token alive. You may free them at any time.
 */
typedef struct tinyci_run tinyci_run;

/**
 * The commits that a call is about. If you pass NULL for a selection, that is all pending commits.
 *
 * You own it. Calls that use it copy it.
 */
typedef struct tinyci_selection tinyci_selection;

/**
 * Placeholder names and values for `tinyci_interpolate`. You own it.
 */
typedef struct tinyci_vars tinyci_vars;

/**
 * What a call returns: `TINYCI_OK`, `TINYCI_DONE`, `TINYCI_AGAIN`, or a negative number for an
 * error. It says whether the call worked. How a build ended is an outcome.
 *
 * Numbers are never reused. A later version may add errors: every negative number is one.
 */
typedef int32_t tinyci_code;

/**
 * The version of the ABI: the N in `libtinyci.so.N`. It increases only when programs built with an
 * earlier header would no longer run.
 */
#define TINYCI_ABI 1

/**
 * Success: the result is available.
 */
#define TINYCI_OK 0

/**
 * There is nothing more to read, or nothing to do. Not an error.
 */
#define TINYCI_DONE 1

/**
 * Nothing came within the given time. Not an error: call again.
 */
#define TINYCI_AGAIN 2

/**
 * An argument is not valid: NULL, not UTF-8, a bad glob, an empty name, a malformed line.
 */
#define TINYCI_INVALID_ARG (-1)

/**
 * The named revision, ref, build or file does not exist.
 */
#define TINYCI_NOT_FOUND (-2)

/**
 * The path is not a git repository, or the repository cannot be read.
 */
#define TINYCI_NOT_A_REPO (-3)

/**
 * A pipeline config is not valid.
 */
#define TINYCI_CONFIG (-4)

/**
 * A pipeline script is not valid, or it failed.
 */
#define TINYCI_SCRIPT (-5)

/**
 * A placeholder (`<%= name %>`) cannot be replaced.
 */
#define TINYCI_INTERPOLATE (-6)

/**
 * git's data could not be read or written.
 */
#define TINYCI_GIT (-7)

/**
 * A file operation failed.
 */
#define TINYCI_IO (-8)

/**
 * A command or a thread could not be started.
 */
#define TINYCI_SPAWN (-9)

/**
 * Other code in this process waited for a command that tinyci started, so its exit code is lost.
 */
#define TINYCI_CHILD_LOST (-10)

/**
 * The call was canceled, or the answer to a request is no longer needed.
 */
#define TINYCI_CANCELED (-11)

/**
 * Your program refused a request, or did not answer it.
 */
#define TINYCI_HOST_ABORT (-12)

/**
 * Another run, deployment or cleanup is active in this repository. A run checks for new commits
 * before it ends.
 */
#define TINYCI_BUSY (-13)

/**
 * tinyci does not support this. The message says what and where.
 */
#define TINYCI_UNSUPPORTED (-14)

/**
 * The object was created by another process, from which this one was forked.
 */
#define TINYCI_WRONG_PROCESS (-15)

/**
 * tinyci has a bug. The object that the call used is unusable: only free it.
 */
#define TINYCI_PANIC (-16)

/**
 * Your program aborted a request, because the program itself failed.
 */
#define TINYCI_HOST_FAULT (-17)

/**
 * A newer version of tinyci wrote this data in a format that this version must not read or change.
 * The message says which version is needed.
 */
#define TINYCI_NEWER_FORMAT (-18)

/**
 * The function only computes or looks something up. A dry run that needs its result fails.
 */
#define TINYCI_EFFECT_PURE 1

/**
 * The function controls how the script continues. A dry run that needs its result fails.
 */
#define TINYCI_EFFECT_CONTROL 2

/**
 * The function changes something outside the script. A dry run lists the call and does not make
 * it.
 */
#define TINYCI_EFFECT_EXTERNAL 3

/**
 * Your program provides secrets.
 */
#define TINYCI_HANDLER_SECRET 1

/**
 * Your program approves deployments.
 */
#define TINYCI_HANDLER_APPROVAL 2

/**
 * Your program runs the commands, instead of the local machine.
 */
#define TINYCI_HANDLER_EXECUTOR 4

/**
 * The config is YAML, as in `.tinyci.yml`.
 */
#define TINYCI_FORMAT_YAML 1

/**
 * The config is a script, as in `.tinyci.rhai`.
 */
#define TINYCI_FORMAT_RHAI 2

/**
 * Keep the export directory for one day.
 */
#define TINYCI_STEPS_KEEP 1

/**
 * Continue with new lines, until the job of the commit ends or the run is canceled.
 */
#define TINYCI_LOG_FOLLOW 1

/**
 * The run has found its pending commits and their order. Comes again if there are new ones.
 */
#define TINYCI_EVENT_PLANNED 1

/**
 * A job begins: tinyci tests a commit.
 */
#define TINYCI_EVENT_JOB_STARTED 2

/**
 * The commit's files are in the export directory.
 */
#define TINYCI_EVENT_EXPORTED 3

/**
 * A step begins.
 */
#define TINYCI_EVENT_STEP_STARTED 4

/**
 * A command wrote output: `tinyci_event_data` returns the bytes.
 */
#define TINYCI_EVENT_OUTPUT 5

/**
 * A step ended: `tinyci_event_outcome` returns its outcome.
 */
#define TINYCI_EVENT_STEP_FINISHED 6

/**
 * A job ended: `tinyci_event_record` returns its record.
 */
#define TINYCI_EVENT_JOB_FINISHED 7

/**
 * The last event of a run. `tinyci_event_outcome` returns the worst outcome of its jobs, or the
 * outcome of its deployment; a deployment that awaits approval counts as `TINYCI_OUTCOME_ERROR`.
 */
#define TINYCI_EVENT_FINISHED 8

/**
 * A warning that does not affect a verdict: `tinyci_event_data` returns the message.
 */
#define TINYCI_EVENT_WARNING 9

/**
 * The run waits for another process: `tinyci_event_data` returns the message.
 */
#define TINYCI_EVENT_WAITING 10

/**
 * A deployment begins and has been recorded: `tinyci_event_json` contains it as `deployment`.
 */
#define TINYCI_EVENT_DEPLOY_STARTED 11

/**
 * A deployment ended or awaits approval. `tinyci_event_outcome` returns its outcome, and
 * `tinyci_event_json` contains it as `deployment`.
 */
#define TINYCI_EVENT_DEPLOY_FINISHED 12

/**
 * Request: a hook that was added with `tinyci_options_add_hook`. Answer with `tinyci_request_ok`,
 * `tinyci_request_skip` or `tinyci_request_fail`. If your program itself fails, answer this and
 * every other request with `tinyci_request_abort`.
 */
#define TINYCI_EVENT_HOOK 32

/**
 * Request: a script calls a function that was added with `tinyci_options_add_function`. Answer
 * with one of `tinyci_request_return_*` or with `tinyci_request_fail`.
 */
#define TINYCI_EVENT_FUNCTION 33

/**
 * Request: the value of a secret. Answer with `tinyci_request_return_string`,
 * `tinyci_request_return_bytes` or `tinyci_request_fail`. If you do not have it, answer with
 * `tinyci_request_return_null`: tinyci then looks in the directory `tinyci.secretsDir`.
 */
#define TINYCI_EVENT_SECRET 34

/**
 * Request: the approval of a deployment that has none in the repository. To approve, answer with
 * `tinyci_request_return_string` and the approver, or with `tinyci_request_ok`. To let it wait,
 * answer with `tinyci_request_return_null`; to refuse, with `tinyci_request_fail`.
 */
#define TINYCI_EVENT_APPROVAL 35

/**
 * Request: a command to run. Pass on its output with `tinyci_request_command_output`. When it
 * ends, answer with `tinyci_request_command_finish` or `tinyci_request_fail`.
 */
#define TINYCI_EVENT_COMMAND 36

/**
 * Standard output, or both streams if they are merged.
 */
#define TINYCI_STREAM_STDOUT 1

/**
 * Standard error, if the streams are separate.
 */
#define TINYCI_STREAM_STDERR 2

/**
 * `()` in a script, `null` in JSON.
 */
#define TINYCI_VALUE_NULL 1

/**
 * `true` or `false`.
 */
#define TINYCI_VALUE_BOOL 2

/**
 * A 64-bit integer.
 */
#define TINYCI_VALUE_INT 3

/**
 * A floating-point number.
 */
#define TINYCI_VALUE_FLOAT 4

/**
 * A string.
 */
#define TINYCI_VALUE_STRING 5

/**
 * An array, which you read as JSON.
 */
#define TINYCI_VALUE_ARRAY 6

/**
 * A map, which you read as JSON.
 */
#define TINYCI_VALUE_MAP 7

/**
 * It passed. This is the only outcome that is green.
 */
#define TINYCI_OUTCOME_SUCCESS 1

/**
 * A command failed, or the config is not valid.
 */
#define TINYCI_OUTCOME_FAILURE 2

/**
 * A time limit was exceeded. The verdict is `failure`.
 */
#define TINYCI_OUTCOME_TIMED_OUT 3

/**
 * The pipeline or a person decided not to run it. Final, but not green.
 */
#define TINYCI_OUTCOME_SKIPPED 4

/**
 * tinyci could not run the job. The commit gets no verdict.
 */
#define TINYCI_OUTCOME_ERROR 5

/**
 * The job was canceled. The commit gets no verdict.
 */
#define TINYCI_OUTCOME_CANCELED 6

/**
 * Deployments only: nothing was done, because a person must approve first.
 */
#define TINYCI_OUTCOME_AWAITING_APPROVAL 7

/**
 * Deployments only: it is in progress.
 */
#define TINYCI_OUTCOME_RUNNING 8

/**
 * Deployments only: it began and was interrupted, so its result is unknown. Check the environment.
 */
#define TINYCI_OUTCOME_INTERRUPTED 9

/**
 * Deployments only: the environment was retired, and nothing is deployed there.
 */
#define TINYCI_OUTCOME_RETIRED 10

/**
 * One line of JSON, for editors and other programs.
 */
#define TINYCI_DEFINITIONS_JSON 1

/**
 * A page of Markdown, for people.
 */
#define TINYCI_DEFINITIONS_MARKDOWN 2

/**
 * A definition file, `.d.rhai`, for the language server of Rhai.
 */
#define TINYCI_DEFINITIONS_RHAI 3

/**
 * Find the lines of the script that no test runs.
 */
#define TINYCI_TEST_COVERAGE 1

/**
 * Every job of a commit, not only the one that its verdict comes from.
 */
#define TINYCI_RESULTS_ALL_ATTEMPTS 1

/**
 * Refuse pushes to the refs that contain verdicts (`receive.hideRefs`).
 */
#define TINYCI_INSTALL_HIDE_REFS 1

/**
 * Install also into a hooks directory that other repositories use (`core.hooksPath`).
 */
#define TINYCI_INSTALL_SHARED_HOOKS 2

/**
 * Adopt the builds in `tinyci.buildsDir` of a repository that no longer exists.
 */
#define TINYCI_INSTALL_ADOPT_BUILDS 4

/**
 * Kill commands at once, without a grace period and without `after_all`.
 */
#define TINYCI_JOB_CANCEL_KILL 1

/**
 * Remove nothing, and report what would be removed.
 */
#define TINYCI_PRUNE_DRY_RUN 1

/**
 * Replace existing files.
 */
#define TINYCI_ARTIFACTS_FORCE 1

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the version of the library, such as `0.1.0`. The version of the header is
 * `TINYCI_VERSION`.
 *
 * @return The version. Static: do not free it.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_version(void);

/**
 * Returns the version of the library as a number that increases with it: 1.2.3 is 1002003. The
 * version of the header is `TINYCI_VERSION_NUMBER`. If the library is older than the header,
 * functions may be missing.
 *
 * @return The number.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_version_number(void);

/**
 * Returns the ABI version of the library. Do not use a library whose ABI version differs from the
 * `TINYCI_ABI` of your header.
 *
 * @return The number.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_abi(void);

/**
 * Returns whether the library was built with a feature.
 *
 * @param name  The feature, or NULL. The only one today is `rhai`: pipelines that are scripts.
 * @return 1 if it was; 0 if not, for an unknown feature, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_has_feature(const char *name);

/**
 * Returns the name of a code in lower case, such as `not_found`, for logs.
 *
 * @param code  Any code.
 * @return The name, or NULL for a number that this version does not know. Static: do not free it.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_code_name(tinyci_code code);

/**
 * Returns the code of an error: the code that the failed call returned.
 *
 * @param error  The error, or NULL.
 * @return A negative code; `TINYCI_OK` for NULL.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_error_code(const tinyci_error *error);

/**
 * Returns the complete message for a person: file, line and column if known, what failed, and the
 * causes, joined by `: `. For an error in a script, further lines show the source.
 *
 * @param error  The error, or NULL.
 * @return The message, valid as long as the error; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_error_message(const tinyci_error *error);

/**
 * Returns one of the causes of an error. The message contains them too.
 *
 * @param error  The error, or NULL.
 * @param depth  The index of the cause: 0 for the direct cause, 1 for the cause of that, and so
 *               on.
 * @return The message of the cause, valid as long as the error; NULL if there is no such cause.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_error_cause(const tinyci_error *error, size_t depth);

/**
 * Returns the file or repository that the error is about.
 *
 * @param error  The error, or NULL.
 * @return The path, valid as long as the error; NULL if the error is not about a file.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_error_file(const tinyci_error *error);

/**
 * Returns the line of the config, script or template that the error is about.
 *
 * @param error  The error, or NULL.
 * @return The line, from 1; 0 if the position is unknown.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_error_line(const tinyci_error *error);

/**
 * Returns the column in the line that `tinyci_error_line` returns.
 *
 * @param error  The error, or NULL.
 * @return The column in characters, from 1; 0 if the position is unknown.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_error_column(const tinyci_error *error);

/**
 * Returns the number that your program passed to `tinyci_request_fail` or `tinyci_request_abort`,
 * if that caused the error.
 *
 * @param error  The error, or NULL.
 * @return The number; 0 if there is none.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_error_host_code(const tinyci_error *error);

/**
 * Frees an error and all strings taken from it.
 *
 * @param error  The error, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_error_free(tinyci_error *error);

/**
 * Frees a string that a function stored in a `char **`. Do not free strings that were returned as
 * `const char *`: they belong to the object they came from.
 *
 * @param string  The string, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_string_free(char *string);

/**
 * Creates options that set nothing.
 *
 * @return The options; free them with `tinyci_options_free`. NULL only if out of memory.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_options *tinyci_options_new(void);

/**
 * Adds a pattern for the refs whose commits are tested. Default: the setting `tinyci.refs`, else
 * all branches.
 *
 * @param options  The options.
 * @param glob     A full ref name; `*` matches any characters, including slashes. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`. `tinyci_engine_open` reports an invalid pattern.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_add_ref(tinyci_options *options, const char *glob, tinyci_error **err);

/**
 * Sets how many commits are tested at the same time. Default: the setting `tinyci.jobs`, else 1.
 *
 * @param options  The options.
 * @param jobs     The number of jobs, at least 1.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_jobs(tinyci_options *options, uint32_t jobs, tinyci_error **err);

/**
 * Sets the time limit of one job, not counting `after_all`. Default: the setting
 * `tinyci.jobTimeout`, else no limit.
 *
 * @param options     The options.
 * @param timeout_ms  The limit in milliseconds, above 0.
 * @param err         Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_job_timeout_ms(tinyci_options *options,
                                              int64_t timeout_ms,
                                              tinyci_error **err);

/**
 * Sets the directory that contains the build directories. Default: the setting `tinyci.buildsDir`,
 * else `builds`.
 *
 * @param options     The options.
 * @param builds_dir  The directory. A relative path is relative to the repository. Copied.
 * @param err         Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_builds_dir(tinyci_options *options,
                                          const char *builds_dir,
                                          tinyci_error **err);

/**
 * Sets how many bytes of output are kept per job, in addition to the last 64 KiB. Default: the
 * setting `tinyci.logLimit`, else 128 MiB.
 *
 * @param options    The options.
 * @param log_limit  The number of bytes, above 0.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_log_limit(tinyci_options *options,
                                         uint64_t log_limit,
                                         tinyci_error **err);

/**
 * Sets a setting for this engine only, like `git config tinyci.<key> <value>`. If a key can have
 * several values, such as `refs`, each call adds one; the repository's own values are ignored.
 *
 * @param options  The options.
 * @param key      The key in any case: `gracePeriod`, `commandTimeout`, `maxAttempts`, ...
 * @param value    The value, written as in git's configuration. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_setting(tinyci_options *options,
                                       const char *key,
                                       const char *value,
                                       tinyci_error **err);

/**
 * Sets an environment variable for every command, or removes one.
 *
 * When a run starts, tinyci reads the environment variables of your program. Commands inherit
 * `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `TMPDIR`, `TZ`, `LANG`, `LANGUAGE` and `LC_*`. To
 * pass more, set the setting `passEnv` with `tinyci_options_set_setting`. `*` passes all variables
 * except `GIT_*`, `TINYCI_*` and output directories such as `CARGO_TARGET_DIR`. `+NAME` adds one
 * variable.
 *
 * @param options  The options.
 * @param name     The name of the variable. Copied.
 * @param value    The value, which is copied; NULL removes the inherited variable.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_env(tinyci_options *options,
                                   const char *name,
                                   const char *value,
                                   tinyci_error **err);

/**
 * Sets the value of a placeholder for every command: `<%= name %>`.
 *
 * @param options  The options.
 * @param name     The name: `a`-`z`, digits and `_`. Names that tinyci uses itself are refused.
 *                 Copied.
 * @param value    The value: any string. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_var(tinyci_options *options,
                                   const char *name,
                                   const char *value,
                                   tinyci_error **err);

/**
 * Sets the person who acts through the engine: who deploys, approves, unlocks, cancels and skips.
 * Default: the person in git's configuration. `tinyci_deploy_request_set_by` sets the person for
 * one deployment.
 *
 * tinyci does not verify the person. Records also contain the account that your program runs as.
 *
 * @param options  The options.
 * @param name     The person's name. Copied.
 * @param address  The person's email address. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_by(tinyci_options *options,
                                  const char *name,
                                  const char *address,
                                  tinyci_error **err);

/**
 * Registers a hook. When a job reaches this point, the run sends an event of kind
 * `TINYCI_EVENT_HOOK`, which your program answers. The config's own hook of that name runs
 * afterwards.
 *
 * @param options  The options.
 * @param point    `before_build`, `after_build_success`, `after_build_failure`, `after_build`,
 *                 `before_test`, `after_test_success`, `after_test_failure`, `after_test` or
 *                 `after_all`.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_add_hook(tinyci_options *options,
                                    const char *point,
                                    tinyci_error **err);

/**
 * Registers a function that scripts can call. Each call is an event of kind
 * `TINYCI_EVENT_FUNCTION`, which your program answers.
 *
 * @param options   The options.
 * @param name      `name` or `module::name`, of `a`-`z`, digits and `_`. Copied.
 * @param min_args  The minimum number of arguments.
 * @param max_args  The maximum number of arguments, at most 8.
 * @param effect    One of `TINYCI_EFFECT_*`.
 * @param doc       A sentence for the script API reference; NULL for none. Copied.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`. `tinyci_engine_open` reports a name that is already
 *         in use.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_add_function(tinyci_options *options,
                                        const char *name,
                                        uint32_t min_args,
                                        uint32_t max_args,
                                        int32_t effect,
                                        const char *doc,
                                        tinyci_error **err);

/**
 * Sets which other requests your program answers. Default: none. Secrets then come from files,
 * approvals from the repository, and commands run on this machine.
 *
 * @param options   The options.
 * @param handlers  A sum of `TINYCI_HANDLER_*`. It replaces an earlier one.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for an unknown flag.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_handlers(tinyci_options *options,
                                        uint32_t handlers,
                                        tinyci_error **err);

/**
 * Frees options. Engines that were opened with them have a copy.
 *
 * @param options  The options, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_options_free(tinyci_options *options);

/**
 * Opens the repository at a path: a bare repository, the top of a working tree, or a `.git`
 * directory. It does not search parent directories; `tinyci_engine_discover` does.
 *
 * The call reads the repository's settings. Later changes of the settings do not affect this
 * engine.
 *
 * @param path     The path of the repository. A relative path is made absolute by this call, so
 *                 you may change the working directory later.
 * @param options  The options, which are copied; NULL for the defaults.
 * @param out      Where to store the engine; free it with `tinyci_engine_free`. NULL on an error.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_A_REPO`; `TINYCI_UNSUPPORTED` for SHA-256 and reftable
 *         repositories; `TINYCI_INVALID_ARG` for the first mistake in the options or in the
 *         repository's settings.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_engine_open(const char *path,
                               const tinyci_options *options,
                               tinyci_engine **out,
                               tinyci_error **err);

/**
 * Opens the repository that contains a directory: the nearest one at the directory or above it.
 *
 * @param path     The directory. A relative path is made absolute by this call. Scripts that are
 *                 not committed import from this directory.
 * @param options  The options, which are copied; NULL for the defaults.
 * @param out      Where to store the engine; free it with `tinyci_engine_free`. NULL on an error.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_engine_open`. `TINYCI_NOT_A_REPO` if neither the directory nor one above
 *         it is a repository.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_engine_discover(const char *path,
                                   const tinyci_options *options,
                                   tinyci_engine **out,
                                   tinyci_error **err);

/**
 * Returns the directory that contains `builds/` by default: the bare repository, or the top of the
 * main working tree.
 *
 * @param engine  The engine, or NULL.
 * @return The path, valid as long as the engine; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_engine_path(const tinyci_engine *engine);

/**
 * Returns whether the repository is bare: one without a working tree.
 *
 * @param engine  The engine, or NULL.
 * @return 1 if it is bare; 0 if it is not, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_engine_is_bare(const tinyci_engine *engine);

/**
 * Returns warnings about a repository, for a person to read. They are about unknown settings and a
 * repository that was moved. They are also about a path that placeholders cannot put into a
 * command, and a builds directory of another repository.
 *
 * @param engine  The engine.
 * @param out     Where to store the warnings, each a line that ends with a newline; free them with
 *                `tinyci_string_free`. A line that begins with `hint: ` belongs to the warning
 *                above it. Empty if there are no warnings; NULL on an error.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`, with and without warnings.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_engine_warnings(const tinyci_engine *engine, char **out, tinyci_error **err);

/**
 * Returns the URL that git pushes to for a remote, from git's configuration.
 *
 * @param engine  The engine.
 * @param remote  The name of the remote; NULL for `origin`.
 * @param out     Where to store the URL; free it with `tinyci_string_free`. NULL on an error.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if the repository has no such remote.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_remote_url(const tinyci_engine *engine,
                              const char *remote,
                              char **out,
                              tinyci_error **err);

/**
 * Frees an engine. Objects created from it stay usable.
 *
 * @param engine  The engine, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_engine_free(tinyci_engine *engine);

/**
 * Creates a selection of all pending commits.
 *
 * @return The selection; free it with `tinyci_selection_free`. NULL only if out of memory.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_selection *tinyci_selection_new(void);

/**
 * Adds one commit. A commit that you name is tested even if it is below the baseline or no
 * selected ref reaches it.
 *
 * @param selection  The selection.
 * @param revision   The commit, in any git revision syntax: `HEAD`, `main~3`, a tag, a short id.
 *                   Copied, and resolved when the selection is used.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_revision(tinyci_selection *selection,
                                          const char *revision,
                                          tinyci_error **err);

/**
 * Adds the commits of a range.
 *
 * @param selection  The selection.
 * @param range      The range in git's syntax, such as `v1.0..main`. Copied, and resolved when the
 *                   selection is used.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_range(tinyci_selection *selection,
                                       const char *range,
                                       tinyci_error **err);

/**
 * Adds a ref that was pushed: the three parts of one line that git passes to a `post-receive`
 * hook.
 *
 * @param selection  The selection.
 * @param old_id     The full id before the push; forty zeros for a new ref.
 * @param new_id     The full id after the push; forty zeros for a deleted ref.
 * @param ref_name   The full name of the ref, in any encoding.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_update(tinyci_selection *selection,
                                        const char *old_id,
                                        const char *new_id,
                                        const char *ref_name,
                                        tinyci_error **err);

/**
 * Adds the standard input of a `post-receive` hook: lines of `old new ref`. The pushed refs
 * determine whose verdicts the caller waits for. The run itself tests the pending commits of all
 * selected refs.
 *
 * @param selection  The selection.
 * @param text       The lines. Copied.
 * @param length     The length of `text` in bytes.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` with the number of the first invalid line. On an
 *         error, nothing is added.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_hook_lines(tinyci_selection *selection,
                                            const char *text,
                                            size_t length,
                                            tinyci_error **err);

/**
 * Adds a push option: `git push -o OPTION`. git passes push options to a `post-receive` hook in
 * `GIT_PUSH_OPTION_*`.
 *
 * With `ci.skip`, the pushed commits get the verdict `skipped`, unless they already have a verdict
 * or a job of theirs has begun.
 *
 * @param selection  The selection.
 * @param option     The option. Unknown options are ignored. Copied.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_push_option(tinyci_selection *selection,
                                             const char *option,
                                             tinyci_error **err);

/**
 * Sets what a call does if another run is active in the same repository.
 *
 * @param selection  The selection.
 * @param wait_ms    0, the default: return `TINYCI_BUSY` at once; the other run checks for new
 *                   commits before it ends, so none is missed. Above 0: follow the other run for
 *                   at most this many milliseconds, or until the selected commits have a verdict.
 *                   -1: follow it without a time limit.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for a number below -1.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_wait_ms(tinyci_selection *selection,
                                         int64_t wait_ms,
                                         tinyci_error **err);

/**
 * Sets whether to test named commits again that have a verdict, and all commits that are out of
 * attempts.
 *
 * @param selection  The selection.
 * @param retry      0 for no, the default; any other number for yes.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_retry(tinyci_selection *selection,
                                       int32_t retry,
                                       tinyci_error **err);

/**
 * Sets whether a retry may replace the build of a commit that is deployed. Without it, tinyci
 * refuses such a retry.
 *
 * @param selection     The selection.
 * @param replace_live  0 for no, the default; any other number for yes.
 * @param err           Where to store the error, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_replace_live(tinyci_selection *selection,
                                              int32_t replace_live,
                                              tinyci_error **err);

/**
 * Sets whether to include commits below the baseline: history from before tinyci was installed.
 *
 * @param selection    The selection.
 * @param all_history  0 for no, the default; any other number for yes.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_all_history(tinyci_selection *selection,
                                             int32_t all_history,
                                             tinyci_error **err);

/**
 * Tests every selected commit with this pipeline instead of its own config. The verdict is
 * recorded like any other.
 *
 * @param selection  The selection.
 * @param pipeline   The pipeline. Copied.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`, also for a null pointer. This keeps commits from
 *         being tested with the wrong pipeline if a pipeline could not be read.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_pipeline(tinyci_selection *selection,
                                          const tinyci_pipeline *pipeline,
                                          tinyci_error **err);

/**
 * Assumes the output of a command. Plans run no commands: if a script of a named commit asks for
 * the output of one, the plan uses the assumed output. Only `tinyci_plan_json` uses assumptions.
 *
 * @param selection  The selection.
 * @param command    A glob that matches the command as one line, such as `git describe*`. The
 *                   first match applies. Copied.
 * @param output     The output of the command. Copied.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_assumption(tinyci_selection *selection,
                                            const char *command,
                                            const char *output,
                                            tinyci_error **err);

/**
 * Frees a selection.
 *
 * @param selection  The selection, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_selection_free(tinyci_selection *selection);

/**
 * Finds the pending commits, oldest first. Runs nothing.
 *
 * @param engine     The engine.
 * @param selection  The commits to check; NULL for all pending commits.
 * @param out        Where to store the commits; free them with `tinyci_commits_free`. NULL on an
 *                   error.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the
 *         repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pending_commits(const tinyci_engine *engine,
                                   const tinyci_selection *selection,
                                   tinyci_commits **out,
                                   tinyci_error **err);

/**
 * Resolves a revision to the full id of its commit.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param out       Where to store the id, forty hexadecimal digits; free it with
 *                  `tinyci_string_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_resolve(const tinyci_engine *engine,
                           const char *revision,
                           char **out,
                           tinyci_error **err);

/**
 * Reads commits by their revisions, whether they are pending or not. One call for many commits is
 * much faster than one call for each.
 *
 * @param engine     The engine.
 * @param revisions  The revisions, one per line, in any git revision syntax.
 * @param out        Where to store the commits, in the order of the revisions; free them with
 *                   `tinyci_commits_free`. NULL on an error.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the
 *         repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_commits_load(const tinyci_engine *engine,
                                const char *revisions,
                                tinyci_commits **out,
                                tinyci_error **err);

/**
 * Returns the next commit of a list.
 *
 * @param commits  The commits.
 * @param out      Where to store the commit. It belongs to `commits`: do not free it. NULL if
 *                 there is none.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_DONE` after the last commit.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_commits_next(tinyci_commits *commits,
                                const tinyci_commit **out,
                                tinyci_error **err);

/**
 * Returns the full id of a commit.
 *
 * @param commit  The commit, or NULL.
 * @return Forty hexadecimal digits, valid as long as the commit; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_id(const tinyci_commit *commit);

/**
 * Returns the full id of a commit's tree. Commits with the same tree contain the same files.
 *
 * @param commit  The commit, or NULL.
 * @return Forty hexadecimal digits, valid as long as the commit; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_tree(const tinyci_commit *commit);

/**
 * Returns how many parents a commit has.
 *
 * @param commit  The commit, or NULL.
 * @return The number: 0 for a first commit, 2 or more for a merge; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_commit_parent_count(const tinyci_commit *commit);

/**
 * Returns the full id of one of a commit's parents.
 *
 * @param commit  The commit, or NULL.
 * @param index   The index of the parent, from 0, in git's order.
 * @return Forty hexadecimal digits, valid as long as the commit; NULL if there is no such parent,
 *         and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_parent(const tinyci_commit *commit, size_t index);

/**
 * Returns the author of a commit.
 *
 * @param commit  The commit, or NULL.
 * @return `Name <address>`, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL
 *         for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_author(const tinyci_commit *commit);

/**
 * Returns the author as git stores it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param length  Where to store the number of bytes, or NULL.
 * @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_author_bytes(const tinyci_commit *commit, size_t *length);

/**
 * Returns the branch that the commit is tested for, without `refs/heads/`.
 *
 * @param commit  The commit, or NULL.
 * @return The branch, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL if no
 *         branch contains the commit, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_branch(const tinyci_commit *commit);

/**
 * Returns the branch as git stores it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param length  Where to store the number of bytes, or NULL.
 * @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, if no
 *         branch contains the commit, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_branch_bytes(const tinyci_commit *commit, size_t *length);

/**
 * Returns the subject of a commit: the first paragraph of its message, on one line.
 *
 * @param commit  The commit, or NULL.
 * @return The subject, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_subject(const tinyci_commit *commit);

/**
 * Returns the subject as git stores it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param length  Where to store the number of bytes, or NULL.
 * @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_subject_bytes(const tinyci_commit *commit, size_t *length);

/**
 * Returns the complete message of a commit.
 *
 * @param commit  The commit, or NULL.
 * @return The message, valid as long as the commit; U+FFFD replaces what is not UTF-8. NULL for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_message(const tinyci_commit *commit);

/**
 * Returns the message as git stores it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param length  Where to store the number of bytes, or NULL.
 * @return The bytes without a final NUL, valid as long as the commit; NULL, and length 0, for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_message_bytes(const tinyci_commit *commit, size_t *length);

/**
 * Returns a commit as one line of JSON: `id`, `tree`, `parents`, `time` in seconds since 1970,
 * `author`, `subject`, `message`, and `branch` if it has one.
 *
 * @param commit  The commit, or NULL.
 * @return The JSON, valid as long as the commit; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_json(const tinyci_commit *commit);

/**
 * Returns the committer time of a commit.
 *
 * @param commit  The commit, or NULL.
 * @return Seconds since 1970-01-01 00:00 UTC; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int64_t tinyci_commit_time(const tinyci_commit *commit);

/**
 * Frees a list of commits and each `tinyci_commit` in it.
 *
 * @param commits  The commits, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_commits_free(tinyci_commits *commits);

/**
 * Writes the files of a commit to a directory, like `git archive`, but without honoring
 * `export-ignore`.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param dir       The directory, which must be empty or not exist.
 * @param cancel    A token that stops the export from another thread; NULL for none.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` for a
 *         directory that is not empty; `TINYCI_GIT` for a tree that cannot be read or is not safe
 *         to write; `TINYCI_IO` if the directory cannot be created or the disk is full;
 *         `TINYCI_CANCELED`. On an error, the files already written are removed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_export_commit(const tinyci_engine *engine,
                                 const char *revision,
                                 const char *dir,
                                 const tinyci_cancel *cancel,
                                 tinyci_error **err);

/**
 * Reads the pipeline from the config of a commit.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param out       Where to store the pipeline; free it with `tinyci_pipeline_free`. NULL on an
 *                  error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit or it has no config;
 *         `TINYCI_CONFIG` or `TINYCI_SCRIPT` with file, line and column if the config is not
 *         valid.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pipeline_load(const tinyci_engine *engine,
                                 const char *revision,
                                 tinyci_pipeline **out,
                                 tinyci_error **err);

/**
 * Reads a pipeline from a string instead of a commit.
 *
 * @param engine  The engine whose functions a script can call. Its imports are relative to the
 *                path that the engine was opened with. NULL for no functions and no imports; YAML
 *                needs neither.
 * @param text    The config, in UTF-8.
 * @param length  The length of `text` in bytes.
 * @param format  One of `TINYCI_FORMAT_*`.
 * @param name    The file name that errors show, such as `nightly.yml`.
 * @param out     Where to store the pipeline; free it with `tinyci_pipeline_free`. NULL on an
 *                error.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CONFIG` or `TINYCI_SCRIPT` with file, line and column if the config
 *         is not valid; `TINYCI_UNSUPPORTED` for a script if the library was built without
 *         scripts; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pipeline_parse(const tinyci_engine *engine,
                                  const char *text,
                                  size_t length,
                                  int32_t format,
                                  const char *name,
                                  tinyci_pipeline **out,
                                  tinyci_error **err);

/**
 * Returns how many steps a pipeline has.
 *
 * @param pipeline  The pipeline, or NULL.
 * @return The number; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_pipeline_step_count(const tinyci_pipeline *pipeline);

/**
 * Returns the name of a step, such as `before_build` or `build`.
 *
 * @param pipeline  The pipeline, or NULL.
 * @param index     The index of the step, from 0, in the order in which they run.
 * @return The name, valid as long as the pipeline; NULL if there is no such step.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_pipeline_step_name(const tinyci_pipeline *pipeline, size_t index);

/**
 * Converts a pipeline to an equivalent script: the output of `tinyci convert`.
 *
 * @param pipeline  The pipeline, which must be YAML.
 * @param out       Where to store the script; free it with `tinyci_string_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CONFIG` with line and column for a placeholder or a pattern that
 *         scripts do not support; `TINYCI_INVALID_ARG` for a pipeline that is already a script.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pipeline_to_rhai(const tinyci_pipeline *pipeline,
                                    char **out,
                                    tinyci_error **err);

/**
 * Frees a pipeline.
 *
 * @param pipeline  The pipeline, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_pipeline_free(tinyci_pipeline *pipeline);

/**
 * Creates an empty set of variables.
 *
 * @return The variables; free them with `tinyci_vars_free`. NULL only if out of memory.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_vars *tinyci_vars_new(void);

/**
 * Sets a variable, replacing an earlier value.
 *
 * @param vars   The variables.
 * @param name   The name: `a`-`z`, digits and `_`, not beginning with a digit.
 * @param value  The value: any string. Copied.
 * @param err    Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_vars_set(tinyci_vars *vars,
                            const char *name,
                            const char *value,
                            tinyci_error **err);

/**
 * Frees a set of variables.
 *
 * @param vars  The variables, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_vars_free(tinyci_vars *vars);

/**
 * Replaces the placeholders of a template: `<%= name %>` becomes the value of the variable, `<%%`
 * becomes `<%`.
 *
 * tinyci never quotes values. It refuses a value that a shell could take for more than one word.
 *
 * @param text  The template.
 * @param vars  The variables; NULL for none.
 * @param out   Where to store the result; free it with `tinyci_string_free`. NULL on an error.
 * @param err   Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG`; `TINYCI_INTERPOLATE` with line and column.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_interpolate(const char *text,
                               const tinyci_vars *vars,
                               char **out,
                               tinyci_error **err);

/**
 * Creates a token at level 0.
 *
 * @return The token; free it with `tinyci_cancel_free`. NULL only if out of memory.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_cancel *tinyci_cancel_new(void);

/**
 * Creates a token that also follows another one: its level is the higher of the two. Triggering
 * the child does not change the parent. One parent token can stop all runs, and each child one
 * run.
 *
 * @param parent  The other token, which you may free at any time; NULL for none.
 * @return The token; free it with `tinyci_cancel_free`. NULL only if out of memory, and in a
 *         forked child.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_cancel *tinyci_cancel_child(const tinyci_cancel *parent);

/**
 * Raises the level by one, up to 2. Triggering a child token does not change its parent. In a
 * forked child, this does nothing.
 *
 * @param cancel  The token, or NULL.
 *
 * Any thread, and any signal handler: it is async-signal-safe. Since 0.1.0.
 */
void tinyci_cancel_trigger(const tinyci_cancel *cancel);

/**
 * Returns the current level.
 *
 * @param cancel  The token, or NULL.
 * @return 0, 1 or 2; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_cancel_level(const tinyci_cancel *cancel);

/**
 * Frees a token. Runs that use it continue. A signal handler must not use it afterwards.
 *
 * @param cancel  The token, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_cancel_free(tinyci_cancel *cancel);

/**
 * Starts a run of the pending commits in threads of the library. Read its events with
 * `tinyci_run_next`.
 *
 * @param engine     The engine.
 * @param selection  The commits to test; NULL for all pending commits.
 * @param cancel     A token that stops the run, which keeps it alive; NULL for none.
 * @param out        Where to store the run; free it with `tinyci_run_free`. NULL on an error.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, because tinyci could
 *         not learn how commands end: set it to SIG_DFL first. Other errors that prevent the run
 *         from beginning, such as `TINYCI_BUSY`, are returned by `tinyci_run_next`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_run_start(const tinyci_engine *engine,
                             const tinyci_selection *selection,
                             const tinyci_cancel *cancel,
                             tinyci_run **out,
                             tinyci_error **err);

/**
 * Starts some steps of one commit, like `tinyci run --step`. The steps run in an export directory
 * of their own, until one fails.
 *
 * Each command line comes as an OUTPUT event before the command runs. Conditions of steps are
 * ignored. Nothing is written to the repository: the results are only in the one record of this
 * run.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param steps     The names of the steps, one per line, in the order in which to run them.
 *                  `deploy` is not allowed.
 * @param flags     0 or `TINYCI_STEPS_KEEP`.
 * @param cancel    A token that stops the run, which keeps it alive; NULL for none.
 * @param out       Where to store the run; free it with `tinyci_run_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for an unknown flag; `TINYCI_UNSUPPORTED` if this
 *         process ignores SIGCHLD, because tinyci could not learn how commands end: set it to
 *         SIG_DFL first. Other errors are returned by `tinyci_run_next`: `TINYCI_NOT_FOUND` if
 *         there is no such commit or it has no config; `TINYCI_INVALID_ARG` for `deploy` and for a
 *         step that the config does not have; `TINYCI_IO` if the files cannot be written;
 *         `TINYCI_CANCELED`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_steps_start(const tinyci_engine *engine,
                               const char *revision,
                               const char *steps,
                               uint32_t flags,
                               const tinyci_cancel *cancel,
                               tinyci_run **out,
                               tinyci_error **err);

/**
 * Starts following the run of another process or thread. Its log comes as OUTPUT events, until
 * that run ends or the selected commits have a verdict. Runs nothing itself.
 *
 * @param engine     The engine.
 * @param selection  The commits to wait for; NULL for all pending commits.
 * @param cancel     A token that stops the run, which keeps it alive; NULL for none.
 * @param out        Where to store the run; free it with `tinyci_run_free`. NULL on an error. It
 *                   has no records.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`. Later errors are returned by `tinyci_run_next`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_follow_start(const tinyci_engine *engine,
                                const tinyci_selection *selection,
                                const tinyci_cancel *cancel,
                                tinyci_run **out,
                                tinyci_error **err);

/**
 * Starts reading a log. Its lines come as OUTPUT events, each with its newline. Runs nothing.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax, to read the log of its last job; NULL
 *                  for the log of all runs.
 * @param lines     How many of the last lines to begin with; -1 for all.
 * @param flags     0 or `TINYCI_LOG_FOLLOW`.
 * @param cancel    A token that stops the run, which keeps it alive; NULL for none.
 * @param out       Where to store the run; free it with `tinyci_run_free`. NULL on an error. It
 *                  has no records.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for an unknown flag, and for `lines` below -1. Later
 *         errors are returned by `tinyci_run_next`: `TINYCI_NOT_FOUND` if there is no such commit
 *         or it has no log; `TINYCI_IO` if the log cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_log_start(const tinyci_engine *engine,
                             const char *revision,
                             int64_t lines,
                             uint32_t flags,
                             const tinyci_cancel *cancel,
                             tinyci_run **out,
                             tinyci_error **err);

/**
 * Waits for the next event or request of a run.
 *
 * This ends the previous event: do not use it, or pointers taken from it, afterwards. If it was a
 * request that you did not take, its step fails.
 *
 * @param run         The run.
 * @param timeout_ms  How long to wait in milliseconds: 0 does not wait, -1 waits without a limit.
 * @param out         Where to store the event. It belongs to the run: do not free it. NULL if
 *                    there is none.
 * @param err         Where to store the error, or NULL.
 * @return `TINYCI_OK` with an event; `TINYCI_AGAIN` if none came within the time; `TINYCI_DONE`
 *         after the last event; or the error that kept the run from beginning, such as
 *         `TINYCI_BUSY` or `TINYCI_NOT_FOUND`. A failed build is not an error.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_next(tinyci_run *run,
                            int32_t timeout_ms,
                            tinyci_event **out,
                            tinyci_error **err);

/**
 * Returns a file descriptor for `poll`, `epoll` and event loops. It is readable when
 * `tinyci_run_next` would not wait: there is an event, or the run has ended.
 *
 * When it is readable, call `tinyci_run_next` with a timeout of 0 until it returns `TINYCI_AGAIN`,
 * then poll again. You need not read from the descriptor, but you may. It contains one byte while
 * events wait, and is at its end after the run has ended.
 *
 * @param run  The run, or NULL.
 * @return The descriptor; -1 for NULL. It belongs to the run: do not close it, and do not use it
 *         after `tinyci_run_free`. Child processes do not inherit it.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_run_fd(const tinyci_run *run);

/**
 * Returns the records of a run that has ended, in the order in which its jobs ended. A deployment
 * has none.
 *
 * @param run  The run.
 * @param out  Where to store the records; free them with `tinyci_records_free`. NULL on an error.
 * @param err  Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` returned `TINYCI_DONE`; the
 *         run's own error if it could not begin.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_records(tinyci_run *run, tinyci_records **out, tinyci_error **err);

/**
 * Returns the summary of a run that has ended: the last line of `tinyci run --json`. Besides the
 * records, it contains the commits that were not tested, the deployments that followed, and
 * `error` if the run had to stop.
 *
 * @param run  The run.
 * @param out  Where to store the JSON, one line without a newline; free it with
 *             `tinyci_string_free`. NULL on an error.
 * @param err  Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` returned `TINYCI_DONE`, and
 *         for deployments; the run's own error if it could not begin.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_summary_json(tinyci_run *run, char **out, tinyci_error **err);

/**
 * Returns a deployment that has ended, as a line of `tinyci deployments --json`. Its `outcome` is
 * `awaiting_approval` if a person must approve first.
 *
 * @param run  The run of `tinyci_deploy_start` or `tinyci_rollback_start`.
 * @param out  Where to store the JSON, one line without a newline; free it with
 *             `tinyci_string_free`. NULL on an error.
 * @param err  Where to store the error, or NULL.
 * @return `TINYCI_OK`, also for a deployment that failed; `TINYCI_INVALID_ARG` before
 *         `tinyci_run_next` returned `TINYCI_DONE`, and for other runs; the run's own error if it
 *         could not begin.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_deployment_json(tinyci_run *run, char **out, tinyci_error **err);

/**
 * Returns the outcome of a deployment that has ended.
 *
 * @param run  The run, or NULL.
 * @return One of `TINYCI_OUTCOME_*`: `TINYCI_OUTCOME_SUCCESS` if the commit is deployed,
 *         `TINYCI_OUTCOME_AWAITING_APPROVAL` if nothing was done because a person must approve
 *         first. 0 before the end, if the deployment could not begin, for other runs, and for
 *         NULL.
 *
 * One thread at a time. Since 0.1.0.
 */
int32_t tinyci_run_deploy_outcome(tinyci_run *run);

/**
 * Frees a run. If the run has not ended, it is stopped first, at once and without `after_all`. The
 * cancel token that you passed does not change. You can still answer requests that you took, which
 * returns `TINYCI_CANCELED`.
 *
 * This waits for the threads and commands of the run: at most for the grace period of commands
 * plus 5 seconds.
 *
 * @param run  The run with its last event, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_run_free(tinyci_run *run);

/**
 * Returns the kind of an event.
 *
 * @param event  The event, or NULL.
 * @return One of `TINYCI_EVENT_*`; requests have numbers from 32. A later version may add kinds:
 *         ignore those that you do not know. 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_event_kind(const tinyci_event *event);

/**
 * Returns the number of an event among the events and requests of its run.
 *
 * @param event  The event, or NULL.
 * @return 1 for the first event, and so on without gaps; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
uint64_t tinyci_event_sequence(const tinyci_event *event);

/**
 * Returns the time of an event.
 *
 * @param event  The event, or NULL.
 * @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
uint64_t tinyci_event_time_ms(const tinyci_event *event);

/**
 * Returns the commit that an event is about.
 *
 * @param event  The event, or NULL.
 * @return The full id in hexadecimal digits, valid as long as the event; NULL if the event is not
 *         about a commit.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_commit(const tinyci_event *event);

/**
 * Returns the id of the job that an event belongs to. Records and JSON contain the same id as
 * `job_id`. If several jobs run at the same time, use it to tell their events apart.
 *
 * @param event  The event, or NULL.
 * @return The job id, valid as long as the event; NULL if the event does not belong to a job.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_job_id(const tinyci_event *event);

/**
 * Returns the step that an event belongs to.
 *
 * @param event  The event, or NULL.
 * @return The name, such as `build` or `after_test`, valid as long as the event; NULL if the event
 *         does not belong to a step.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_step(const tinyci_event *event);

/**
 * Returns the label of the `parallel` task or group of a script that an event comes from.
 *
 * @param event  The event, or NULL.
 * @return The label, valid as long as the event; NULL if there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_label(const tinyci_event *event);

/**
 * Returns the bytes of an OUTPUT event as the command wrote them, in any encoding: at most 64 KiB,
 * cut at the end of a line if possible. For WARNING and WAITING, returns the message in UTF-8.
 *
 * @param event   The event, or NULL.
 * @param length  Where to store the number of bytes, or NULL.
 * @return The bytes, valid as long as the event; NULL, and length 0, for other kinds and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_event_data(const tinyci_event *event, size_t *length);

/**
 * Returns the stream that an OUTPUT event came from.
 *
 * @param event  The event, or NULL.
 * @return `TINYCI_STREAM_STDOUT` or `TINYCI_STREAM_STDERR`; 0 for other kinds and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_event_stream(const tinyci_event *event);

/**
 * Returns the outcome that STEP_FINISHED, JOB_FINISHED, DEPLOY_FINISHED and FINISHED report. For a
 * HOOK, returns the outcome of the job so far.
 *
 * @param event  The event, or NULL.
 * @return One of `TINYCI_OUTCOME_*`; 0 for other kinds and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_event_outcome(const tinyci_event *event);

/**
 * Returns the record of a JOB_FINISHED event.
 *
 * @param event  The event, or NULL.
 * @return The record, valid as long as the event; NULL for other kinds and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const tinyci_record *tinyci_event_record(const tinyci_event *event);

/**
 * Returns the lines that the log contains for an event, without timestamps. To show what
 * `tinyci run` shows, print these lines and the data of OUTPUT events.
 *
 * @param event  The event, or NULL.
 * @return Lines that each end with a newline, valid as long as the event; NULL if there are none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_log_lines(const tinyci_event *event);

/**
 * Returns an event as the line of JSON that `tinyci run --json` prints. Depending on its kind, a
 * request also has `name` and `arguments`, `command`, or `environment` and `question`.
 *
 * @param event  The event, or NULL.
 * @return The JSON, valid as long as the event; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_json(const tinyci_event *event);

/**
 * Takes the request out of an event, to answer it now or later, from any thread. A request that
 * you do not take before the next `tinyci_run_next` fails.
 *
 * @param event  The event, or NULL.
 * @return The request. Answer it exactly once, or free it with `tinyci_request_free`. NULL if the
 *         event is not a request, or the request was already taken.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_request *tinyci_event_take_request(const tinyci_event *event);

/**
 * Returns the name that a request is about: the hook, the function, the secret, or the environment
 * to approve. For a COMMAND, returns the command as one line for people; to run it, use
 * `tinyci_request_command_json`.
 *
 * @param request  The request, or NULL.
 * @return The name, valid as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_name(const tinyci_request *request);

/**
 * Returns the commit that is being tested or deployed.
 *
 * @param request  The request, or NULL.
 * @return The full id in hexadecimal digits, valid as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_commit(const tinyci_request *request);

/**
 * Returns the id of the job that made the request. `tinyci_event_job_id` returns the same for its
 * events.
 *
 * @param request  The request, or NULL.
 * @return The job id, valid as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_job_id(const tinyci_request *request);

/**
 * Returns the step that made the request.
 *
 * @param request  The request, or NULL.
 * @return The name, such as `build`, valid as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_step(const tinyci_request *request);

/**
 * Returns the label of the `parallel` task or group of a script that made the request.
 *
 * @param request  The request, or NULL.
 * @return The label, valid as long as the request; NULL if there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_label(const tinyci_request *request);

/**
 * Returns the question of a script for the person who approves.
 *
 * @param request  The request, or NULL.
 * @return The question, valid as long as the request; NULL if the config only requires an
 *         approval, for other kinds of requests, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_question(const tinyci_request *request);

/**
 * Returns the export directory, which contains the commit's files. For an APPROVAL, it may not
 * exist yet.
 *
 * @param request  The request, or NULL.
 * @return The path, valid as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_export_dir(const tinyci_request *request);

/**
 * Returns whether the answer is no longer needed, so that you can stop long work early: the run
 * was canceled or freed, or a time limit is over.
 *
 * @param request  The request, or NULL.
 * @return 1 if it is no longer needed, else 0; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_request_canceled(const tinyci_request *request);

/**
 * Returns how many arguments a function was called with.
 *
 * @param request  The request, or NULL.
 * @return The number of arguments; 0 for other kinds of requests and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_request_arg_count(const tinyci_request *request);

/**
 * Returns the type of an argument.
 *
 * @param request  The request, or NULL.
 * @param index    The index of the argument, from 0.
 * @return One of `TINYCI_VALUE_*`; 0 if there is no such argument.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_request_arg_kind(const tinyci_request *request, size_t index);

/**
 * Returns the value of an INT argument; for a BOOL, 1 or 0.
 *
 * @param request  The request, or NULL.
 * @param index    The index of the argument, from 0.
 * @return The value; 0 for other types, and if there is no such argument.
 *
 * Any thread. Since 0.1.0.
 */
int64_t tinyci_request_arg_int(const tinyci_request *request, size_t index);

/**
 * Returns the value of a FLOAT or INT argument.
 *
 * @param request  The request, or NULL.
 * @param index    The index of the argument, from 0.
 * @return The value; 0 for other types, and if there is no such argument.
 *
 * Any thread. Since 0.1.0.
 */
double tinyci_request_arg_float(const tinyci_request *request, size_t index);

/**
 * Returns the value of a STRING argument.
 *
 * @param request  The request, or NULL.
 * @param index    The index of the argument, from 0.
 * @return The string, valid as long as the request; NULL for other types, and if there is no such
 *         argument. U+FFFD replaces NUL characters; in `tinyci_request_arg_json`, they are
 *         `\u0000`.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_arg_string(const tinyci_request *request, size_t index);

/**
 * Returns an argument of any type as JSON.
 *
 * @param request  The request, or NULL.
 * @param index    The index of the argument, from 0.
 * @return The JSON, valid as long as the request; NULL if there is no such argument.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_arg_json(const tinyci_request *request, size_t index);

/**
 * Returns the command of a COMMAND request as a JSON object:
 *
 * `shell` is a string for `/bin/sh -c`; a command has either it or `argv`. `cwd` is the working
 * directory. `env` is the complete environment. `env_hex` contains the variables whose name or
 * value is not UTF-8, as pairs of hexadecimal strings; they replace those in `env`. `nice` is the
 * niceness, 0 if absent. `input` is the standard input, or `input_hex` if it is not UTF-8; without
 * both, it is empty. `timeout_ms` is the time left for the command; without it, there is no limit.
 * `output` is `merged` or `split`: whether to report the two streams separately.
 *
 * @param request  The request, or NULL.
 * @return The JSON, valid as long as the request; NULL for other kinds of requests and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_command_json(const tinyci_request *request);

/**
 * Sets the value of a placeholder for the commands that follow a hook. It takes effect if the hook
 * passes.
 *
 * @param request  The HOOK request. You still have to answer it.
 * @param name     The name: `a`-`z`, digits and `_`. Names that tinyci uses itself are refused.
 *                 Copied.
 * @param value    The value: any string. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_request_set_var(tinyci_request *request,
                                   const char *name,
                                   const char *value,
                                   tinyci_error **err);

/**
 * Answers a HOOK: it passed, and the config's own hook of that name runs next. Answers an
 * APPROVAL: the deployment may continue, and its record has `the host` as approver. To name a
 * person, use `tinyci_request_return_string`.
 *
 * @param request  The request; consumed.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CANCELED` if the answer is no longer needed; `TINYCI_INVALID_ARG`
 *         if this function cannot answer this request. The request is then aborted.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_ok(tinyci_request *request, tinyci_error **err);

/**
 * Answers a HOOK: it passed, and the config's own hook of that name is skipped.
 *
 * @param request  The request; consumed.
 * @param reason   The reason, for the record; NULL for none. Copied.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_skip(tinyci_request *request, const char *reason, tinyci_error **err);

/**
 * Answers any request with a refusal: a decision about the commit. Its step fails, unless a script
 * catches the error of a function, a secret or a command.
 *
 * If your program itself failed, use `tinyci_request_abort` instead.
 *
 * @param request  The request; consumed.
 * @param message  The reason, for the record; NULL for none. Copied.
 * @param code     A number of your choice, added to the message in the record; 0 for none.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CANCELED` if the answer is no longer needed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_fail(tinyci_request *request,
                                const char *message,
                                int32_t code,
                                tinyci_error **err);

/**
 * Aborts any request: your program cannot answer because it failed itself. Examples are a vault
 * that is down and a bug.
 *
 * This is not a decision about the commit. Scripts cannot catch it, and of the remaining steps
 * only `after_all` runs. The outcome of the job is `TINYCI_OUTCOME_ERROR`, and a later run tests
 * the commit again until it is out of attempts. If `after_all` itself made the request, the
 * outcome does not change.
 *
 * A deployment fails with this reason. If the request was for an approval before the deployment
 * began, it does not begin, and `tinyci_run_next` returns `TINYCI_HOST_FAULT`.
 *
 * @param request  The request; consumed.
 * @param message  The reason, for the record; NULL for none. Copied.
 * @param code     A number of your choice, added to the message in the record; 0 for none.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CANCELED` if the answer is no longer needed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_abort(tinyci_request *request,
                                 const char *message,
                                 int32_t code,
                                 tinyci_error **err);

/**
 * Answers a FUNCTION with null. Answers a SECRET: your program does not have it, and tinyci looks
 * in the directory `tinyci.secretsDir`. Answers an APPROVAL: there is no decision yet, and the
 * deployment awaits approval.
 *
 * @param request  The request; consumed.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_null(tinyci_request *request, tinyci_error **err);

/**
 * Answers a FUNCTION with a bool.
 *
 * @param request  The request; consumed.
 * @param value    0 for false, any other number for true.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_bool(tinyci_request *request, int32_t value, tinyci_error **err);

/**
 * Answers a FUNCTION with an integer.
 *
 * @param request  The request; consumed.
 * @param value    The value.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_int(tinyci_request *request, int64_t value, tinyci_error **err);

/**
 * Answers a FUNCTION with a floating-point number.
 *
 * @param request  The request; consumed.
 * @param value    The value.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_float(tinyci_request *request, double value, tinyci_error **err);

/**
 * Answers a FUNCTION or a SECRET with a string. Answers an APPROVAL with the person who approves,
 * such as `Ada <ada@example.org>`, for the record.
 *
 * @param request  The request; consumed.
 * @param value    The string. Copied.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`. Also `TINYCI_INVALID_ARG` for NULL, for a string that is not
 *         UTF-8, and for an empty approver.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_string(tinyci_request *request,
                                         const char *value,
                                         tinyci_error **err);

/**
 * Answers a SECRET with bytes in any encoding.
 *
 * @param request  The request; consumed.
 * @param value    The bytes. Copied.
 * @param length   The number of bytes.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`. Also `TINYCI_INVALID_ARG` for NULL with a length above 0.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_bytes(tinyci_request *request,
                                        const uint8_t *value,
                                        size_t length,
                                        tinyci_error **err);

/**
 * Answers a FUNCTION with a value of any type, such as an array or a map.
 *
 * @param request  The request; consumed.
 * @param value    The value as JSON. Copied.
 * @param err      Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`. Also `TINYCI_INVALID_ARG` for invalid JSON.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_json(tinyci_request *request,
                                       const char *value,
                                       tinyci_error **err);

/**
 * Passes on the output of a COMMAND. It comes back as OUTPUT events, with secrets masked.
 *
 * This never waits. If the buffer is full, it takes nothing and returns `TINYCI_AGAIN`: read
 * events with `tinyci_run_next`, then try again.
 *
 * @param request  The COMMAND request. You still have to answer it.
 * @param stream   `TINYCI_STREAM_STDOUT`, also for merged streams, or `TINYCI_STREAM_STDERR`.
 * @param data     Bytes in any encoding, cut anywhere. Copied.
 * @param length   The number of bytes.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_AGAIN` if nothing was taken; `TINYCI_CANCELED` if the command is no
 *         longer needed: stop it; `TINYCI_INVALID_ARG` for other kinds of requests.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_request_command_output(tinyci_request *request,
                                          int32_t stream,
                                          const uint8_t *data,
                                          size_t length,
                                          tinyci_error **err);

/**
 * Answers a COMMAND that has ended.
 *
 * @param request    The request; consumed.
 * @param exit_code  The exit code; ignored if a signal ended the command.
 * @param signal     The number of the signal that ended it; 0 for none.
 * @param err        Where to store the error, or NULL.
 * @return As for `tinyci_request_ok`. If you stopped the command because the run was canceled or a
 *         time limit was over, any exit code will do.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_command_finish(tinyci_request *request,
                                          int32_t exit_code,
                                          int32_t signal,
                                          tinyci_error **err);

/**
 * Frees a request. If it was not answered, its step fails.
 *
 * @param request  The request, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_request_free(tinyci_request *request);

/**
 * Returns the name of an outcome in lower case, as in JSON: `success`, `timed_out`, ...
 *
 * @param outcome  One of `TINYCI_OUTCOME_*`.
 * @return The name, or NULL for a number that this version does not know: treat it as not passed.
 *         Static: do not free it.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_outcome_name(int32_t outcome);

/**
 * Returns the commit of a record.
 *
 * @param record  The record, or NULL.
 * @return The full id in hexadecimal digits, valid as long as the record; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_commit(const tinyci_record *record);

/**
 * Returns the branch that the commit was tested for, without `refs/heads/`.
 *
 * @param record  The record, or NULL.
 * @return The branch, valid as long as the record; U+FFFD replaces what is not UTF-8. NULL if
 *         there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_branch(const tinyci_record *record);

/**
 * Returns the branch as git stores it, in any encoding.
 *
 * @param record  The record, or NULL.
 * @param length  Where to store the number of bytes, or NULL.
 * @return The bytes without a final NUL, valid as long as the record; NULL, and length 0, if there
 *         is none.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_record_branch_bytes(const tinyci_record *record, size_t *length);

/**
 * Returns the outcome of a job. To check for green, use `tinyci_record_passed`.
 *
 * @param record  The record, or NULL.
 * @return One of `TINYCI_OUTCOME_*`, or a number that a later version adds; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_outcome(const tinyci_record *record);

/**
 * Returns whether the commit is green. Use this to check whether it passed.
 *
 * @param record  The record, or NULL.
 * @return 1 if it is green; 0 if not, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_passed(const tinyci_record *record);

/**
 * Returns the reason for the outcome if the steps do not contain it: an invalid config, a broken
 * executor, a cancellation.
 *
 * @param record  The record, or NULL.
 * @return The reason, valid as long as the record; NULL if there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_reason(const tinyci_record *record);

/**
 * Returns when the job started.
 *
 * @param record  The record, or NULL.
 * @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int64_t tinyci_record_started_ms(const tinyci_record *record);

/**
 * Returns how long the job took.
 *
 * @param record  The record, or NULL.
 * @return Milliseconds on a monotonic clock; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
uint64_t tinyci_record_duration_ms(const tinyci_record *record);

/**
 * Returns a record as the line of JSON that is stored in `refs/notes/runs/tinyci`.
 *
 * Only the JSON contains every failure of a step. Each entry of `failures` has a `message` and, if
 * known, a `label`, its `place` in the script, the `command`, and how that ended.
 *
 * @param record  The record, or NULL.
 * @return The JSON, valid as long as the record; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_json(const tinyci_record *record);

/**
 * Returns how many steps ran or were skipped.
 *
 * @param record  The record, or NULL.
 * @return The number; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_record_step_count(const tinyci_record *record);

/**
 * Returns the name of a step.
 *
 * @param record  The record, or NULL.
 * @param index   The index of the step, from 0, in the order in which they ran.
 * @return The name, such as `build`, valid as long as the record; NULL if there is no such step.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_step_name(const tinyci_record *record, size_t index);

/**
 * Returns the outcome of a step.
 *
 * @param record  The record, or NULL.
 * @param index   The index of the step, from 0.
 * @return One of `TINYCI_OUTCOME_*`; 0 if there is no such step.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_step_outcome(const tinyci_record *record, size_t index);

/**
 * Returns the exit code of a step: that of the command that failed, else that of the last command.
 *
 * @param record  The record, or NULL.
 * @param index   The index of the step, from 0.
 * @return The exit code; 128 plus the signal number if a signal ended the command; -1 if there is
 *         no such step or no command ended by itself. 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_step_exit_code(const tinyci_record *record, size_t index);

/**
 * Returns why a step failed or was skipped, if its commands do not show it: a refusal, a
 * placeholder that could not be replaced, an error in a script. For a skipped step, it begins with
 * `skipped: `.
 *
 * @param record  The record, or NULL.
 * @param index   The index of the step, from 0.
 * @return The reason, valid as long as the record; NULL if there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_step_error(const tinyci_record *record, size_t index);

/**
 * Reads the records of earlier jobs: for each commit the record of its verdict, newest commit
 * first.
 *
 * @param engine     The engine.
 * @param selection  Revisions or ranges; NULL for all commits that are reachable from a selected
 *                   ref.
 * @param outcome    Only records with this outcome, one of `TINYCI_OUTCOME_*`; 0 for all.
 * @param limit      The maximum number of records; 0 for all.
 * @param out        Where to store the records; free them with `tinyci_records_free`. NULL on an
 *                   error.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if there are none; `TINYCI_NOT_FOUND` if there is no such commit;
 *         `TINYCI_INVALID_ARG` for an unknown outcome, and for a selection of pushed refs.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_records_query(const tinyci_engine *engine,
                                 const tinyci_selection *selection,
                                 int32_t outcome,
                                 size_t limit,
                                 tinyci_records **out,
                                 tinyci_error **err);

/**
 * Returns the next record of a list.
 *
 * @param records  The records.
 * @param out      Where to store the record. It belongs to `records`: do not free it. NULL if
 *                 there is none.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_DONE` after the last record.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_records_next(tinyci_records *records,
                                const tinyci_record **out,
                                tinyci_error **err);

/**
 * Frees a list and its records.
 *
 * @param records  The records, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_records_free(tinyci_records *records);

/**
 * Returns what a run would do, without doing it: the output of `tinyci plan --json`. For named
 * commits, it includes a dry run of their steps, unless the selection has a pipeline of its own.
 *
 * Plans send no requests: a dry run fails if a script calls a function of yours, unless you
 * registered it with `TINYCI_EFFECT_EXTERNAL`.
 *
 * @param engine     The engine.
 * @param selection  The commits to plan for; NULL for all pending commits.
 * @param out        Where to store the JSON, one line without a newline; free it with
 *                   `tinyci_string_free`. NULL on an error.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the
 *         repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_plan_json(const tinyci_engine *engine,
                             const tinyci_selection *selection,
                             char **out,
                             tinyci_error **err);

/**
 * Validates the config of a commit: the output of `tinyci check --commit REV --json`. Each entry
 * of `problems` has a `severity`: `error`, or `warning` for valid code that is probably a mistake.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param out       Where to store the JSON, one line without a newline; free it with
 *                  `tinyci_string_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`, also for an invalid config: check `valid` in the JSON. `TINYCI_NOT_FOUND`
 *         if there is no such commit or it has no config; `TINYCI_UNSUPPORTED` for a script if the
 *         library was built without scripts.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_check_json(const tinyci_engine *engine,
                              const char *revision,
                              char **out,
                              tinyci_error **err);

/**
 * Validates a config that is not committed: the output of `tinyci check FILE --json`. The JSON is
 * that of `tinyci_check_json`.
 *
 * @param engine    The engine, whose functions a script can call.
 * @param revision  The commit that a script imports from, in any git revision syntax; NULL to
 *                  import from the path that the engine was opened with.
 * @param text      The config.
 * @param length    The length of `text` in bytes.
 * @param format    One of `TINYCI_FORMAT_*`.
 * @param name      The file name that the report shows, such as `.tinyci.yml`.
 * @param out       Where to store the JSON, one line without a newline; free it with
 *                  `tinyci_string_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`, also for an invalid config: check `valid` in the JSON. `TINYCI_NOT_FOUND`
 *         if there is no such commit; `TINYCI_UNSUPPORTED` for a script if the library was built
 *         without scripts; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_check_text_json(const tinyci_engine *engine,
                                   const char *revision,
                                   const char *text,
                                   size_t length,
                                   int32_t format,
                                   const char *name,
                                   char **out,
                                   tinyci_error **err);

/**
 * Returns the script API reference: the output of `tinyci defs`, with the functions that you
 * registered.
 *
 * @param engine  The engine whose functions to include; NULL for no functions.
 * @param format  One of `TINYCI_DEFINITIONS_*`.
 * @param out     Where to store the reference; free it with `tinyci_string_free`. NULL on an
 *                error.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for an unknown format; `TINYCI_UNSUPPORTED` if the
 *         library was built without scripts.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_definitions(const tinyci_engine *engine,
                               int32_t format,
                               char **out,
                               tinyci_error **err);

/**
 * Runs the tests of a pipeline script: the output of `tinyci test-pipeline --json`. Commands of
 * the pipeline do not run, and nothing is written or sent.
 *
 * @param engine    The engine.
 * @param revision  The commit with the script and its tests, in any git revision syntax; NULL for
 *                  the files of a directory.
 * @param dir       The directory, if `revision` is NULL; NULL for the path that the engine was
 *                  opened with.
 * @param filters   Parts of the names of the tests to run, one per line; NULL for all tests.
 * @param flags     0 or `TINYCI_TEST_COVERAGE`.
 * @param out       Where to store the JSON, one line without a newline; free it with
 *                  `tinyci_string_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if tests fail: check `failure` of each test. `TINYCI_NOT_FOUND` if
 *         there is no such commit, no script or no test, or no name matches a filter;
 *         `TINYCI_SCRIPT` for a file that is not valid; `TINYCI_UNSUPPORTED` for a YAML pipeline,
 *         and if the library was built without scripts; `TINYCI_INVALID_ARG` for an unknown flag,
 *         and for both `revision` and `dir`; `TINYCI_IO` for files that cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_test_pipeline_json(const tinyci_engine *engine,
                                      const char *revision,
                                      const char *dir,
                                      const char *filters,
                                      uint32_t flags,
                                      char **out,
                                      tinyci_error **err);

/**
 * Returns test results, newest commit first: the output of `tinyci results --json`.
 *
 * @param engine     The engine.
 * @param selection  The commits; NULL for all commits that were tested.
 * @param outcome    Only results with this outcome, one of `TINYCI_OUTCOME_*`; 0 for all.
 * @param limit      The maximum number of results; 0 for all.
 * @param flags      A sum of `TINYCI_RESULTS_*`.
 * @param out        Where to store the results, each a line of JSON that ends with a newline; free
 *                   them with `tinyci_string_free`. NULL on an error.
 * @param err        Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` for an
 *         unknown outcome or flag.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_results_json(const tinyci_engine *engine,
                                const tinyci_selection *selection,
                                int32_t outcome,
                                size_t limit,
                                uint32_t flags,
                                char **out,
                                tinyci_error **err);

/**
 * Returns deployments, newest first: the output of `tinyci deployments --json`.
 *
 * @param engine       The engine.
 * @param environment  Only deployments to this environment; NULL for all.
 * @param limit        The maximum number of deployments; 0 for all.
 * @param warnings     Where to store warnings for a person about refs that tinyci does not
 *                     recognize as deployments, or NULL; free them with `tinyci_string_free`. A
 *                     line that begins with `hint: ` belongs to the warning above it.
 * @param out          Where to store the deployments, each a line of JSON that ends with a
 *                     newline; free them with `tinyci_string_free`. NULL on an error.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if there are none; `TINYCI_INVALID_ARG` for an invalid environment
 *         name; `TINYCI_GIT` if the refs cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_deployments_json(const tinyci_engine *engine,
                                    const char *environment,
                                    size_t limit,
                                    char **warnings,
                                    char **out,
                                    tinyci_error **err);

/**
 * Returns the deployment that is live in an environment now, as a line of
 * `tinyci_deployments_json`.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for `production`.
 * @param out          Where to store the JSON, one line without a newline; free it with
 *                     `tinyci_string_free`. NULL if nothing is deployed, and on an error.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` if nothing is deployed there; `TINYCI_INVALID_ARG` for an
 *         invalid environment name; `TINYCI_GIT` if the refs cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_deployed_json(const tinyci_engine *engine,
                                 const char *environment,
                                 char **out,
                                 tinyci_error **err);

/**
 * Returns the lines among a commit's records that tinyci does not recognize: damaged or forged
 * ones, or those of another program. tinyci keeps these lines but ignores them.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param out       Where to store the lines, each with a newline; free them with
 *                  `tinyci_string_free`. Empty if there are no such lines; NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the notes
 *         cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_unrecognized_lines(const tinyci_engine *engine,
                                      const char *revision,
                                      char **out,
                                      tinyci_error **err);

/**
 * Returns the status of the repository: the output of `tinyci status --json`. It contains the
 * active run, the pending commits, the latest verdicts, what is deployed, and problems to check.
 *
 * @param engine  The engine.
 * @param out     Where to store the JSON, one line without a newline; free it with
 *                `tinyci_string_free`. NULL on an error.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_GIT` if the repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_status_json(const tinyci_engine *engine, char **out, tinyci_error **err);

/**
 * Returns all settings of a repository with their values: the output of `tinyci settings --json`.
 *
 * @param engine  The engine.
 * @param out     Where to store the settings, each a line of JSON that ends with a newline; free
 *                them with `tinyci_string_free`. NULL on an error.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_GIT` if git's configuration cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_settings_json(const tinyci_engine *engine, char **out, tinyci_error **err);

/**
 * Creates a request to deploy the newest green commit.
 *
 * @return The request; free it with `tinyci_deploy_request_free`. NULL only if out of memory.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_deploy_request *tinyci_deploy_request_new(void);

/**
 * Sets the commit to deploy.
 *
 * @param request   The request.
 * @param revision  The commit, in any git revision syntax; NULL for the newest green commit.
 *                  Copied, and resolved when the request is used.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_revision(tinyci_deploy_request *request,
                                               const char *revision,
                                               tinyci_error **err);

/**
 * Sets whether to roll back: to deploy the commit that was deployed before the current one.
 *
 * @param request   The request.
 * @param rollback  0 for no, the default; any other number for yes.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_rollback(tinyci_deploy_request *request,
                                               int32_t rollback,
                                               tinyci_error **err);

/**
 * Sets whether to deploy a commit that is not green, or to roll back to a commit that is no longer
 * on a deployable branch. The record says that the deployment was forced.
 *
 * @param request  The request.
 * @param force    0 for no, the default; any other number for yes.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_force(tinyci_deploy_request *request,
                                            int32_t force,
                                            tinyci_error **err);

/**
 * Sets whether to deploy the commit's files only, without its build, also if the build was
 * removed. For emergencies. The record says so.
 *
 * @param request  The request.
 * @param bare     0 for no, the default; any other number for yes.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_bare(tinyci_deploy_request *request,
                                           int32_t bare,
                                           tinyci_error **err);

/**
 * Assumes the output of a command. Plans run no commands: if a script asks for the output of one,
 * `tinyci_deploy_plan_json` uses the assumed output. A deployment runs the command.
 *
 * @param request  The request.
 * @param command  A glob that matches the command as one line, such as `git describe*`. The first
 *                 match applies. Copied.
 * @param output   The output of the command. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_add_assumption(tinyci_deploy_request *request,
                                                 const char *command,
                                                 const char *output,
                                                 tinyci_error **err);

/**
 * Sets the person who deploys. Default: the person in the engine's options, else the one in git's
 * configuration.
 *
 * @param request  The request.
 * @param name     The person's name. Copied.
 * @param address  The person's email address. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_by(tinyci_deploy_request *request,
                                         const char *name,
                                         const char *address,
                                         tinyci_error **err);

/**
 * Sets a plan to carry out: its commit, to its environment, only if what is deployed there has not
 * changed since. It replaces everything in the request except the person who deploys.
 *
 * @param request  The request.
 * @param plan     The JSON from `tinyci_deploy_plan_json`. Copied.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for an invalid plan. On an error, nothing changes.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_plan(tinyci_deploy_request *request,
                                           const char *plan,
                                           tinyci_error **err);

/**
 * Frees a request.
 *
 * @param request  The request, or NULL; consumed.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_deploy_request_free(tinyci_deploy_request *request);

/**
 * Returns what a deployment would do, without doing it: the output of
 * `tinyci deploy --dry-run --json`. You can show the plan to a person, then carry it out with
 * `tinyci_deploy_request_set_plan`.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for that of the request's plan, else `production`.
 * @param request      The request; NULL for the newest green commit.
 * @param out          Where to store the JSON, one line without a newline; free it with
 *                     `tinyci_string_free`. NULL on an error.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if the deployment would await approval: check `approval` in the JSON.
 *         Otherwise the errors of `tinyci_deploy_start` and its `tinyci_run_next`, except that you
 *         can plan during a deployment.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_deploy_plan_json(const tinyci_engine *engine,
                                    const char *environment,
                                    const tinyci_deploy_request *request,
                                    char **out,
                                    tinyci_error **err);

/**
 * Starts a deployment: the step `deploy` of the commit's config, in its export directory. It runs
 * in threads of the library. Read its events with `tinyci_run_next`, and its result with
 * `tinyci_run_deployment_json` or `tinyci_run_deploy_outcome`. If the build of the commit was
 * removed, tinyci builds it again first, and takes the run lock for that when another run is
 * between two commits.
 *
 * It does not ask for confirmation: to let a person confirm, show a plan first.
 *
 * The config or the setting `approve` can require an approval. tinyci looks for it in the
 * repository, then asks your program if you set `TINYCI_HANDLER_APPROVAL`. If the setting
 * `approvers` has values, tinyci asks your program only if it runs as one of the listed accounts.
 * Without a valid approval nothing is deployed, and the outcome is
 * `TINYCI_OUTCOME_AWAITING_APPROVAL`.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for that of the request's plan, else `production`.
 * @param request      The request; NULL for the newest green commit.
 * @param cancel       A token that stops the run, which keeps it alive; NULL for none.
 * @param out          Where to store the run; free it with `tinyci_run_free`. NULL on an error.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, because tinyci could
 *         not learn how commands end: set it to SIG_DFL first. Other errors that prevent the
 *         deployment from beginning are returned by `tinyci_run_next`: `TINYCI_NOT_FOUND` if there
 *         is nothing to deploy; `TINYCI_INVALID_ARG` for a commit that is not green, is not on a
 *         deployable branch, or whose config does not define the environment; also if you must
 *         name a commit (`must_be_named` in the plan), because several are equally new or deployed
 *         changes would be lost; `TINYCI_BUSY` during another deployment there, after an
 *         interrupted one (see `tinyci_unlock_deployments`), and if the deployed commit differs
 *         from the plan; `TINYCI_CANCELED`; `TINYCI_HOST_ABORT` if your program refused or did not
 *         answer a request for an approval; `TINYCI_HOST_FAULT` if it aborted one. A failed
 *         deployment is not an error.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_deploy_start(const tinyci_engine *engine,
                                const char *environment,
                                const tinyci_deploy_request *request,
                                const tinyci_cancel *cancel,
                                tinyci_run **out,
                                tinyci_error **err);

/**
 * Starts a rollback: it deploys the commit that was deployed before the current one, with the same
 * checks and the same kind of record. A second rollback goes back one further deployment. For more
 * options, use `tinyci_deploy_start` with `tinyci_deploy_request_set_rollback`.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for `production`.
 * @param cancel       A token that stops the run, which keeps it alive; NULL for none.
 * @param out          Where to store the run; free it with `tinyci_run_free`. NULL on an error.
 * @param err          Where to store the error, or NULL.
 * @return As for `tinyci_deploy_start`. `tinyci_run_next` returns `TINYCI_NOT_FOUND` if nothing
 *         was deployed before.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_rollback_start(const tinyci_engine *engine,
                                  const char *environment,
                                  const tinyci_cancel *cancel,
                                  tinyci_run **out,
                                  tinyci_error **err);

/**
 * Approves the deployment of one commit with its current config to one environment, so that the
 * next deployment can continue. The approver is the person in the engine's options, else the one
 * in git's configuration.
 *
 * If git's configuration signs with ssh keys (`gpg.format`, `user.signingKey`), the approval is
 * signed. For that, tinyci runs `git`, which may ask for a passphrase.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for `production`.
 * @param revision     The commit, in any git revision syntax. Prefer its id, because branches and
 *                     tags can move.
 * @param approval     Where to store the approval, the output of `tinyci approve --json`, or NULL;
 *                     free it with `tinyci_string_free`. Its `reference` is the ref to push to the
 *                     server. Its `problem`, if any, says why the approval does not count here.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` if the
 *         commit's config does not deploy there; `TINYCI_UNSUPPORTED` if the approver is not
 *         configured; `TINYCI_GIT` or `TINYCI_SPAWN` if the approval cannot be signed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_approve(const tinyci_engine *engine,
                           const char *environment,
                           const char *revision,
                           char **approval,
                           tinyci_error **err);

/**
 * Allows deployments to an environment again after an interrupted one. Check the environment
 * first.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for `production`.
 * @param reason       Why deployments can continue, for the record. Copied.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` if there was nothing to unlock; `TINYCI_BUSY` during a
 *         deployment there; `TINYCI_INVALID_ARG` without a reason.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_unlock_deployments(const tinyci_engine *engine,
                                      const char *environment,
                                      const char *reason,
                                      tinyci_error **err);

/**
 * Records that an environment is no longer in use. Its builds are no longer protected. The next
 * deployment puts it in use again. Runs nothing: what is deployed there stays.
 *
 * @param engine       The engine.
 * @param environment  The environment; NULL for `production`.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` if it is already retired; `TINYCI_NOT_FOUND` if nothing was
 *         ever deployed there; `TINYCI_BUSY` during a deployment there.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_retire(const tinyci_engine *engine,
                          const char *environment,
                          tinyci_error **err);

/**
 * Installs the git hook that tests what is pushed, in addition to existing hooks. If a fetch would
 * replace or delete tinyci's refs, as in a mirror, it also adds negative refspecs.
 *
 * @param engine   The engine.
 * @param command  The command that the hook runs: a name in the `PATH` of the server, or an
 *                 absolute path; NULL for `tinyci`.
 * @param flags    A sum of `TINYCI_INSTALL_*`.
 * @param notes    Where to store notes for a person, one per line, or NULL; free them with
 *                 `tinyci_string_free`. They say what the hook needs, what it leaves out, and what
 *                 else was added.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if it was already installed; `TINYCI_UNSUPPORTED` for a hook that
 *         tinyci cannot extend, with the line to add by hand, and for builds of another repository
 *         that may still exist; `TINYCI_IO`; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_install(const tinyci_engine *engine,
                           const char *command,
                           uint32_t flags,
                           char **notes,
                           tinyci_error **err);

/**
 * Removes the git hook and the refspecs that `tinyci_install` added. Everything else in these
 * files stays the same.
 *
 * @param engine  The engine.
 * @param notes   Where to store notes for a person, one per line, or NULL; free them with
 *                `tinyci_string_free`.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if it was not installed; `TINYCI_IO` if a file cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_uninstall(const tinyci_engine *engine, char **notes, tinyci_error **err);

/**
 * Packs old builds into `.tar.gz` files. Builds in use by a run stay as they are, and so do
 * protected ones: builds that are deployed, were deployed before, would be deployed next or await
 * approval, and those that a link in a directory of `tinyci.pin` points into. If a build cannot be
 * packed, it stays, and the call continues with the next one.
 *
 * @param engine       The engine.
 * @param keep         How many of the newest builds to keep unpacked.
 * @param keep_builds  More builds to keep unpacked, one per line: names, paths of or in builds,
 *                     links to them, or commit ids. NULL for none.
 * @param cancel       A token that stops the call from another thread; NULL for none.
 * @param report       Where to store the report, the output of `tinyci compact --json`, or NULL;
 *                     free it with `tinyci_string_free`. Its `not_removed` lists the builds that
 *                     could not be packed, and the packed ones whose directory could not be
 *                     removed.
 * @param err          Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if there was nothing to pack or some builds could not be packed;
 *         `TINYCI_BUSY` if another call is packing builds; `TINYCI_UNSUPPORTED` if the builds
 *         belong to another repository; `TINYCI_CANCELED`; `TINYCI_IO` if the builds cannot be
 *         listed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_compact(const tinyci_engine *engine,
                           size_t keep,
                           const char *keep_builds,
                           const tinyci_cancel *cancel,
                           char **report,
                           tinyci_error **err);

/**
 * Deletes a commit's verdict, so that it is pending again. Its records stay.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` if it had no verdict; `TINYCI_NOT_FOUND` if there is no such
 *         commit; `TINYCI_GIT` if the notes cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_forget(const tinyci_engine *engine, const char *revision, tinyci_error **err);

/**
 * Cancels the job of a commit, or a whole run, in any process, and waits until it has ended. If
 * you call it again, it kills. It never ends a deployment.
 *
 * A canceled job leaves its commit without a verdict and out of attempts: only a retry tests it
 * again. If you cancel a whole run, its commits are pending again. Exception: if only one job is
 * in progress, it is treated as if you had named its commit.
 *
 * If your program reads the events of that run, it must keep calling `tinyci_run_next` during this
 * call. Call this function in another thread, or with `wait_ms` 0.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax; NULL for the whole run.
 * @param reason    The reason, for the record; NULL for none.
 * @param name      The name of the person who acts; NULL for the person in git's configuration,
 *                  else the account.
 * @param address   The person's email address; NULL if `name` is NULL.
 * @param flags     A sum of `TINYCI_JOB_CANCEL_*`.
 * @param wait_ms   How long to wait for the end, in milliseconds; 0 does not wait, -1 waits
 *                  without a limit.
 * @param cancel    A token that stops waiting from another thread; NULL for none.
 * @param report    Where to store the report, the output of `tinyci cancel --json`, or NULL; free
 *                  it with `tinyci_string_free`. A job that ended before it was canceled has its
 *                  own `outcome`; a job that has not ended yet has none.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit, or no such job or run is in
 *         progress; `TINYCI_BUSY` if the run does not respond; `TINYCI_CANCELED` if the wait was
 *         stopped; `TINYCI_IO` if this account has no permission; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_job_cancel(const tinyci_engine *engine,
                              const char *revision,
                              const char *reason,
                              const char *name,
                              const char *address,
                              uint32_t flags,
                              int64_t wait_ms,
                              const tinyci_cancel *cancel,
                              char **report,
                              tinyci_error **err);

/**
 * Gives a commit the verdict `skipped`, so that it is not tested. If a job of the commit is in
 * progress, it is canceled first.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param reason    The reason, for the record; NULL for none.
 * @param name      The name of the person who acts; NULL for the person in git's configuration,
 *                  else the account.
 * @param address   The person's email address; NULL if `name` is NULL.
 * @param cancel    A token that stops waiting for a job from another thread; NULL for none.
 * @param record    Where to store the record, the output of `tinyci skip --json`, or NULL; free it
 *                  with `tinyci_string_free`.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` for a
 *         commit that has a verdict, which `tinyci_forget` deletes; `TINYCI_GIT` if the notes
 *         cannot be written. If a job is in progress, also the errors of `tinyci_job_cancel`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_skip(const tinyci_engine *engine,
                        const char *revision,
                        const char *reason,
                        const char *name,
                        const char *address,
                        const tinyci_cancel *cancel,
                        char **record,
                        tinyci_error **err);

/**
 * Deletes old builds. Builds in use by a run stay, and so do protected ones: builds that are
 * deployed, were deployed before, would be deployed next or await approval, and those that a link
 * in a directory of `tinyci.pin` points into. Verdicts and records stay. If a build cannot be
 * removed, the call continues with the next one.
 *
 * A build is removed if one of the rules selects it. Without any rule, the repository's settings
 * apply: `tinyci.pruneKeep`, `tinyci.pruneMaxAge` and `tinyci.pruneMaxSize`.
 *
 * @param engine      The engine.
 * @param keep        Remove all but this number of builds, those that ran last; -1 for no such
 *                    rule.
 * @param max_age_ms  Remove builds that last ran more than this number of milliseconds ago; -1 for
 *                    no such rule.
 * @param max_bytes   Remove the oldest builds until the rest uses at most this number of bytes; -1
 *                    for no such rule.
 * @param flags       A sum of `TINYCI_PRUNE_*`.
 * @param cancel      A token that stops the call from another thread; NULL for none.
 * @param report      Where to store the report, the output of `tinyci prune --json`, or NULL; free
 *                    it with `tinyci_string_free`. Its `not_removed` lists the builds that could
 *                    not be removed.
 * @param err         Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if there was nothing to remove or some builds could not be removed;
 *         `TINYCI_INVALID_ARG` if neither the call nor the settings have a rule; `TINYCI_BUSY` if
 *         another call is packing or removing builds; `TINYCI_UNSUPPORTED` if the builds belong to
 *         another repository; `TINYCI_CANCELED`; `TINYCI_IO` if the builds cannot be listed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_prune(const tinyci_engine *engine,
                         int64_t keep,
                         int64_t max_age_ms,
                         int64_t max_bytes,
                         uint32_t flags,
                         const tinyci_cancel *cancel,
                         char **report,
                         tinyci_error **err);

/**
 * Deletes the verdicts and records of all commits, so that all commits above the baseline are
 * pending again. Deployments, approvals, the baseline and fetched results stay.
 *
 * Each run restores refs of tinyci that others deleted. This call also gives up those, including
 * deployments.
 *
 * @param engine  The engine.
 * @param report  Where to store the report, the output of `tinyci results --forget-all --json`, or
 *                NULL; free it with `tinyci_string_free`.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if there was nothing to delete; `TINYCI_GIT` if the refs cannot be
 *         removed; `TINYCI_IO` if the repository's state cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_forget_all(const tinyci_engine *engine, char **report, tinyci_error **err);

/**
 * Configures git in this repository: `git fetch` then also fetches a remote's verdicts, records
 * and deployments, and `git log` shows the verdicts.
 *
 * @param engine   The engine.
 * @param remote   The name of the remote; NULL for `origin`.
 * @param changes  Where to store the new lines of the configuration, or NULL; free them with
 *                 `tinyci_string_free`.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if it was already configured; `TINYCI_NOT_FOUND` if there is no such
 *         remote; `TINYCI_GIT` if the configuration cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_setup_remote(const tinyci_engine *engine,
                                const char *remote,
                                char **changes,
                                tinyci_error **err);

/**
 * Removes the lines that `tinyci_setup_remote` added. Fetched results stay.
 *
 * @param engine   The engine.
 * @param remote   The name of the remote, which may no longer exist; NULL for `origin`.
 * @param changes  Where to store the removed lines, or NULL; free them with `tinyci_string_free`.
 * @param err      Where to store the error, or NULL.
 * @return `TINYCI_OK`, also if there was nothing to remove; `TINYCI_NOT_FOUND` if there was
 *         nothing to remove and there is no such remote; `TINYCI_GIT` if the configuration cannot
 *         be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_undo_setup_remote(const tinyci_engine *engine,
                                     const char *remote,
                                     char **changes,
                                     tinyci_error **err);

/**
 * Merges the verdicts and records that were last fetched from a remote. All records are kept. If
 * two verdicts differ, the run that finished last wins.
 *
 * @param engine  The engine.
 * @param remote  The name of the remote; NULL for `origin`.
 * @param err     Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` if there was nothing new; `TINYCI_NOT_FOUND` if there is no
 *         such remote or nothing was fetched from it; `TINYCI_GIT` if notes cannot be read or
 *         written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_merge_results(const tinyci_engine *engine,
                                 const char *remote,
                                 tinyci_error **err);

/**
 * Lists the files that a job kept with `artifact`: the output of `tinyci artifacts --json`. If the
 * build was removed, the record still lists its files, and `place` says that they no longer exist.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param job_id    The job id; NULL for the newest job of the commit that kept files.
 * @param paths     Paths of files or directories, and globs, one per line; NULL for all files.
 * @param out       Where to store the JSON, one line without a newline; free it with
 *                  `tinyci_string_free`. NULL on an error.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit, the commit or job kept no
 *         files, or a path matches none; `TINYCI_INVALID_ARG` for an invalid path; `TINYCI_GIT` if
 *         the records cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_artifacts_json(const tinyci_engine *engine,
                                  const char *revision,
                                  const char *job_id,
                                  const char *paths,
                                  char **out,
                                  tinyci_error **err);

/**
 * Copies files that a job kept to a directory, also from a packed build. Each file is checked
 * against the record, and written completely or not at all. Nothing is written outside the
 * directory.
 *
 * @param engine    The engine.
 * @param revision  The commit, in any git revision syntax.
 * @param job_id    The job id; NULL for the newest job of the commit that kept files.
 * @param paths     Paths of files or directories, and globs, one per line; NULL for all files.
 * @param dir       The directory, which is created if it does not exist.
 * @param flags     0 or `TINYCI_ARTIFACTS_FORCE`.
 * @param cancel    A token that stops the call from another thread; NULL for none.
 * @param report    Where to store the list of copied files, as in `tinyci_artifacts_json`, or
 *                  NULL; free it with `tinyci_string_free`.
 * @param err       Where to store the error, or NULL.
 * @return `TINYCI_OK`; the errors of `tinyci_artifacts_json`; `TINYCI_NOT_FOUND` if the build was
 *         removed; `TINYCI_INVALID_ARG` for a file that exists, and for a record with a path
 *         outside the directory, and then nothing is written; `TINYCI_IO` for a file that cannot
 *         be read or written, or that differs from what the job kept; `TINYCI_CANCELED`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_artifacts_copy(const tinyci_engine *engine,
                                  const char *revision,
                                  const char *job_id,
                                  const char *paths,
                                  const char *dir,
                                  uint32_t flags,
                                  const tinyci_cancel *cancel,
                                  char **report,
                                  tinyci_error **err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TINYCI_H */

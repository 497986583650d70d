/*
 * tinyci: continuous integration as a library. No daemon; state inside the git repository.
 *
 * Written from src/capi/ by a test; include/tinyci.json holds the same as data, and
 * bindings/prototypes.h the prototypes on one line each. Everything that a binding has to know
 * stands in this file.
 *
 * STATUSES AND ERRORS. A function that can fail returns a tinyci_code and takes as its last
 * parameter `tinyci_error **err`. 0 is TINYCI_OK; 1 and 2, TINYCI_DONE and TINYCI_AGAIN, are no
 * errors; every negative number is one, known or not. `err` may be NULL. `*err` need not be
 * initialised: every call stores something there, NULL unless it returns a negative status, and
 * otherwise an error that the caller owns and frees with tinyci_error_free. There is no "last
 * error" elsewhere. An output (`out`) is set to NULL first, and to a result only with TINYCI_OK. A
 * call that fails has changed nothing that is not said.
 *
 * A status says whether tinyci could work. What became of a build is an outcome, and a red build is
 * no error. Only TINYCI_OUTCOME_SUCCESS is green; read an outcome that you do not know as not
 * passed.
 *
 * NULL never crashes. *_free does nothing; a function that returns no status gives 0 or NULL; an
 * optional argument (options, selection, cancel, and where it says so) means the default; every
 * other function that returns a status gives TINYCI_INVALID_ARG. Other pointers have to be good:
 * to an object of that type that was not freed, to a text that ends with NUL, to as many bytes as
 * the length beside it says.
 *
 * OBJECTS are opaque and reached by functions only. What a function stores in `T **out`, or returns
 * from *_new, is owned by the caller and freed with the *_free of its type; what comes as `const T *`
 * belongs to the object it came from, and dies with it. An object keeps alive what it needs: they
 * can be freed in any order and from any thread.
 *
 * TEXT is UTF-8 and ends with NUL; where a length stands beside it, NUL is not needed. Text that is
 * not UTF-8 is refused with TINYCI_INVALID_ARG on the way in. On the way out U+FFFD stands for what
 * is not UTF-8, and for NUL; functions named *_bytes give the bytes as they are. Paths are the
 * system's bytes. `const char *` that is returned belongs to the object it was asked of, or is
 * static; `char **` is owned by the caller and freed with tinyci_string_free. What is passed in is
 * copied, if it is kept.
 *
 * THREADS. An object that a function takes as `const T *` may be used by any number of threads at
 * once. One that it takes as `T *` may be used by no other thread during the call; *_free besides
 * must be the last use. Objects belong to no thread: any may use them, one after the other. Every
 * function says so once more: "Any thread", or "One thread at a time".
 *
 * NOTHING CALLS BACK. No function takes a function, and no code of the host runs inside a call. What
 * a run has to tell or to ask is an event that the host pulls. A call may be made from anywhere but
 * a signal handler, where only tinyci_cancel_trigger is safe.
 *
 * STACK. A call needs at most 32 KiB of the caller's stack: deeper work is done by a thread of the
 * library's while the call waits.
 *
 * FORK. An object belongs to the process that made it. In a forked child it gives
 * TINYCI_WRONG_PROCESS, or 0 or NULL where no status is returned, and *_free leaves it alone: what
 * it holds is the parent's. The child opens an engine of its own. Errors can be read and freed in
 * both, since they are plain data.
 *
 * PANICS. If tinyci itself is at fault, a call gives TINYCI_PANIC, and the object that it was about
 * is failed: each later call gives the same, and all that can be done with it is to free it.
 *
 * THE ENVIRONMENT of the process is read by functions that start or describe a run, during that call
 * and by no thread of the library's afterwards. So a host may call setenv() while a run goes on,
 * between its calls, and commands get what was set when their run was started. What no program may
 * do is to call setenv(), putenv() or unsetenv() in one thread while another is in a call.
 *
 * CHILDREN. A run starts commands and waits for each of them. Meanwhile the host must take nobody
 * else's exit status: no wait(), no waitpid(-1) or waitid(P_ALL), and neither SIG_IGN nor
 * SA_NOCLDWAIT for SIGCHLD. To wait for a child of its own by its number is safe.
 *
 * THE PROCESS is the host's. tinyci sets no signal handler, changes neither directory nor
 * environment, writes neither to stdout nor to stderr (but for the one line with which Rust reports
 * a panic), and never exits. Threads of its own end with the object that they work for.
 *
 * NUMBERS. Durations are milliseconds unless a name says otherwise; 0 does not wait, -1 waits for
 * as long as it takes. Flags are 0 for no and anything else for yes. No bool, enum, struct or
 * function crosses this border: only int32_t, int64_t, uint32_t, uint64_t, size_t, double and
 * pointers. Numbers of statuses, outcomes and kinds are never used again for something else.
 *
 * VERSIONS. Functions and constants are added, never changed, as long as TINYCI_ABI is the same;
 * the shared library is libtinyci.so.<TINYCI_ABI>. Who loads it at run time refuses another
 * tinyci_abi(), and a tinyci_version_number() below the TINYCI_VERSION_NUMBER of the header.
 */

#ifndef TINYCI_H
#define TINYCI_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this header; `tinyci_version()` tells the library's.
 */
#define TINYCI_VERSION "0.1.0"

/**
 * The first number of the version.
 */
#define TINYCI_VERSION_MAJOR 0

/**
 * The second number of the version.
 */
#define TINYCI_VERSION_MINOR 1

/**
 * The third number of the version.
 */
#define TINYCI_VERSION_PATCH 0

/**
 * The version as a number that rises with it: 1.2.3 is 1002003.
 */
#define TINYCI_VERSION_NUMBER 1000


/**
 * A level that stops what it was given to: 1 ends the running command and still runs `after_all`,
 * 2 kills and stops. It never falls, so one token serves any number of calls, each of which stops.
 *
 * Owned by the host. Whatever it was given to holds a reference of its own, so that it can be
 * freed at any time, even before a run that it was given to.
 */
typedef struct tinyci_cancel tinyci_cancel;

/**
 * What git knows of a commit. It belongs to the `tinyci_commits` that it came from, and lives as
 * long as that does.
 */
typedef struct tinyci_commit tinyci_commit;

/**
 * Commits, to be had one by one. Owned by the host.
 */
typedef struct tinyci_commits tinyci_commits;

/**
 * What is to be deployed. Where one is asked for, NULL is the newest green commit of the environment's
 * branch that contains what is deployed.
 *
 * Owned by the host. What it is given to copies it.
 */
typedef struct tinyci_deploy_request tinyci_deploy_request;

/**
 * One repository's continuous integration: finds the commits without a verdict, runs them, and
 * keeps what became of them in git notes.
 *
 * Owned by the host. Runs and whatever else is made of it hold a reference of their own, so that
 * it can be freed at any time. It holds no lock and no open file between calls.
 */
typedef struct tinyci_engine tinyci_engine;

/**
 * Why a call could not do what it was asked to do. Owned by the host, and plain data: it belongs
 * to no other object, and can be read in any thread and in a forked child.
 */
typedef struct tinyci_error tinyci_error;

/**
 * One thing that happened in a run, or that the run asks the host for. It belongs to its run and
 * lives, with all pointers taken from it, until the next `tinyci_run_next` or `tinyci_run_free`.
 */
typedef struct tinyci_event tinyci_event;

/**
 * What is set before an engine is opened: `git config tinyci.*` and more, for one engine.
 *
 * Owned by the host. `tinyci_engine_open` copies it, so it can be changed, used again or freed
 * afterwards. A setter that fails leaves it as it is, and the first failure is remembered:
 * `tinyci_engine_open` reports it, so that nobody has to look at what each setter returns.
 */
typedef struct tinyci_options tinyci_options;

/**
 * What one config says: phases and hooks, in the order of a run. Owned by the host; it belongs to
 * no other object.
 */
typedef struct tinyci_pipeline tinyci_pipeline;

/**
 * What remains of one attempt at one commit. It belongs to the records, or to the event, that it
 * was taken from, and lives as long as they do, with all pointers taken from it.
 */
typedef struct tinyci_record tinyci_record;

/**
 * A list of records. Owned by the host; its records live as long as it does.
 */
typedef struct tinyci_records tinyci_records;

/**
 * Something that a run asks its host for. Owned by the host once it was taken; only the job that
 * asked waits for the answer, as long as its limits and cancels let it.
 *
 * It is answered once, from any thread, now or later. The functions that answer it take it for
 * good, also if they give an error: it must not be used or freed after them.
 *
 * There are three ways not to give what is asked for. `tinyci_request_fail` refuses: the step fails,
 * and so does the commit, for good. `tinyci_request_abort` says that the host itself failed: there is
 * no verdict, and the commit is tried again; an answer that gives `TINYCI_INVALID_ARG` says the same.
 * One that is freed without an answer fails its step, so that nothing turns green by an oversight.
 */
typedef struct tinyci_request tinyci_request;

/**
 * A run, or something else that takes its time, on threads of the library's. Owned by the host,
 * who pulls what happens with `tinyci_run_next`, and must: a run whose events nobody pulls stands
 * still once a few wait.
 *
 * It holds a reference to its engine, selection and token, which can be freed at any time.
 */
typedef struct tinyci_run tinyci_run;

/**
 * Which commits to look at. Where a selection is asked for, NULL is all that is pending.
 *
 * Owned by the host. What it is given to copies it.
 */
typedef struct tinyci_selection tinyci_selection;

/**
 * Names and values for `tinyci_interpolate`. Owned by the host.
 */
typedef struct tinyci_vars tinyci_vars;

/**
 * Whether tinyci could do what it was asked to do: `TINYCI_OK`, `TINYCI_DONE`, `TINYCI_AGAIN`, or
 * a negative error. What became of a build is no status but an outcome.
 *
 * Numbers are never used again for something else. A later version may add errors: every negative
 * number is one.
 */
typedef int32_t tinyci_code;

/**
 * The version of the ABI, which is the N in `libtinyci.so.N`: raised whenever a program that was
 * built against an earlier header would not run any more, and only then.
 */
#define TINYCI_ABI 1

/**
 * It is done; what was asked for is there.
 */
#define TINYCI_OK 0

/**
 * There is nothing more to come. Not an error.
 */
#define TINYCI_DONE 1

/**
 * Nothing has come within the time given. Not an error: ask again.
 */
#define TINYCI_AGAIN 2

/**
 * An argument cannot be used: NULL, not UTF-8, a bad glob, an empty name, a malformed hook line.
 */
#define TINYCI_INVALID_ARG (-1)

/**
 * A revision, ref, build or file that was named does not exist.
 */
#define TINYCI_NOT_FOUND (-2)

/**
 * The path is not a git repository, or not one that can be read.
 */
#define TINYCI_NOT_A_REPO (-3)

/**
 * A pipeline config is not valid.
 */
#define TINYCI_CONFIG (-4)

/**
 * A pipeline script is not valid, or failed.
 */
#define TINYCI_SCRIPT (-5)

/**
 * A tag (`<%= name %>`) cannot be filled in.
 */
#define TINYCI_INTERPOLATE (-6)

/**
 * git's own data could not be read or written.
 */
#define TINYCI_GIT (-7)

/**
 * The file system refused.
 */
#define TINYCI_IO (-8)

/**
 * A command or a thread could not be started.
 */
#define TINYCI_SPAWN (-9)

/**
 * A child's exit status was taken by somebody else in this process.
 */
#define TINYCI_CHILD_LOST (-10)

/**
 * The work was canceled before it could begin.
 */
#define TINYCI_CANCELED (-11)

/**
 * The host refused a request, or did not answer it.
 */
#define TINYCI_HOST_ABORT (-12)

/**
 * Another process or thread is running in this repository; it will look again before it ends.
 */
#define TINYCI_BUSY (-13)

/**
 * Something that tinyci does not do, named in the message with what asks for it.
 */
#define TINYCI_UNSUPPORTED (-14)

/**
 * The handle was made by another process: this one was forked from it.
 */
#define TINYCI_WRONG_PROCESS (-15)

/**
 * tinyci itself is at fault. The handle that was used is failed for ever: only free it.
 */
#define TINYCI_PANIC (-16)

/**
 * The host aborted a request, since its own machinery failed.
 */
#define TINYCI_HOST_FAULT (-17)

/**
 * A newer version of tinyci wrote the repository's state, or what was read, in a form that this
 * version must not read or change; the message says which version it needs.
 */
#define TINYCI_NEWER_FORMAT (-18)

/**
 * The function computes or looks something up: a plan calls it.
 */
#define TINYCI_EFFECT_PURE 1

/**
 * The function directs the script: a plan calls it.
 */
#define TINYCI_EFFECT_CONTROL 2

/**
 * The function acts: a plan lists the call and does not make it.
 */
#define TINYCI_EFFECT_EXTERNAL 3

/**
 * The host answers for secrets.
 */
#define TINYCI_HANDLER_SECRET 1

/**
 * The host answers for approvals.
 */
#define TINYCI_HANDLER_APPROVAL 2

/**
 * The host runs the commands, instead of the local machine.
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
 * Leave the export for a day.
 */
#define TINYCI_STEPS_KEEP 1

/**
 * Continue with lines as they are written, until the job of the commit is over, or canceled.
 */
#define TINYCI_LOG_FOLLOW 1

/**
 * It is known which commits are due, and in which order. Comes again when more became due.
 */
#define TINYCI_EVENT_PLANNED 1

/**
 * A commit is being worked on.
 */
#define TINYCI_EVENT_JOB_STARTED 2

/**
 * Its tree stands in the export folder.
 */
#define TINYCI_EVENT_EXPORTED 3

/**
 * A phase or hook begins.
 */
#define TINYCI_EVENT_STEP_STARTED 4

/**
 * A command wrote: `tinyci_event_data` has the bytes.
 */
#define TINYCI_EVENT_OUTPUT 5

/**
 * A phase or hook ended: `tinyci_event_outcome` says how.
 */
#define TINYCI_EVENT_STEP_FINISHED 6

/**
 * A commit's attempt is over: `tinyci_event_record` is what remains of it.
 */
#define TINYCI_EVENT_JOB_FINISHED 7

/**
 * The last event of a run: `tinyci_event_outcome` is the worst of its commits, or what its
 * deployment is worth as one: one that waits is no verdict.
 */
#define TINYCI_EVENT_FINISHED 8

/**
 * Something that changes no verdict and should be seen: `tinyci_event_data` has the message.
 */
#define TINYCI_EVENT_WARNING 9

/**
 * The run waits for another process: `tinyci_event_data` has the message.
 */
#define TINYCI_EVENT_WAITING 10

/**
 * A deployment begins, and is on record: `tinyci_event_json` has it as `deployment`.
 */
#define TINYCI_EVENT_DEPLOY_STARTED 11

/**
 * A deployment is over, or waits for a person: `tinyci_event_outcome` says how, and
 * `tinyci_event_json` has it as `deployment`.
 */
#define TINYCI_EVENT_DEPLOY_FINISHED 12

/**
 * Request: a hook that was added with `tinyci_options_add_hook`. Answer with `tinyci_request_ok`,
 * `tinyci_request_skip` or `tinyci_request_fail`; and this and every other request with
 * `tinyci_request_abort` where the host itself failed.
 */
#define TINYCI_EVENT_HOOK 32

/**
 * Request: a script calls a function that was added with `tinyci_options_add_function`. Answer
 * with one of `tinyci_request_return_*`, or with `tinyci_request_fail`.
 */
#define TINYCI_EVENT_FUNCTION 33

/**
 * Request: the value of a secret. Answer with `tinyci_request_return_string` or
 * `tinyci_request_return_bytes`; with `tinyci_request_return_null`, which has the folder of
 * `tinyci.secretsDir` looked into; or with `tinyci_request_fail`.
 */
#define TINYCI_EVENT_SECRET 34

/**
 * Request: whether a deployment may go on, which nobody approved of in the repository. Answer with
 * `tinyci_request_return_string`, saying who approves, or `tinyci_request_ok`; with
 * `tinyci_request_return_null`, so that it waits; or with `tinyci_request_fail`.
 */
#define TINYCI_EVENT_APPROVAL 35

/**
 * Request: a command to run. Answer with `tinyci_request_command_output` as it writes, and with
 * `tinyci_request_command_finish` or `tinyci_request_fail` at the end.
 */
#define TINYCI_EVENT_COMMAND 36

/**
 * Standard output, or both streams where they are merged.
 */
#define TINYCI_STREAM_STDOUT 1

/**
 * Standard error, where it is kept apart.
 */
#define TINYCI_STREAM_STDERR 2

/**
 * Nothing: `()` in a script, `null` in JSON.
 */
#define TINYCI_VALUE_NULL 1

/**
 * `true` or `false`.
 */
#define TINYCI_VALUE_BOOL 2

/**
 * A whole number of 64 bits.
 */
#define TINYCI_VALUE_INT 3

/**
 * A number with a fraction.
 */
#define TINYCI_VALUE_FLOAT 4

/**
 * A text.
 */
#define TINYCI_VALUE_STRING 5

/**
 * An array, to be read as JSON.
 */
#define TINYCI_VALUE_ARRAY 6

/**
 * An object map, to be read as JSON.
 */
#define TINYCI_VALUE_MAP 7

/**
 * Everything that had to pass did: the only outcome that is green.
 */
#define TINYCI_OUTCOME_SUCCESS 1

/**
 * A command of the commit failed, or its config is not valid.
 */
#define TINYCI_OUTCOME_FAILURE 2

/**
 * A time limit passed. Recorded as a failure.
 */
#define TINYCI_OUTCOME_TIMED_OUT 3

/**
 * The pipeline said that there is nothing to do. Settled, but never green.
 */
#define TINYCI_OUTCOME_SKIPPED 4

/**
 * The machinery failed, not the commit. Nothing is settled.
 */
#define TINYCI_OUTCOME_ERROR 5

/**
 * Somebody canceled the run. Nothing is settled.
 */
#define TINYCI_OUTCOME_CANCELED 6

/**
 * Of a deployment only: it did nothing, because a person has to approve first.
 */
#define TINYCI_OUTCOME_AWAITING_APPROVAL 7

/**
 * Of a deployment only: it is under way.
 */
#define TINYCI_OUTCOME_RUNNING 8

/**
 * Of a deployment only: it began, and nobody saw it end. What runs there has to be looked at.
 */
#define TINYCI_OUTCOME_INTERRUPTED 9

/**
 * Of an environment's history only: it was retired, and nothing runs there any more.
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
 * A file of definitions, `.d.rhai`, for the language server of Rhai.
 */
#define TINYCI_DEFINITIONS_RHAI 3

/**
 * Find out which lines of the script no test runs.
 */
#define TINYCI_TEST_COVERAGE 1

/**
 * Every attempt of a commit, not only the one that its verdict rests on.
 */
#define TINYCI_RESULTS_ALL_ATTEMPTS 1

/**
 * Have pushes to the refs that hold verdicts refused (`receive.hideRefs`).
 */
#define TINYCI_INSTALL_HIDE_REFS 1

/**
 * Install even into a folder that other repositories use too (`core.hooksPath`).
 */
#define TINYCI_INSTALL_SHARED_HOOKS 2

/**
 * Take the builds in `tinyci.buildsDir` over from a repository that is gone.
 */
#define TINYCI_INSTALL_ADOPT_BUILDS 4

/**
 * Kill commands at once, without a grace period and without `after_all`.
 */
#define TINYCI_JOB_CANCEL_KILL 1

/**
 * Remove nothing, and tell what would go.
 */
#define TINYCI_PRUNE_DRY_RUN 1

/**
 * Replace files that exist.
 */
#define TINYCI_ARTIFACTS_FORCE 1

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, such as `0.1.0`. The header's own is `TINYCI_VERSION`.
 *
 * @return The version. Static: do not free it.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_version(void);

/**
 * The version of the library as a number that rises with it: 1.2.3 is 1002003. The header's own
 * is `TINYCI_VERSION_NUMBER`; a library that is older than the header may lack functions.
 *
 * @return The number.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_version_number(void);

/**
 * The version of the library's ABI. A program must not use a library whose ABI is not the
 * `TINYCI_ABI` of the header it was written for.
 *
 * @return The number.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_abi(void);

/**
 * Whether the library was built with a feature.
 *
 * @param name  The feature, or NULL: `rhai` for pipelines that are scripts.
 * @return 1 for yes; 0 for no, for a name that the library does not know, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_has_feature(const char *name);

/**
 * The name of a status in small letters, such as `not_found`, for logs.
 *
 * @param status  Any status.
 * @return The name, or NULL for a number that this version does not know. Static: do not free it.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_code_name(tinyci_code status);

/**
 * What kind of error it is: what the call returned.
 *
 * @param error  The error, or NULL.
 * @return A negative status; `TINYCI_OK` for NULL.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_error_code(const tinyci_error *error);

/**
 * The whole of it for a person: file, line and column as far as they are known, what went wrong,
 * and the causes, joined by `: `. An error in a script has the lines that show its place below.
 *
 * @param error  The error, or NULL.
 * @return The text, which lives as long as the error; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_error_message(const tinyci_error *error);

/**
 * One of the causes, which the message ends with.
 *
 * @param error  The error, or NULL.
 * @param depth  0 for the nearest cause, then further down.
 * @return The text, which lives as long as the error; NULL where there is none at that depth.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_error_cause(const tinyci_error *error, size_t depth);

/**
 * The file or repository that the error met.
 *
 * @param error  The error, or NULL.
 * @return The path, which lives as long as the error; NULL where no file was met.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_error_file(const tinyci_error *error);

/**
 * The line of the config, script or template that the error met.
 *
 * @param error  The error, or NULL.
 * @return The line, from 1; 0 where there is no position.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_error_line(const tinyci_error *error);

/**
 * The column in that line.
 *
 * @param error  The error, or NULL.
 * @return The column in characters, from 1; 0 where there is no position.
 *
 * Any thread. Since 0.1.0.
 */
uint32_t tinyci_error_column(const tinyci_error *error);

/**
 * The number that the host gave when it failed a request, where that is what went wrong.
 *
 * @param error  The error, or NULL.
 * @return The number; 0 where there is none.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_error_host_code(const tinyci_error *error);

/**
 * Frees an error.
 *
 * @param error  The error, which is gone then with all its texts, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_error_free(tinyci_error *error);

/**
 * Frees a text that a function stored in a `char **`.
 *
 * @param string  The text, which is gone then, or NULL. Texts that were returned as `const char *`
 *                belong to the object they came from: do not free them.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_string_free(char *string);

/**
 * Makes options that set nothing.
 *
 * @return The options, to be freed with `tinyci_options_free`; NULL only where memory is short.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_options *tinyci_options_new(void);

/**
 * Adds a pattern of the refs whose commits are run. Without any, `tinyci.refs` holds, else all
 * branches.
 *
 * @param options  The options.
 * @param glob     A full ref name; `*` stands for any letters, slashes included. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`. Whether the pattern can be used,
 *         `tinyci_engine_open` tells.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_add_ref(tinyci_options *options, const char *glob, tinyci_error **err);

/**
 * Sets how many commits are worked on at once. Without it, `tinyci.jobs` holds, else 1.
 *
 * @param options  The options.
 * @param jobs     The number, from 1.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_jobs(tinyci_options *options, uint32_t jobs, tinyci_error **err);

/**
 * Sets how long one commit may take, `after_all` not counted. Without it, `tinyci.jobTimeout` holds,
 * else there is no limit.
 *
 * @param options     The options.
 * @param timeout_ms  The limit in milliseconds, above 0.
 * @param err         Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_job_timeout_ms(tinyci_options *options,
                                              int64_t timeout_ms,
                                              tinyci_error **err);

/**
 * Sets where build folders stand. Without it, `tinyci.buildsDir` holds, else `builds`.
 *
 * @param options     The options.
 * @param builds_dir  The folder, below the repository's unless absolute. Copied.
 * @param err         Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_builds_dir(tinyci_options *options,
                                          const char *builds_dir,
                                          tinyci_error **err);

/**
 * Sets how many bytes of one build's output its log keeps, beside the last 64 KiB. Without it,
 * `tinyci.logLimit` holds, else 128 MiB.
 *
 * @param options       The options.
 * @param log_limit  The number of bytes, above 0.
 * @param err           Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_log_limit(tinyci_options *options,
                                         uint64_t log_limit,
                                         tinyci_error **err);

/**
 * Sets what `git config tinyci.<key> <value>` would, for this engine only. Of a key with many
 * values, such as `refs`, each call adds one, and those of the repository do not hold.
 *
 * @param options  The options.
 * @param key      Any of the keys, in any case: `grace`, `commandTimeout`, `attempts`, ...
 * @param value    The value, as it would stand in git's configuration. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_setting(tinyci_options *options,
                                       const char *key,
                                       const char *value,
                                       tinyci_error **err);

/**
 * Sets a variable in the environment of every command, or takes one out of it.
 *
 * Of the host's own environment, as it was when the run was started, commands get `PATH`, `HOME`,
 * `USER`, `LOGNAME`, `SHELL`, `TMPDIR`, `TZ`, `LANG`, `LANGUAGE` and `LC_*`, and more where the
 * setting `env` says so: `tinyci_options_set_setting` with `env` and `*` passes all but `GIT_*`,
 * `TINYCI_*` and output directories such as `CARGO_TARGET_DIR`, with `+NAME` one more.
 *
 * @param options  The options.
 * @param name     The variable's name. Copied.
 * @param value    Its value, which is copied; NULL takes the host's own out.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_env(tinyci_options *options,
                                   const char *name,
                                   const char *value,
                                   tinyci_error **err);

/**
 * Sets a variable that every command can use in a tag.
 *
 * @param options  The options.
 * @param name     Its name: `a`-`z`, digits and `_`, and none of tinyci's own. Copied.
 * @param value    Its value: any text. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_var(tinyci_options *options,
                                   const char *name,
                                   const char *value,
                                   tinyci_error **err);

/**
 * Says who acts through the engine: who deploys, approves, unlocks, cancels and skips. Without it,
 * that is whom git's configuration names; `tinyci_deploy_request_set_by` says it of one deployment.
 *
 * It is the host's word: records keep it beside the account that the host runs as.
 *
 * @param options  The options.
 * @param name     The person's name. Copied.
 * @param address  The person's mail address. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_by(tinyci_options *options,
                                  const char *name,
                                  const char *address,
                                  tinyci_error **err);

/**
 * Asks for a request at a point of every run, before the config's own hook of that name: an event
 * of kind `TINYCI_EVENT_HOOK`, which the host answers.
 *
 * @param options  The options.
 * @param point    `before_build`, `after_build_success`, `after_build_failure`, `after_build`,
 *                 `before_test`, `after_test_success`, `after_test_failure`, `after_test` or
 *                 `after_all`.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_add_hook(tinyci_options *options,
                                    const char *point,
                                    tinyci_error **err);

/**
 * Lends a function to scripts: a call of it is an event of kind `TINYCI_EVENT_FUNCTION`, which the
 * host answers.
 *
 * @param options   The options.
 * @param name      `name` or `module::name`, of `a`-`z`, digits and `_`. Copied.
 * @param min_args  How many arguments it takes at least.
 * @param max_args  How many it takes at most: 8 or fewer.
 * @param effect    One of `TINYCI_EFFECT_*`: what calling it does to the world.
 * @param doc       A sentence for the reference of the script language; NULL for none. Copied.
 * @param err       Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`. Whether the name is one that scripts have already,
 *         `tinyci_engine_open` tells.
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
 * Says what else the host answers for. Without it, nothing: secrets come from files, approvals
 * from the repository, and commands run on this machine.
 *
 * @param options  The options.
 * @param mask     A sum of `TINYCI_HANDLER_*`, in the place of an earlier one.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for a bit that means nothing.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_options_set_handlers(tinyci_options *options,
                                        uint32_t mask,
                                        tinyci_error **err);

/**
 * Frees options. Engines that were opened with them keep what they copied.
 *
 * @param options  The options, which are gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_options_free(tinyci_options *options);

/**
 * Opens exactly this repository: a bare one, the top of a work tree, or a `.git` folder.
 *
 * @param path     The repository's path. A relative one is made absolute by this call: the engine
 *                 stays that repository's wherever the process goes, and all that is made of it.
 *                 The repository's settings are read now, and hold for this engine from here on.
 * @param options  What to set, which is copied; NULL for nothing.
 * @param out      Where the engine is stored, to be freed with `tinyci_engine_free`; NULL on an
 *                 error.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_A_REPO`; `TINYCI_UNSUPPORTED` for SHA-256 and reftable
 *         repositories; `TINYCI_INVALID_ARG` for the first mistake made in the options, or one in
 *         the repository's own settings.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_engine_open(const char *path,
                               const tinyci_options *options,
                               tinyci_engine **out,
                               tinyci_error **err);

/**
 * Opens the repository that a directory is in: the nearest one at the directory or above it.
 *
 * @param path     The directory. A relative path is made absolute by this call. Scripts that are
 *                 not committed import from this directory.
 * @param options  What to set, which is copied; NULL for nothing.
 * @param out      Where the engine is stored, to be freed with `tinyci_engine_free`; NULL on an
 *                 error.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_engine_open`; `TINYCI_NOT_A_REPO` if neither the directory nor one above it is
 *         a repository.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_engine_discover(const char *path,
                                   const tinyci_options *options,
                                   tinyci_engine **out,
                                   tinyci_error **err);

/**
 * The folder that holds `builds/`: the bare repository, or the top of the main work tree.
 *
 * @param engine  The engine, or NULL.
 * @return The path, which lives as long as the engine; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_engine_path(const tinyci_engine *engine);

/**
 * Returns whether the repository is bare: one without a working tree.
 *
 * @param engine  The engine, or NULL.
 * @return 1 if it is bare, 0 if it is not and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_engine_is_bare(const tinyci_engine *engine);

/**
 * Gives the warnings about a repository, for a person to read: settings that tinyci does not know,
 * a repository that was moved, a path that placeholders cannot put into a command, and a directory
 * of builds that belongs to another repository.
 *
 * @param engine  The engine.
 * @param out     Where the warnings are stored, each a line with its end, to be freed with
 *                `tinyci_string_free`; the text is empty without warnings, NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, with and without warnings.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_engine_warnings(const tinyci_engine *engine, char **out, tinyci_error **err);

/**
 * Returns the URL that pushes to a remote go to, as git's configuration has it.
 *
 * @param engine  The engine.
 * @param remote  The remote's name; NULL for `origin`.
 * @param out     Where the URL is stored, to be freed with `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if the repository has no such remote.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_remote_url(const tinyci_engine *engine,
                              const char *remote,
                              char **out,
                              tinyci_error **err);

/**
 * Frees an engine. What was made of it goes on.
 *
 * @param engine  The engine, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_engine_free(tinyci_engine *engine);

/**
 * Makes a selection of all that is pending.
 *
 * @return The selection, to be freed with `tinyci_selection_free`; NULL only where memory is short.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_selection *tinyci_selection_new(void);

/**
 * Adds one commit. What is named is due whatever refs and baseline say.
 *
 * @param selection  The selection.
 * @param revision   The commit, in any of git's revision syntax: `HEAD`, `main~3`, a tag, a short
 *                   id. Copied; looked up when the selection is used.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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
 * @param range      The range in git's syntax, such as `v1.0..main`. Copied; looked up when the
 *                   selection is used.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_range(tinyci_selection *selection,
                                       const char *range,
                                       tinyci_error **err);

/**
 * Adds a ref that was pushed: one line of what git tells a `post-receive` hook, in three parts.
 *
 * @param selection  The selection.
 * @param old_id     The full id that the ref had; forty zeros for a new ref.
 * @param new_id     The full id that it has now; forty zeros for a deleted one.
 * @param ref_name   The ref's full name, in any encoding.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_update(tinyci_selection *selection,
                                        const char *old_id,
                                        const char *new_id,
                                        const char *ref_name,
                                        tinyci_error **err);

/**
 * Adds what a `post-receive` hook reads on its standard input: lines of `old new ref`. The pushed
 * refs say whose verdicts the caller waits for; the run covers all selected refs.
 *
 * @param selection  The selection.
 * @param text       The lines. Copied.
 * @param len        Their length in bytes.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` with the number of the line that is not of that
 *         form; nothing is added then.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_hook_lines(tinyci_selection *selection,
                                            const char *text,
                                            size_t len,
                                            tinyci_error **err);

/**
 * Adds what was said with the push: `git push -o OPTION`, which git tells a `post-receive` hook in
 * `GIT_PUSH_OPTION_*`. `ci.skip` gives the commits that the push brought the verdict `skipped`, as
 * far as they have none and no job of theirs has begun.
 *
 * @param selection  The selection.
 * @param option     The option. Copied. One that tinyci does not know means nothing.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_add_push_option(tinyci_selection *selection,
                                             const char *option,
                                             tinyci_error **err);

/**
 * Sets what a call does that meets another run in the same repository.
 *
 * @param selection  The selection.
 * @param wait_ms    0 gives `TINYCI_BUSY` at once, which is how a selection begins; the other run
 *                   looks again before it ends, so nothing is missed. Above 0, the call follows
 *                   the other run for so many milliseconds at most, or until the selected commits
 *                   have a verdict; -1 for as long as that takes.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` below -1.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_wait_ms(tinyci_selection *selection,
                                         int64_t wait_ms,
                                         tinyci_error **err);

/**
 * Says whether commits that are named run again though they have a verdict, and any that are out
 * of attempts.
 *
 * @param selection  The selection.
 * @param retry      0 for no, which is how a selection begins; anything else for yes.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_retry(tinyci_selection *selection,
                                       int32_t retry,
                                       tinyci_error **err);

/**
 * Lets a retry make the build anew of a commit that is deployed, in the place of what an environment
 * runs. Without it such a retry is refused.
 *
 * @param selection     The selection.
 * @param replace_live  0 for no, which is how a selection begins; anything else for yes.
 * @param err           Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_replace_live(tinyci_selection *selection,
                                              int32_t replace_live,
                                              tinyci_error **err);

/**
 * Says whether to look under the baseline too, which holds what was there before tinyci.
 *
 * @param selection    The selection.
 * @param all_history  0 for no, which is how a selection begins; anything else for yes.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_all_history(tinyci_selection *selection,
                                             int32_t all_history,
                                             tinyci_error **err);

/**
 * Judges every selected commit by this pipeline instead of its own config. What becomes of a
 * commit is its verdict as any other is.
 *
 * @param selection  The selection.
 * @param pipeline   The pipeline. Copied.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`, for NULL too: nothing is to be run by the wrong
 *         pipeline because another one could not be read.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_selection_set_pipeline(tinyci_selection *selection,
                                          const tinyci_pipeline *pipeline,
                                          tinyci_error **err);

/**
 * Assumes the output of a command: plans of named commits use it if a script asks for the output of
 * a command, since plans run nothing. Only `tinyci_plan_json` reads it.
 *
 * @param selection  The selection.
 * @param command    A glob over the command, as one line, such as `git describe*`; the first that
 *                   matches applies. Copied.
 * @param output     The output that the command is assumed to write. Copied.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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
 * @param selection  The selection, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_selection_free(tinyci_selection *selection);

/**
 * Finds the commits that are due, oldest first. Nothing is run.
 *
 * @param engine     The engine.
 * @param selection  Which commits to look at; NULL for all that is pending.
 * @param out        Where the commits are stored, to be freed with `tinyci_commits_free`; NULL on
 *                   an error.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` where
 *         the repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pending_commits(const tinyci_engine *engine,
                                   const tinyci_selection *selection,
                                   tinyci_commits **out,
                                   tinyci_error **err);

/**
 * Finds the commit that a revision names.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param out     Where the commit's full id is stored, forty hexadecimal digits, to be freed with
 *                `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_resolve(const tinyci_engine *engine,
                           const char *rev,
                           char **out,
                           tinyci_error **err);

/**
 * Reads commits by their revisions, whether they are pending or not.
 *
 * @param engine  The engine.
 * @param revs    The revisions, one a line, in any of git's revision syntax. Many in one call are
 *                far cheaper than a call for each.
 * @param out     Where the commits are stored, in the order of the revisions, to be freed with
 *                `tinyci_commits_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` if the
 *         repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_commits_load(const tinyci_engine *engine,
                                const char *revs,
                                tinyci_commits **out,
                                tinyci_error **err);

/**
 * Gives the next commit.
 *
 * @param commits  The commits.
 * @param out      Where the commit is stored, which belongs to `commits`: do not free it. NULL
 *                 where there is none.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_DONE` when all were given.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_commits_next(tinyci_commits *commits,
                                const tinyci_commit **out,
                                tinyci_error **err);

/**
 * The commit's full id.
 *
 * @param commit  The commit, or NULL.
 * @return Forty hexadecimal digits, which live as long as the commit; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_id(const tinyci_commit *commit);

/**
 * The full id of the commit's tree: two commits with one tree hold the same files.
 *
 * @param commit  The commit, or NULL.
 * @return Forty hexadecimal digits, which live as long as the commit; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_tree(const tinyci_commit *commit);

/**
 * Returns how many parents the commit has.
 *
 * @param commit  The commit, or NULL.
 * @return The number: 0 for a first commit, 2 or more for a merge; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_commit_parent_count(const tinyci_commit *commit);

/**
 * Returns the full id of one of the commit's parents.
 *
 * @param commit  The commit, or NULL.
 * @param index   Which parent, from 0, in git's order.
 * @return Forty hexadecimal digits, which live as long as the commit; NULL if it has no such
 *         parent, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_parent(const tinyci_commit *commit, size_t index);

/**
 * Returns the commit's author.
 *
 * @param commit  The commit, or NULL.
 * @return `Name <address>`, with U+FFFD in place of what is not UTF-8; it lives as long as the
 *         commit. NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_author(const tinyci_commit *commit);

/**
 * Returns the author as git stores it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param len     Where the number of bytes is stored, or NULL.
 * @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_author_bytes(const tinyci_commit *commit, size_t *len);

/**
 * The branch that the commit is judged for, without `refs/heads/`.
 *
 * @param commit  The commit, or NULL.
 * @return The branch, with U+FFFD in place of what is not UTF-8; it lives as long as the commit.
 *         NULL where no branch holds the commit, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_branch(const tinyci_commit *commit);

/**
 * The same as git holds it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param len     Where the number of bytes is stored, or NULL.
 * @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 where
 *         no branch holds the commit, and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_branch_bytes(const tinyci_commit *commit, size_t *len);

/**
 * The first paragraph of the commit's message, on one line.
 *
 * @param commit  The commit, or NULL.
 * @return The text, with U+FFFD in place of what is not UTF-8; it lives as long as the commit.
 *         NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_subject(const tinyci_commit *commit);

/**
 * The same as git holds it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param len     Where the number of bytes is stored, or NULL.
 * @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_subject_bytes(const tinyci_commit *commit, size_t *len);

/**
 * Returns the commit's whole message.
 *
 * @param commit  The commit, or NULL.
 * @return The message, with U+FFFD in place of what is not UTF-8; it lives as long as the commit.
 *         NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_message(const tinyci_commit *commit);

/**
 * Returns the message as git stores it, in any encoding.
 *
 * @param commit  The commit, or NULL.
 * @param len     Where the number of bytes is stored, or NULL.
 * @return The bytes, without a NUL behind them, which live as long as the commit; NULL and 0 for
 *         NULL.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_commit_message_bytes(const tinyci_commit *commit, size_t *len);

/**
 * Returns all of the commit as one line of JSON: `id`, `tree`, `parents`, `time` in seconds since
 * 1970, `author`, `subject`, `message`, and `branch` if it has one.
 *
 * @param commit  The commit, or NULL.
 * @return The JSON, which lives as long as the commit; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_commit_json(const tinyci_commit *commit);

/**
 * The committer's time.
 *
 * @param commit  The commit, or NULL.
 * @return Seconds since 1970 in UTC; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int64_t tinyci_commit_time(const tinyci_commit *commit);

/**
 * Frees commits.
 *
 * @param commits  The commits, which are gone then with every `tinyci_commit` of theirs, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_commits_free(tinyci_commits *commits);

/**
 * Writes a commit's tree to a folder: what `git archive` packs, except that `export-ignore` leaves
 * nothing out.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param dir     The folder, which must not exist or be empty.
 * @param cancel  What can stop it from another thread; NULL for nothing.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit;
 *         `TINYCI_INVALID_ARG` for a folder that is not empty; `TINYCI_GIT` for a tree that cannot
 *         be read or must not be written; `TINYCI_IO` where the folder cannot be made or the disk
 *         is full; `TINYCI_CANCELED`. On an error nothing of it is left behind.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_export_commit(const tinyci_engine *engine,
                                 const char *rev,
                                 const char *dir,
                                 const tinyci_cancel *cancel,
                                 tinyci_error **err);

/**
 * Reads the pipeline that a commit's config asks for.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param out     Where the pipeline is stored, to be freed with `tinyci_pipeline_free`; NULL on an
 *                error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit, and where the
 *         commit has no config; `TINYCI_CONFIG` or `TINYCI_SCRIPT` where it is not valid, with
 *         file, line and column.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pipeline_load(const tinyci_engine *engine,
                                 const char *rev,
                                 tinyci_pipeline **out,
                                 tinyci_error **err);

/**
 * Reads a pipeline from a text that stands in no commit.
 *
 * @param engine  Where a script imports from, and which functions it can call: the engine's path
 *                as it was opened, and the functions of its options. NULL for nowhere and none;
 *                YAML needs neither.
 * @param text    The text, in UTF-8.
 * @param len     Its length in bytes.
 * @param format  One of `TINYCI_FORMAT_*`.
 * @param name    What errors call it, such as `nightly.yml`.
 * @param out     Where the pipeline is stored, to be freed with `tinyci_pipeline_free`; NULL on an
 *                error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CONFIG` or `TINYCI_SCRIPT` where the text is not valid, with file,
 *         line and column; `TINYCI_UNSUPPORTED` for scripts where the library was built without;
 *         `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pipeline_parse(const tinyci_engine *engine,
                                  const char *text,
                                  size_t len,
                                  int32_t format,
                                  const char *name,
                                  tinyci_pipeline **out,
                                  tinyci_error **err);

/**
 * How many phases and hooks the pipeline has.
 *
 * @param pipeline  The pipeline, or NULL.
 * @return The number; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_pipeline_step_count(const tinyci_pipeline *pipeline);

/**
 * The name of one of the phases and hooks, such as `before_build` or `build`.
 *
 * @param pipeline  The pipeline, or NULL.
 * @param index     Which one, from 0, in the order of a run.
 * @return The name, which lives as long as the pipeline; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_pipeline_step_name(const tinyci_pipeline *pipeline, size_t index);

/**
 * Writes a pipeline as a script that does the same: what `tinyci convert` prints.
 *
 * @param pipeline  The pipeline, which was read from YAML.
 * @param out       Where the script is stored, to be freed with `tinyci_string_free`; NULL on an
 *                  error.
 * @param err       Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CONFIG`, with line and column, for a placeholder or a pattern that a
 *         script cannot have; `TINYCI_INVALID_ARG` for a pipeline that is a script.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_pipeline_to_rhai(const tinyci_pipeline *pipeline,
                                    char **out,
                                    tinyci_error **err);

/**
 * Frees a pipeline.
 *
 * @param pipeline  The pipeline, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_pipeline_free(tinyci_pipeline *pipeline);

/**
 * Makes an empty set of variables.
 *
 * @return The set, to be freed with `tinyci_vars_free`; NULL only where memory is short.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_vars *tinyci_vars_new(void);

/**
 * Sets a variable, in the place of an older value.
 *
 * @param vars   The set.
 * @param name   Its name: `a`-`z`, digits and `_`, not beginning with a digit.
 * @param value  Its value: any text. Copied.
 * @param err    Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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
 * @param vars  The set, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_vars_free(tinyci_vars *vars);

/**
 * Fills the tags of a template in: `<%= name %>` becomes the variable's value, `<%%` becomes `<%`.
 *
 * A value goes in only if a shell can take it for no more than a word: nothing is quoted here, and
 * what would have to be is refused.
 *
 * @param tmpl  The template.
 * @param vars  The variables; NULL for none.
 * @param out   Where the text is stored, to be freed with `tinyci_string_free`; NULL on an error.
 * @param err   Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, `TINYCI_INVALID_ARG`, or `TINYCI_INTERPOLATE` with line and column.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_interpolate(const char *tmpl,
                               const tinyci_vars *vars,
                               char **out,
                               tinyci_error **err);

/**
 * Makes a token at level 0.
 *
 * @return The token, to be freed with `tinyci_cancel_free`; NULL only where memory is short.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_cancel *tinyci_cancel_new(void);

/**
 * Makes a token that is canceled when another one is, or on its own: its level is the higher of the
 * two. Triggering it leaves the other one as it is, so that one token can stop all of a host's runs,
 * and each run can still be stopped alone.
 *
 * @param parent  The other token, which can be freed at any time; NULL for none.
 * @return The token, to be freed with `tinyci_cancel_free`; NULL only where memory is short, and in a
 *         forked child.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_cancel *tinyci_cancel_child(const tinyci_cancel *parent);

/**
 * Raises the level by one, up to 2. A token that was made of another one keeps that as it is.
 *
 * @param cancel  The token, or NULL. In a forked child nothing happens.
 *
 * Any thread, and any signal handler: it is async-signal-safe. Since 0.1.0.
 */
void tinyci_cancel_trigger(const tinyci_cancel *cancel);

/**
 * The level now.
 *
 * @param cancel  The token, or NULL.
 * @return 0, 1 or 2; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_cancel_level(const tinyci_cancel *cancel);

/**
 * Frees a token. What it was given to goes on.
 *
 * @param cancel  The token, which is gone then, or NULL. No signal handler may use it any more.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_cancel_free(tinyci_cancel *cancel);

/**
 * Starts a run of the commits that are due. It goes on in threads of the library's, and its events
 * wait to be pulled.
 *
 * @param engine     The engine.
 * @param selection  Which commits; NULL for all that is pending.
 * @param cancel     What stops it from outside, of which it keeps a reference; NULL for nothing.
 * @param out        Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, so that no command's
 *         end could be known: set it to SIG_DFL before. What keeps the run from beginning, such as
 *         `TINYCI_BUSY`, comes out of `tinyci_run_next`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_run_start(const tinyci_engine *engine,
                             const tinyci_selection *selection,
                             const tinyci_cancel *cancel,
                             tinyci_run **out,
                             tinyci_error **err);

/**
 * Starts steps of one commit by hand, in an export of their own, until one fails, as
 * `tinyci run --step` does. Each command comes as OUTPUT before it runs. Conditions leave nothing
 * out. Nothing is recorded: what the steps came to is in the one record of the run alone.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param steps   The names of the steps, one a line, in the order in which they run: phases and
 *                hooks, but not `deploy`.
 * @param flags   0 or `TINYCI_STEPS_KEEP`.
 * @param cancel  What stops it from outside, of which it keeps a reference; NULL for nothing.
 * @param out     Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for other flags; `TINYCI_UNSUPPORTED` if this process
 *         ignores SIGCHLD, as `tinyci_run_start`. What keeps the steps from beginning comes out of
 *         `tinyci_run_next`: `TINYCI_NOT_FOUND` for a revision that names no commit, or one without
 *         a config; `TINYCI_INVALID_ARG` for a step that its config does not have, and for `deploy`;
 *         `TINYCI_IO` if the export cannot be written; `TINYCI_CANCELED`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_steps_start(const tinyci_engine *engine,
                               const char *rev,
                               const char *steps,
                               uint32_t flags,
                               const tinyci_cancel *cancel,
                               tinyci_run **out,
                               tinyci_error **err);

/**
 * Starts following a run of another process or thread: what it writes to the log comes as OUTPUT,
 * until that run ends or the selected commits have a verdict. Runs nothing itself.
 *
 * @param engine     The engine.
 * @param selection  Which commits to wait for; NULL for all that is pending.
 * @param cancel     What stops it from outside, of which it keeps a reference; NULL for nothing.
 * @param out        Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error.
 *                   It has no records.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`. What goes wrong later comes out of `tinyci_run_next`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_follow_start(const tinyci_engine *engine,
                                const tinyci_selection *selection,
                                const tinyci_cancel *cancel,
                                tinyci_run **out,
                                tinyci_error **err);

/**
 * Starts reading a log: its lines come as OUTPUT, each with its line end. Runs nothing.
 *
 * @param engine  The engine.
 * @param rev     The commit whose last job's log is read, in any of git's revision syntax; NULL for
 *                the log of all runs.
 * @param lines   How many of the last lines to begin with; -1 for all.
 * @param flags   0 or `TINYCI_LOG_FOLLOW`.
 * @param cancel  What stops it from outside, of which it keeps a reference; NULL for nothing.
 * @param out     Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error. It
 *                has no records.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for other flags, and for fewer than -1 lines. What goes
 *         wrong later comes out of `tinyci_run_next`: `TINYCI_NOT_FOUND` for a revision that names
 *         no commit, and for a commit without a log; `TINYCI_IO` if the log cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_log_start(const tinyci_engine *engine,
                             const char *rev,
                             int64_t lines,
                             uint32_t flags,
                             const tinyci_cancel *cancel,
                             tinyci_run **out,
                             tinyci_error **err);

/**
 * Waits for the next thing that happens, or that the run asks for.
 *
 * The event before, and every pointer taken from it, is gone then; if it was a request that was
 * not taken, its step fails.
 *
 * @param run         The run.
 * @param timeout_ms  How long to wait: 0 does not wait, -1 waits for ever.
 * @param out         Where the event is stored, which belongs to the run: do not free it; NULL where
 *                    there is none.
 * @param err         Where the error is to be stored, or NULL.
 * @return `TINYCI_OK` with an event; `TINYCI_AGAIN` if none came in that time; `TINYCI_DONE` after
 *         the last; or why the run could not begin, such as `TINYCI_BUSY` or `TINYCI_NOT_FOUND`.
 *         A build that fails is no error.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_next(tinyci_run *run,
                            int32_t timeout_ms,
                            tinyci_event **out,
                            tinyci_error **err);

/**
 * A descriptor for `poll`, `epoll` and event loops, which is readable whenever `tinyci_run_next`
 * would not wait: something happened, or the run has ended.
 *
 * Call `tinyci_run_next` with 0 until it gives `TINYCI_AGAIN`, then poll again. Reading from the
 * descriptor is not needed and does no harm: it gives one byte each time that there is something
 * where there was nothing, and its end once the run has ended.
 *
 * @param run  The run, or NULL.
 * @return The descriptor, which belongs to the run: do not close it, and do not use it after
 *         `tinyci_run_free`. -1 for NULL. It is not inherited by programs that are started.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_run_fd(const tinyci_run *run);

/**
 * Gives the records of a run that is over, in the order in which its commits were finished. A
 * deployment has none.
 *
 * @param run  The run.
 * @param out  Where the list is stored, to be freed with `tinyci_records_free`; NULL on an error.
 * @param err  Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` gave `TINYCI_DONE`; the run's
 *         own error if it could not begin.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_records(tinyci_run *run, tinyci_records **out, tinyci_error **err);

/**
 * Gives the summary of a run that is over as JSON: what `tinyci run --json` prints last. Beside the
 * records it has the commits that were not run, the deployments that followed, and as `fault` why
 * the run had to stop.
 *
 * @param run  The run.
 * @param out  Where the JSON is stored, one line without its end, to be freed with
 *             `tinyci_string_free`; NULL on an error.
 * @param err  Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` gave `TINYCI_DONE`, and for
 *         deployments; the run's own error if it could not begin.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_summary_json(tinyci_run *run, char **out, tinyci_error **err);

/**
 * Gives what became of a deployment that is over: its line of `tinyci deployments --json`, whose
 * `outcome` is `waiting` where a person has to approve first.
 *
 * @param run  The run of `tinyci_deploy_start` or `tinyci_rollback_start`.
 * @param out  Where the JSON is stored, to be freed with `tinyci_string_free`; NULL on an error.
 * @param err  Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also for a deployment that failed; `TINYCI_INVALID_ARG` before
 *         `tinyci_run_next` gave `TINYCI_DONE`, and for other runs; the run's own error if it could
 *         not begin.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_run_deployment_json(tinyci_run *run, char **out, tinyci_error **err);

/**
 * What a deployment came to, once it is over.
 *
 * @param run  The run, or NULL.
 * @return One of the `TINYCI_OUTCOME_*` numbers: `TINYCI_OUTCOME_SUCCESS` where the commit is
 *         deployed, `TINYCI_OUTCOME_AWAITING_APPROVAL` where nothing was done because a person has to approve
 *         first. 0 before its end, if it could not begin, for other runs and for NULL.
 *
 * One thread at a time. Since 0.1.0.
 */
int32_t tinyci_run_deploy_outcome(tinyci_run *run);

/**
 * Frees a run. One that is not over is stopped first, at once and without `after_all`; the token
 * that it was given is left as it is. Requests that were taken and not answered can still be
 * answered, which gives `TINYCI_CANCELED`.
 *
 * It waits for the run's threads and commands to end: for the grace time of commands and 5 seconds
 * more at most.
 *
 * @param run  The run, which is gone then with its last event, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_run_free(tinyci_run *run);

/**
 * Which kind of event it is.
 *
 * @param event  The event, or NULL.
 * @return One of the `TINYCI_EVENT_*` numbers, or one that a later version knows: pass over those
 *         that you do not. From 32 on it is a request. 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_event_kind(const tinyci_event *event);

/**
 * Its place among the events and requests of its run.
 *
 * @param event  The event, or NULL.
 * @return 1 for the first, and so on without gaps; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
uint64_t tinyci_event_sequence(const tinyci_event *event);

/**
 * When it happened.
 *
 * @param event  The event, or NULL.
 * @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
uint64_t tinyci_event_time_ms(const tinyci_event *event);

/**
 * The commit that it is about.
 *
 * @param event  The event, or NULL.
 * @return The full id in hexadecimal digits, which lives as long as the event; NULL where the event
 *         is about none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_commit(const tinyci_event *event);

/**
 * The attempt at that commit: what its record and JSON call `run`. Where several jobs work at
 * once it tells their events apart.
 *
 * @param event  The event, or NULL.
 * @return The name of the attempt, which lives as long as the event; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_job_id(const tinyci_event *event);

/**
 * The phase or hook that it belongs to.
 *
 * @param event  The event, or NULL.
 * @return Its name, such as `build` or `after_test`, which lives as long as the event; NULL where
 *         the event belongs to none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_step(const tinyci_event *event);

/**
 * The branch of a script's `parallel`, or its group, that it comes from.
 *
 * @param event  The event, or NULL.
 * @return The label, which lives as long as the event; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_label(const tinyci_event *event);

/**
 * The bytes of an OUTPUT, as the command wrote them: whole lines where it writes lines, at most
 * 64 KiB, any bytes. The message of a WARNING or WAITING, in UTF-8.
 *
 * @param event   The event, or NULL.
 * @param length  Where the number of bytes is stored, or NULL.
 * @return The bytes, which live as long as the event; NULL, and length 0, where the kind has none.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_event_data(const tinyci_event *event, size_t *length);

/**
 * The stream that an OUTPUT came from.
 *
 * @param event  The event, or NULL.
 * @return `TINYCI_STREAM_STDOUT` or `TINYCI_STREAM_STDERR`; 0 for other kinds and NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_event_stream(const tinyci_event *event);

/**
 * The outcome of a STEP_FINISHED, of a JOB_FINISHED, of a DEPLOY_FINISHED, or of FINISHED, the
 * worst of all; of a HOOK what is known of the commit so far.
 *
 * @param event  The event, or NULL.
 * @return One of the `TINYCI_OUTCOME_*` numbers; 0 for other kinds and NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_event_outcome(const tinyci_event *event);

/**
 * The record of a JOB_FINISHED.
 *
 * @param event  The event, or NULL.
 * @return The record, which lives as long as the event; NULL for other kinds.
 *
 * Any thread. Since 0.1.0.
 */
const tinyci_record *tinyci_event_record(const tinyci_event *event);

/**
 * What the log has for this event, without the time in front. A terminal that shows these lines
 * and the data of every OUTPUT shows what `tinyci run` shows.
 *
 * @param event  The event, or NULL.
 * @return Lines that all end with a newline, which live as long as the event; NULL where there are
 *         none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_log_lines(const tinyci_event *event);

/**
 * All of it, as the line of JSON that `tinyci run --json` prints; a request has `name` and
 * `arguments`, or `command`, or `environment` and `question`, beside what every event has.
 *
 * @param event  The event, or NULL.
 * @return The JSON, which lives as long as the event; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_event_json(const tinyci_event *event);

/**
 * Makes the request the host's own, to be answered now or later and from any thread. A request
 * that was not taken by the next `tinyci_run_next` is failed.
 *
 * @param event  The event, or NULL.
 * @return The request, to be answered exactly once, or else to be freed with
 *         `tinyci_request_free`; NULL where the event is no request or it was taken before.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_request *tinyci_event_take_request(const tinyci_event *event);

/**
 * What is asked for: the hook's name, the function's, the secret's, the environment that is to be
 * approved of, or the command in one line as people read it; `tinyci_request_command_json` has it
 * as it is to be run.
 *
 * @param request  The request, or NULL.
 * @return The name, which lives as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_name(const tinyci_request *request);

/**
 * The commit in work.
 *
 * @param request  The request, or NULL.
 * @return The full id in hexadecimal digits, which lives as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_commit(const tinyci_request *request);

/**
 * The attempt that asks: what `tinyci_event_job_id` gives of its events.
 *
 * @param request  The request, or NULL.
 * @return The name of the attempt, which lives as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_job_id(const tinyci_request *request);

/**
 * The phase or hook that asks.
 *
 * @param request  The request, or NULL.
 * @return Its name, such as `build`, which lives as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_step(const tinyci_request *request);

/**
 * The branch of a script's `parallel`, or its group, that asks.
 *
 * @param request  The request, or NULL.
 * @return The label, which lives as long as the request; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_label(const tinyci_request *request);

/**
 * What a script asks in an APPROVAL, for the person who decides.
 *
 * @param request  The request, or NULL.
 * @return The question, which lives as long as the request; NULL where the config only says that
 *         somebody has to approve, for other requests and NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_question(const tinyci_request *request);

/**
 * The folder that holds the commit's tree; of an APPROVAL, the one that will.
 *
 * @param request  The request, or NULL.
 * @return The path, which lives as long as the request; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_export_dir(const tinyci_request *request);

/**
 * Whether nobody waits for the answer any more, so that long work can end early: the run was
 * canceled, its time is over, or it was freed.
 *
 * @param request  The request, or NULL.
 * @return 1 if so, else 0; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_request_canceled(const tinyci_request *request);

/**
 * How many arguments a function was called with.
 *
 * @param request  The request, or NULL.
 * @return Their number; 0 for other requests and NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_request_arg_count(const tinyci_request *request);

/**
 * What kind of value an argument is.
 *
 * @param request  The request, or NULL.
 * @param index    Which argument, from 0.
 * @return One of `TINYCI_VALUE_*`; 0 where there is none.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_request_arg_kind(const tinyci_request *request, size_t index);

/**
 * The number that an INT argument is, or 1 and 0 for a BOOL.
 *
 * @param request  The request, or NULL.
 * @param index    Which argument, from 0.
 * @return The number; 0 where the argument is neither or there is none.
 *
 * Any thread. Since 0.1.0.
 */
int64_t tinyci_request_arg_int(const tinyci_request *request, size_t index);

/**
 * The number that a FLOAT argument is, or an INT.
 *
 * @param request  The request, or NULL.
 * @param index    Which argument, from 0.
 * @return The number; 0 where the argument is neither or there is none.
 *
 * Any thread. Since 0.1.0.
 */
double tinyci_request_arg_float(const tinyci_request *request, size_t index);

/**
 * The text that a STRING argument is.
 *
 * @param request  The request, or NULL.
 * @param index    Which argument, from 0.
 * @return The text, which lives as long as the request; NULL where the argument is none. A NUL in
 *         it is U+FFFD here, and `\u0000` in the JSON.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_arg_string(const tinyci_request *request, size_t index);

/**
 * An argument of any kind, as JSON.
 *
 * @param request  The request, or NULL.
 * @param index    Which argument, from 0.
 * @return The JSON, which lives as long as the request; NULL where there is no such argument.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_arg_json(const tinyci_request *request, size_t index);

/**
 * The command of a COMMAND, as one object of JSON: `shell`, a text for `/bin/sh -c`, or `argv`;
 * `cwd`; `env`, the whole environment that it is to have, and `env_hex`, if there are any, those of
 * its variables whose name or value is not UTF-8, as pairs in hex that take the place of what `env`
 * has; `nice`, how far it is to stand back when others need the processor, if at all; `input`, and
 * `input_hex` where that is not UTF-8, for its standard input, which is empty without; `timeout_ms`,
 * how long it may still take; `output`, `merged` or `split`: whether the two streams are told apart.
 *
 * @param request  The request, or NULL.
 * @return The JSON, which lives as long as the request; NULL for other requests and NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_request_command_json(const tinyci_request *request);

/**
 * Sets a variable that the commands from here on can use in a tag, once the hook has passed.
 *
 * @param request  The request of a HOOK, which goes on to be the host's.
 * @param name     The variable's name: `a`-`z`, digits and `_`, and none of tinyci's own. Copied.
 * @param value    Its value: any text. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_request_set_var(tinyci_request *request,
                                   const char *name,
                                   const char *value,
                                   tinyci_error **err);

/**
 * Answers a HOOK: it passed, and the config's own hook of that name comes next; or an APPROVAL: the
 * deployment may go on, and its record says that the host approved. To have it say who, answer with
 * `tinyci_request_return_string`.
 *
 * @param request  The request, which is gone then.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CANCELED` if nobody waits for it any more; `TINYCI_INVALID_ARG` if
 *         this is no answer to that request, which fails then.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_ok(tinyci_request *request, tinyci_error **err);

/**
 * Answers a HOOK: it passed, and what the config has there is left out.
 *
 * @param request  The request, which is gone then.
 * @param reason   Why, for the record; NULL for no reason. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_skip(tinyci_request *request, const char *reason, tinyci_error **err);

/**
 * Answers any request: the host refuses. That is a decision about the commit, whose step fails,
 * unless a script catches the error of a function, a secret or a command.
 *
 * Where the host's own machinery failed, `tinyci_request_abort` is the answer.
 *
 * @param request  The request, which is gone then.
 * @param message  Why, for the record; NULL for no reason. Copied.
 * @param code     A number of the host's own, which stands in the record behind the message; 0 for
 *                 none.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CANCELED` if nobody waits for it any more.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_fail(tinyci_request *request,
                                const char *message,
                                int32_t code,
                                tinyci_error **err);

/**
 * Answers any request: the host cannot answer it, since its own machinery failed, such as a vault
 * that is down, or a bug in its code.
 *
 * That says nothing about the commit: no script can catch it, only `after_all` still runs, and the
 * attempt ends with `TINYCI_OUTCOME_ERROR`, to be tried again by a later run as often as
 * attempts are allowed. `after_all` itself decides nothing, also by this. A deployment fails, and
 * says why; one that asks for an approval before it begins does not begin, and `tinyci_run_next`
 * gives `TINYCI_HOST_FAULT`.
 *
 * @param request  The request, which is gone then.
 * @param message  What failed, for the record; NULL for no reason. Copied.
 * @param code     A number of the host's own, which stands in the record behind the message; 0 for
 *                 none.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_CANCELED` if nobody waits for it any more.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_abort(tinyci_request *request,
                                 const char *message,
                                 int32_t code,
                                 tinyci_error **err);

/**
 * Answers a FUNCTION with nothing; or a SECRET: the host has none of this name, and the folder of
 * `tinyci.secretsDir` is looked into; or an APPROVAL: nobody has approved yet, and the deployment
 * waits.
 *
 * @param request  The request, which is gone then.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_null(tinyci_request *request, tinyci_error **err);

/**
 * Answers a FUNCTION with a truth value.
 *
 * @param request  The request, which is gone then.
 * @param value    0 for false, anything else for true.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_bool(tinyci_request *request, int32_t value, tinyci_error **err);

/**
 * Answers a FUNCTION with a whole number.
 *
 * @param request  The request, which is gone then.
 * @param value    The number.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_int(tinyci_request *request, int64_t value, tinyci_error **err);

/**
 * Answers a FUNCTION with a number with a fraction.
 *
 * @param request  The request, which is gone then.
 * @param value    The number.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_float(tinyci_request *request, double value, tinyci_error **err);

/**
 * Answers a FUNCTION or a SECRET with a text; or an APPROVAL with who approves, such as
 * `Ada <ada@example.org>`, which the record keeps.
 *
 * @param request  The request, which is gone then.
 * @param value    The text. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`; also `TINYCI_INVALID_ARG` for NULL and what is not UTF-8, and for
 *         an approval by nobody.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_string(tinyci_request *request,
                                         const char *value,
                                         tinyci_error **err);

/**
 * Answers a SECRET with any bytes.
 *
 * @param request  The request, which is gone then.
 * @param value    The bytes. Copied.
 * @param len      Their number.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`; also `TINYCI_INVALID_ARG` for NULL with a number above 0.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_bytes(tinyci_request *request,
                                        const uint8_t *value,
                                        size_t len,
                                        tinyci_error **err);

/**
 * Answers a FUNCTION with any value, such as an array or a map.
 *
 * @param request  The request, which is gone then.
 * @param value    The value as JSON. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`; also `TINYCI_INVALID_ARG` for what is not JSON.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_return_json(tinyci_request *request,
                                       const char *value,
                                       tinyci_error **err);

/**
 * Passes on what a COMMAND writes. It comes back as OUTPUT events, masked.
 *
 * It never waits. Where much of it is still to be passed on nothing is taken, and the host pulls
 * events with `tinyci_run_next` before it tries again.
 *
 * @param request  The request, which goes on to be the host's.
 * @param stream   `TINYCI_STREAM_STDOUT`, also for both at once, or `TINYCI_STREAM_STDERR`.
 * @param data     Any bytes, cut anywhere. Copied.
 * @param len      Their number.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_AGAIN` if nothing was taken; `TINYCI_CANCELED` if nobody waits for
 *         the command any more: end it; `TINYCI_INVALID_ARG` for other requests.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_request_command_output(tinyci_request *request,
                                          int32_t stream,
                                          const uint8_t *data,
                                          size_t len,
                                          tinyci_error **err);

/**
 * Answers a COMMAND: it has ended.
 *
 * @param request    The request, which is gone then.
 * @param exit_code  Its exit code; not looked at if a signal ended it.
 * @param signal     The number of the signal that ended it; 0 for none.
 * @param err        Where the error is to be stored, or NULL.
 * @return As `tinyci_request_ok`. One that was ended because the run was canceled, or late, may be
 *         answered in any way.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_request_command_finish(tinyci_request *request,
                                          int32_t exit_code,
                                          int32_t signal,
                                          tinyci_error **err);

/**
 * Frees a request. Without an answer its step fails.
 *
 * @param request  The request, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_request_free(tinyci_request *request);

/**
 * The name of an outcome in small letters, as JSON has it: `success`, `timed_out`, ...
 *
 * @param outcome  One of `TINYCI_OUTCOME_*`.
 * @return The name, or NULL for a number that this version does not know: read such a one as not
 *         passed. Static: do not free it.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_outcome_name(int32_t outcome);

/**
 * The commit.
 *
 * @param record  The record, or NULL.
 * @return The full id in hexadecimal digits, which lives as long as the record; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_commit(const tinyci_record *record);

/**
 * The branch that the commit was judged for. What is not UTF-8 in it comes as U+FFFD.
 *
 * @param record  The record, or NULL.
 * @return The branch's short name, which lives as long as the record; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_branch(const tinyci_record *record);

/**
 * The branch's own bytes.
 *
 * @param record  The record, or NULL.
 * @param length  Where the number of bytes is stored, or NULL.
 * @return The bytes, which live as long as the record; NULL, and length 0, where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const uint8_t *tinyci_record_branch_bytes(const tinyci_record *record, size_t *length);

/**
 * What became of the commit.
 *
 * @param record  The record, or NULL.
 * @return One of `TINYCI_OUTCOME_*`, or a number that a later version knows; 0 for NULL. To tell
 *         green from everything else use `tinyci_record_passed`.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_outcome(const tinyci_record *record);

/**
 * Whether the commit is green: the one test for it.
 *
 * @param record  The record, or NULL.
 * @return 1 if it is, 0 for everything else and for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_passed(const tinyci_record *record);

/**
 * Why, where the steps do not say it: an invalid config, a broken executor, a cancel.
 *
 * @param record  The record, or NULL.
 * @return The text, which lives as long as the record; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_reason(const tinyci_record *record);

/**
 * When the attempt began.
 *
 * @param record  The record, or NULL.
 * @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int64_t tinyci_record_started_ms(const tinyci_record *record);

/**
 * How long the attempt took.
 *
 * @param record  The record, or NULL.
 * @return Milliseconds on a clock that is never set back; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
uint64_t tinyci_record_duration_ms(const tinyci_record *record);

/**
 * All of it, as the line of JSON that `refs/notes/runs/tinyci` keeps.
 *
 * It alone has everything that failed: `steps` have `failures`, each with its `message` and, if they
 * are known, its `label`, its `place` in the script, its `command` and how that ended.
 *
 * @param record  The record, or NULL.
 * @return The JSON, which lives as long as the record; NULL for NULL.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_json(const tinyci_record *record);

/**
 * How many phases and hooks ran, or were skipped.
 *
 * @param record  The record, or NULL.
 * @return Their number; 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
size_t tinyci_record_step_count(const tinyci_record *record);

/**
 * The name of a step.
 *
 * @param record  The record, or NULL.
 * @param index   Which step, from 0, in the order in which they ran.
 * @return Its name, such as `build`, which lives as long as the record; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_step_name(const tinyci_record *record, size_t index);

/**
 * What became of a step.
 *
 * @param record  The record, or NULL.
 * @param index   Which step, from 0.
 * @return One of `TINYCI_OUTCOME_*`; 0 where there is none.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_step_outcome(const tinyci_record *record, size_t index);

/**
 * How the last command of a step ended, which is the one that failed if one did.
 *
 * @param record  The record, or NULL.
 * @param index   Which step, from 0.
 * @return The exit code; 128 and the signal's number where a signal ended it, as a shell has it; -1
 *         where no command ended by itself. 0 for NULL.
 *
 * Any thread. Since 0.1.0.
 */
int32_t tinyci_record_step_exit_code(const tinyci_record *record, size_t index);

/**
 * Why a step failed or was skipped, where no command says it: a host's refusal, a tag that could
 * not be filled in, the error of a script. Of a step that was skipped it begins with `skipped: `.
 *
 * @param record  The record, or NULL.
 * @param index   Which step, from 0.
 * @return The text, which lives as long as the record; NULL where there is none.
 *
 * Any thread. Since 0.1.0.
 */
const char *tinyci_record_step_error(const tinyci_record *record, size_t index);

/**
 * Asks for what is kept of earlier runs: of each commit the record that its verdict rests on, the
 * newest commit first.
 *
 * @param engine     The engine.
 * @param selection  Revisions or ranges; NULL for every commit that the selected refs reach.
 * @param outcome    Only records of this outcome, one of `TINYCI_OUTCOME_*`; 0 for all.
 * @param limit      At most so many records; 0 for all.
 * @param out        Where the list is stored, to be freed with `tinyci_records_free`; NULL on an
 *                   error.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where there is none; `TINYCI_NOT_FOUND` for a revision that names no
 *         commit; `TINYCI_INVALID_ARG` for an unknown outcome, or a selection of pushed refs.
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
 * Gives the next record of a list.
 *
 * @param records  The list.
 * @param out      Where the record is stored, which belongs to the list: do not free it; NULL where
 *                 there is none.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` after the last.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_records_next(tinyci_records *records,
                                const tinyci_record **out,
                                tinyci_error **err);

/**
 * Frees a list and its records.
 *
 * @param records  The list, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_records_free(tinyci_records *records);

/**
 * Tells what a run would do, without doing it: what `tinyci plan --json` prints. Of commits that
 * are named it tells what each step of their own configs would do, too. Nothing is asked: a script that calls a function
 * of the host which computes (not `TINYCI_EFFECT_EXTERNAL`) fails there.
 *
 * @param engine     The engine.
 * @param selection  Which commits to look at; NULL for all that is pending.
 * @param out        Where the JSON is stored, one line without its end, to be freed with
 *                   `tinyci_string_free`; NULL on an error.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` where
 *         the repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_plan_json(const tinyci_engine *engine,
                             const tinyci_selection *selection,
                             char **out,
                             tinyci_error **err);

/**
 * Tells what is wrong with the config of a commit: what `tinyci check --commit REV --json` prints.
 * Each of its `problems` has a `severity`: `error`, or `warning` for what is valid and perhaps not
 * meant.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param out     Where the JSON is stored, one line without its end, to be freed with
 *                `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, whatever the config is like: its `valid` tells; `TINYCI_NOT_FOUND` for a
 *         revision that names no commit or one without a config; `TINYCI_UNSUPPORTED` for scripts
 *         where the library was built without.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_check_json(const tinyci_engine *engine,
                              const char *rev,
                              char **out,
                              tinyci_error **err);

/**
 * Tells what is wrong with a config that is not committed yet: what `tinyci check FILE --json`
 * prints, as `tinyci_check_json` does for a commit.
 *
 * @param engine  The engine, with the functions that a script can call.
 * @param rev     The commit that a script imports from, in any of git's revision syntax; NULL for
 *                the files below the path that the engine was opened with.
 * @param text    The config.
 * @param len     Its length in bytes.
 * @param format  One of `TINYCI_FORMAT_*`.
 * @param name    What the report calls it, such as `.tinyci.yml`.
 * @param out     Where the JSON is stored, one line without its end, to be freed with
 *                `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, whatever the config is like: its `valid` tells; `TINYCI_NOT_FOUND` for a
 *         revision that names no commit; `TINYCI_UNSUPPORTED` for scripts where the library was
 *         built without; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_check_text_json(const tinyci_engine *engine,
                                   const char *rev,
                                   const char *text,
                                   size_t len,
                                   int32_t format,
                                   const char *name,
                                   char **out,
                                   tinyci_error **err);

/**
 * Gives the reference of the script API: what `tinyci defs` prints, with the functions that the host
 * registers.
 *
 * @param engine  The engine whose functions are in it; NULL for no functions of a host.
 * @param format  One of `TINYCI_DEFINITIONS_*`.
 * @param out     Where the reference is stored, to be freed with `tinyci_string_free`; NULL on an
 *                error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for another format; `TINYCI_UNSUPPORTED` if the library
 *         was built without scripts.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_definitions(const tinyci_engine *engine,
                               int32_t format,
                               char **out,
                               tinyci_error **err);

/**
 * Runs the tests of a pipeline: what `tinyci test-pipeline --json` prints. Nothing of the pipeline is run,
 * written or sent.
 *
 * @param engine   The engine.
 * @param rev      The commit whose script and tests are meant, in any of git's revision syntax; NULL
 *                 for the files of a directory.
 * @param dir      The directory, if there is no `rev`; NULL for the path that the engine was opened
 *                 with.
 * @param filters  Parts of the names of the tests to run, one a line; NULL for all tests.
 * @param flags    0 or `TINYCI_TEST_COVERAGE`.
 * @param out      Where the JSON is stored, one line without its end, to be freed with
 *                 `tinyci_string_free`; NULL on an error.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also if tests fail: each has its `failure`; `TINYCI_NOT_FOUND` for a revision
 *         that names no commit, if there is no script or no test, and if no name matches a filter;
 *         `TINYCI_SCRIPT` for a file that is not valid; `TINYCI_UNSUPPORTED` for a pipeline in YAML,
 *         and if the library was built without scripts; `TINYCI_INVALID_ARG` for other flags, and for
 *         both `rev` and `dir`; `TINYCI_IO` for files that cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_test_pipeline_json(const tinyci_engine *engine,
                                      const char *rev,
                                      const char *dir,
                                      const char *filters,
                                      uint32_t flags,
                                      char **out,
                                      tinyci_error **err);

/**
 * Tells what became of commits, newest first: what `tinyci results --json` prints.
 *
 * @param engine     The engine.
 * @param selection  Whose results; NULL for those of every commit that was run.
 * @param outcome    Only this one of `TINYCI_OUTCOME_*`; 0 for any.
 * @param limit      At most so many; 0 for all.
 * @param flags      A sum of `TINYCI_RESULTS_*`.
 * @param out        Where the results are stored, each a line of JSON with its end, to be freed
 *                   with `tinyci_string_free`; NULL on an error.
 * @param err        Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit;
 *         `TINYCI_INVALID_ARG` for a number that stands for no outcome, or a flag for nothing.
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
 * Tells what was deployed, newest first: what `tinyci deployments --json` prints.
 *
 * @param engine       The engine.
 * @param environment  Only deployments to this one; NULL for those to all.
 * @param limit        At most so many; 0 for all.
 * @param warnings     Where lines are stored that a person should see, to be freed with
 *                     `tinyci_string_free`, or NULL: what stands among the deployments and is none
 *                     of tinyci's.
 * @param out          Where the deployments are stored, each a line of JSON with its end, to be
 *                     freed with `tinyci_string_free`; NULL on an error.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where there is none; `TINYCI_INVALID_ARG` for what cannot be an
 *         environment's name; `TINYCI_GIT` where the refs cannot be read.
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
 * Tells what is deployed to an environment now.
 *
 * @param engine       The engine.
 * @param environment  Which environment; NULL for `production`.
 * @param out          Where the deployment is stored, as a line of `tinyci_deployments_json` without its
 *                     end, to be freed with `tinyci_string_free`; NULL if nothing is deployed, and on
 *                     an error.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` if nothing is deployed there; `TINYCI_INVALID_ARG` for what
 *         cannot be an environment's name; `TINYCI_GIT` if the refs cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_deployed_json(const tinyci_engine *engine,
                                 const char *environment,
                                 char **out,
                                 tinyci_error **err);

/**
 * Gives the lines among a commit's records that tinyci cannot read: damaged ones, another program's,
 * or forged ones. tinyci keeps them, and they count for nothing.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param out     Where the lines are stored, each with its end, to be freed with
 *                `tinyci_string_free`; the text is empty without such lines, NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` if the
 *         notes cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_unrecognized_lines(const tinyci_engine *engine,
                                      const char *rev,
                                      char **out,
                                      tinyci_error **err);

/**
 * Tells how the repository stands: what runs, what is due, the last verdicts, what is deployed
 * where, and what should be looked at. What `tinyci status --json` prints.
 *
 * @param engine  The engine.
 * @param out     Where the JSON is stored, one line without its end, to be freed with
 *                `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_GIT` where the repository cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_status_json(const tinyci_engine *engine, char **out, tinyci_error **err);

/**
 * Tells every setting that a repository can have, and what is set: what `tinyci settings --json`
 * prints.
 *
 * @param engine  The engine.
 * @param out     Where the settings are stored, each a line of JSON with its end, to be freed with
 *                `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_GIT` where git's configuration cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_settings_json(const tinyci_engine *engine, char **out, tinyci_error **err);

/**
 * Makes a request for the newest commit that is green.
 *
 * @return The request, to be freed with `tinyci_deploy_request_free`; NULL only where memory is
 *         short.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_deploy_request *tinyci_deploy_request_new(void);

/**
 * Names the commit to deploy.
 *
 * @param request   The request.
 * @param revision  The commit, in any of git's revision syntax; NULL for the newest that is green.
 *                  Copied; looked up when the request is used.
 * @param err       Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_revision(tinyci_deploy_request *request,
                                               const char *revision,
                                               tinyci_error **err);

/**
 * Says whether to go back to what was deployed before the deployment that is there now.
 *
 * @param request   The request.
 * @param rollback  0 for no, which is how a request begins; anything else for yes.
 * @param err       Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_rollback(tinyci_deploy_request *request,
                                               int32_t rollback,
                                               tinyci_error **err);

/**
 * Says whether to deploy also what is not green, and to go back also to what is no longer on a branch
 * that deploys. The record keeps it.
 *
 * @param request  The request.
 * @param force    0 for no, which is how a request begins; anything else for yes.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_force(tinyci_deploy_request *request,
                                            int32_t force,
                                            tinyci_error **err);

/**
 * Says whether to deploy the commit's files at once, without what a build adds, also if its build is
 * gone: for emergencies. The record keeps it.
 *
 * @param request  The request.
 * @param bare     0 for no, which is how a request begins; anything else for yes.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_bare(tinyci_deploy_request *request,
                                           int32_t bare,
                                           tinyci_error **err);

/**
 * Assumes the output of a command: `tinyci_deploy_plan_json` uses it if a script asks for the output
 * of a command, since plans run nothing. A deployment runs the command.
 *
 * @param request  The request.
 * @param command  A glob over the command, as one line, such as `git describe*`; the first that
 *                 matches applies. Copied.
 * @param output   The output that the command is assumed to write. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_add_assumption(tinyci_deploy_request *request,
                                                 const char *command,
                                                 const char *output,
                                                 tinyci_error **err);

/**
 * Says who deploys. Without it, whom the engine's options name, else whom git's configuration names.
 *
 * @param request  The request.
 * @param name     The person's name. Copied.
 * @param address  The person's mail address. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_by(tinyci_deploy_request *request,
                                         const char *name,
                                         const char *address,
                                         tinyci_error **err);

/**
 * Asks for exactly what was planned, in the place of everything but who deploys: that commit, to
 * that environment, and only if nothing else is deployed there by then.
 *
 * @param request  The request.
 * @param plan     What `tinyci_deploy_plan_json` gave. Copied.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for what is no plan; nothing is changed then.
 *
 * One thread at a time. Since 0.1.0.
 */
tinyci_code tinyci_deploy_request_set_plan(tinyci_deploy_request *request,
                                           const char *plan,
                                           tinyci_error **err);

/**
 * Frees a request.
 *
 * @param request  The request, which is gone then, or NULL.
 *
 * Any thread. Since 0.1.0.
 */
void tinyci_deploy_request_free(tinyci_deploy_request *request);

/**
 * Tells what a deployment would do, without doing it: what `tinyci deploy --dry-run --json`
 * prints. To be shown to a person, and then to be carried out as it is, see
 * `tinyci_deploy_request_set_plan`.
 *
 * @param engine       The engine.
 * @param environment  Where to; NULL for the plan's that the request has, else `production`.
 * @param request      What; NULL for the newest commit that is green.
 * @param out          Where the JSON is stored, one line without its end, to be freed with
 *                     `tinyci_string_free`; NULL on an error.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where the deployment would wait for an approval: its `approval` tells;
 *         else as `tinyci_run_next` of `tinyci_deploy_start`, except that a plan can be made while
 *         something is deployed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_deploy_plan_json(const tinyci_engine *engine,
                                    const char *environment,
                                    const tinyci_deploy_request *request,
                                    char **out,
                                    tinyci_error **err);

/**
 * Starts a deployment: the `deploy` of the commit's config, in its export. A build that is gone is
 * made again first, which takes the run lock between two commits. It goes on in threads of
 * the library's, and its events wait to be pulled. What came of it, `tinyci_run_deployment_json`
 * and `tinyci_run_deploy_outcome` tell.
 *
 * Nobody is asked whether it may begin: a host shows a plan first, and asks. An approval that the
 * config wants, or the setting `approve`, is looked for in the repository, and asked of the host where
 * it said so with `TINYCI_HANDLER_APPROVAL`; without one that counts the deployment does nothing, and
 * is `TINYCI_OUTCOME_AWAITING_APPROVAL`. Where the setting `approvers` lists somebody, the host is asked only if
 * it runs as one of the accounts there.
 *
 * @param engine       The engine.
 * @param environment  Where to; NULL for the plan's that the request has, else `production`.
 * @param request      What; NULL for the newest commit that is green.
 * @param cancel       What stops it from outside, of which it keeps a reference; NULL for nothing.
 * @param out          Where the run is stored, to be freed with `tinyci_run_free`; NULL on an
 *                     error.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, as `tinyci_run_start`.
 *         What keeps it from beginning comes out of `tinyci_run_next`: `TINYCI_NOT_FOUND` where
 *         there is nothing to deploy; `TINYCI_INVALID_ARG` for a commit that is not green, not on a
 *         branch that is deployed, or whose config knows no such environment, and where a commit has
 *         to be named: several are as new as each other, or what is deployed would be lost (the plan's
 *         `must_be_named`); `TINYCI_BUSY` while
 *         another deployment runs there, after one that was interrupted (`tinyci_unlock_deployments`),
 *         and where something else is deployed than was planned; `TINYCI_CANCELED`;
 *         `TINYCI_HOST_ABORT` where the host refused or left a request for an approval, and
 *         `TINYCI_HOST_FAULT` where it aborted one. A deployment that fails is no error.
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
 * Starts going back to what was deployed before the deployment that is there now, with the same
 * checks and the same record. Doing it again goes back further. A request with
 * `tinyci_deploy_request_set_rollback` can say more about it.
 *
 * @param engine       The engine.
 * @param environment  Where; NULL for `production`.
 * @param cancel       What stops it from outside, of which it keeps a reference; NULL for nothing.
 * @param out          Where the run is stored, to be freed with `tinyci_run_free`; NULL on an
 *                     error.
 * @param err          Where the error is to be stored, or NULL.
 * @return As `tinyci_deploy_start`; `TINYCI_NOT_FOUND` comes out of `tinyci_run_next` where nothing
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
 * Approves of one commit, in one environment, with the config that it has, so that the next
 * deployment can go on. The approver is whom the engine's options name, else git's configuration.
 *
 * Where git's configuration signs with ssh keys (`gpg.format`, `user.signingKey`), it is signed, by a
 * `git` that is started for it and may ask for a passphrase.
 *
 * @param engine       The engine.
 * @param environment  Where the commit may be deployed to; NULL for `production`.
 * @param rev          The commit, in any of git's revision syntax: better its id, since names move.
 * @param approval     Where the approval is stored, what `tinyci approve --json` prints, to be
 *                     freed with `tinyci_string_free`, or NULL. Its `reference` is the ref that is
 *                     pushed to carry it to the server; its `problem` says why it does not count
 *                     here, where that is so.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_INVALID_ARG`
 *         for one whose config does not deploy there; `TINYCI_UNSUPPORTED` where nobody says who
 *         approves; `TINYCI_GIT` or `TINYCI_SPAWN` where it cannot be signed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_approve(const tinyci_engine *engine,
                           const char *environment,
                           const char *rev,
                           char **approval,
                           tinyci_error **err);

/**
 * Says that somebody has looked at an environment whose last deployment was interrupted, and why
 * it can go on.
 *
 * @param engine       The engine.
 * @param environment  Which; NULL for `production`.
 * @param reason       Why, for the record. Copied.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` where there was nothing to unlock; `TINYCI_BUSY` while
 *         something is being deployed there; `TINYCI_INVALID_ARG` without a reason.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_unlock_deployments(const tinyci_engine *engine,
                                      const char *environment,
                                      const char *reason,
                                      tinyci_error **err);

/**
 * Puts on record that nothing runs in an environment any more: its builds are no longer pinned, until
 * the next deployment revives it. Runs nothing.
 *
 * @param engine       The engine.
 * @param environment  Which; NULL for `production`.
 * @param err          Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` where it is retired already; `TINYCI_NOT_FOUND` where nothing
 *         was ever deployed to; `TINYCI_BUSY` while something is being deployed there.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_retire(const tinyci_engine *engine,
                          const char *environment,
                          tinyci_error **err);

/**
 * Installs the git hook that runs what is pushed, beside hooks that are there. Where a remote's
 * refspecs have a fetch replace or delete tinyci's refs, as in a mirror, adds negative ones.
 *
 * @param engine   The engine.
 * @param command  What the hook runs: a name to be found in `PATH` on the server, or an absolute
 *                 path; NULL for `tinyci`.
 * @param flags    A sum of `TINYCI_INSTALL_*`.
 * @param notes    Where lines are stored that a person should see, to be freed with
 *                 `tinyci_string_free`, or NULL: what the hook needs, what it leaves out, what
 *                 else was added.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where it was installed already; `TINYCI_UNSUPPORTED` for a hook that
 *         nothing can be added to, with the line to add by hand, and for builds whose owner is
 *         not known to be gone; `TINYCI_IO`; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_install(const tinyci_engine *engine,
                           const char *command,
                           uint32_t flags,
                           char **notes,
                           tinyci_error **err);

/**
 * Takes the hook and the refspecs out again that an install added, and leaves every other byte as it
 * is.
 *
 * @param engine  The engine.
 * @param notes   Where lines are stored that a person should see, to be freed with
 *                `tinyci_string_free`, or NULL.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where none was installed; `TINYCI_IO` where the file cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_uninstall(const tinyci_engine *engine,
                             char **notes,
                             tinyci_error **err);

/**
 * Packs old builds into `.tar.gz` files, never one that a run is working on or that is pinned: what is
 * deployed, was before, would be next or waits for an approval, and what a link in a folder of
 * `tinyci.pin` leads into. A build that cannot be packed is left as it is, and the rest goes on.
 *
 * @param engine  The engine.
 * @param newest  How many of the newest builds to leave as they are.
 * @param leave   More builds to leave, one a line: names, paths of or in builds, links to them,
 *                commits' ids. NULL for none.
 * @param cancel  What can stop it from another thread; NULL for nothing.
 * @param report  Where is stored what was packed, what `tinyci compact --json` prints, to be freed
 *                with `tinyci_string_free`, or NULL. Its `not_removed` names what could not be
 *                packed, and folders that are packed and do not go.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where there was nothing to pack, or something could not be; `TINYCI_BUSY`
 *         where another call packs already; `TINYCI_UNSUPPORTED` where the builds are another
 *         repository's; `TINYCI_CANCELED`; `TINYCI_IO` where the builds cannot be listed.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_compact(const tinyci_engine *engine,
                           size_t newest,
                           const char *leave,
                           const tinyci_cancel *cancel,
                           char **report,
                           tinyci_error **err);

/**
 * Takes a commit's verdict away, so that it is due again. Its records stay.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` where it had none; `TINYCI_NOT_FOUND` for a revision that
 *         names no commit; `TINYCI_GIT` where the notes cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_forget(const tinyci_engine *engine, const char *rev, tinyci_error **err);

/**
 * Ends the job of a commit, or a whole run, in whatever process it is, and waits until it has ended.
 * The commit of a job that ends so has no verdict and is out of attempts: only a retry tests it again.
 * The commits of a run that is ended as a whole are due again, unless there is just one in progress,
 * which counts as named. A second call kills. A deployment is no job, and is never ended by this.
 *
 * A run that this process pulls has to be pulled on meanwhile: its events have to go somewhere. Do so
 * on another thread, or wait for 0 milliseconds.
 *
 * @param engine   The engine.
 * @param rev      The commit, in any of git's revision syntax; NULL for the whole run.
 * @param reason   Why, which the record keeps; NULL for no reason.
 * @param name     Who: a person's name; NULL for whom git's configuration names, else the account.
 * @param address  The person's mail address; NULL where `name` is.
 * @param flags    A sum of `TINYCI_JOB_CANCEL_*`.
 * @param wait_ms  How many milliseconds to wait until it has ended; -1 for as long as that takes.
 * @param cancel   What can stop the wait from another thread; NULL for nothing.
 * @param report   Where is stored what was ended, what `tinyci cancel --json` prints, to be freed
 *                 with `tinyci_string_free`, or NULL. A job that was over before it met the cancel has
 *                 its own `outcome`, one that has not ended yet has none.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit, and where nothing of
 *         the kind is in progress; `TINYCI_BUSY` where the run does not see the request;
 *         `TINYCI_CANCELED` where the wait was stopped; `TINYCI_IO` where this account may not ask
 *         for it; `TINYCI_INVALID_ARG`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_job_cancel(const tinyci_engine *engine,
                              const char *rev,
                              const char *reason,
                              const char *name,
                              const char *address,
                              uint32_t flags,
                              int64_t wait_ms,
                              const tinyci_cancel *cancel,
                              char **report,
                              tinyci_error **err);

/**
 * Gives a commit the verdict `skipped`, so that it is not tested. A job of it that is in progress is
 * ended first.
 *
 * @param engine   The engine.
 * @param rev      The commit, in any of git's revision syntax.
 * @param reason   Why, which the record keeps; NULL for no reason.
 * @param name     Who: a person's name; NULL for whom git's configuration names, else the account.
 * @param address  The person's mail address; NULL where `name` is.
 * @param cancel   What can stop the wait for a job from another thread; NULL for nothing.
 * @param record   Where the record is stored, what `tinyci skip --json` prints, to be freed with
 *                 `tinyci_string_free`, or NULL.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_INVALID_ARG`
 *         for a commit that has a verdict, which `tinyci_forget` takes away; `TINYCI_GIT` where the
 *         notes cannot be written; and as `tinyci_job_cancel` where a job is in progress.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_skip(const tinyci_engine *engine,
                        const char *rev,
                        const char *reason,
                        const char *name,
                        const char *address,
                        const tinyci_cancel *cancel,
                        char **record,
                        tinyci_error **err);

/**
 * Removes old builds, never one that a run is working on or that is pinned: what is deployed, was
 * before, would be next or waits for an approval, and what a link in a folder of `tinyci.pin` leads
 * into. Verdicts and records stay. Without any rule those of the repository's settings
 * hold, `tinyci.pruneKeep` and its like. A build that does not go is passed over.
 *
 * @param engine      The engine.
 * @param keep        Removes all but so many builds, those that were run last; -1 for no such rule.
 * @param max_age_ms  Removes builds that were last run longer ago; -1 for no such rule.
 * @param max_bytes   Removes the oldest builds until the rest takes no more; -1 for no such rule.
 * @param flags       A sum of `TINYCI_PRUNE_*`.
 * @param cancel      What can stop it from another thread; NULL for nothing.
 * @param report      Where is stored what was removed, what `tinyci prune --json` prints, to be
 *                    freed with `tinyci_string_free`, or NULL. Its `not_removed` names what does
 *                    not go.
 * @param err         Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where there was nothing to remove, or something does not go;
 *         `TINYCI_INVALID_ARG` where neither the call nor the settings have a rule; `TINYCI_BUSY`
 *         where another call packs or removes builds; `TINYCI_UNSUPPORTED` where they are another
 *         repository's; `TINYCI_CANCELED`; `TINYCI_IO` where the builds cannot be listed.
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
 * Forgets the verdicts and records of all commits, so that all are due again that the baseline does
 * not hide. What others deleted of tinyci's refs, which each run restores, is given up for good.
 * Deployments, approvals and the baseline that are there stay, and so does what was fetched.
 *
 * @param engine  The engine.
 * @param report  Where is stored what was removed and given up, what `tinyci results --forget-all
 *                --json` prints, to be freed with `tinyci_string_free`, or NULL.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where there was nothing to forget; `TINYCI_GIT` where the refs cannot be
 *         removed; `TINYCI_IO` where the repository's state cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_forget_all(const tinyci_engine *engine,
                              char **report,
                              tinyci_error **err);

/**
 * Has `git fetch` bring a remote's verdicts, records and deployments, and `git log` show the
 * verdicts, by lines in the repository's own git configuration.
 *
 * @param engine   The engine.
 * @param remote   The remote's name; NULL for `origin`.
 * @param changes  Where the lines are stored that are new, to be freed with `tinyci_string_free`,
 *                 or NULL.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where it was set up already; `TINYCI_NOT_FOUND` where there is no such
 *         remote; `TINYCI_GIT` where the configuration cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_setup_remote(const tinyci_engine *engine,
                                const char *remote,
                                char **changes,
                                tinyci_error **err);

/**
 * Takes the lines of `tinyci_setup_remote` out again. What was fetched stays.
 *
 * @param engine   The engine.
 * @param remote   The remote's name, which need not be there any more; NULL for `origin`.
 * @param changes  Where the lines are stored that are gone, to be freed with `tinyci_string_free`,
 *                 or NULL.
 * @param err      Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`, also where nothing was set up; `TINYCI_NOT_FOUND` where nothing was, and
 *         there is no such remote either; `TINYCI_GIT` where the configuration cannot be written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_undo_setup_remote(const tinyci_engine *engine,
                                     const char *remote,
                                     char **changes,
                                     tinyci_error **err);

/**
 * Merges the verdicts and records that were last fetched of a remote into the repository's own: all
 * records are kept, and of two verdicts the one holds whose run finished last.
 *
 * @param engine  The engine.
 * @param remote  The remote's name; NULL for `origin`.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_DONE` where nothing was new; `TINYCI_NOT_FOUND` where there is no
 *         such remote, or nothing of it was fetched; `TINYCI_GIT` where notes cannot be read or
 *         written.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_merge_results(const tinyci_engine *engine,
                                 const char *remote,
                                 tinyci_error **err);

/**
 * Lists the files that a job kept with `artifact`: what `tinyci artifacts --json` prints. A build
 * that was removed has no files anymore, which `place` says; its record still lists them.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param job     The job's id; NULL for the newest job of the commit that kept anything.
 * @param paths   Paths of files or directories and globs, one a line; NULL for everything.
 * @param out     Where the JSON is stored, one line without its end, to be freed with
 *                `tinyci_string_free`; NULL on an error.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit, a commit or job that
 *         kept nothing, and a path that matches nothing; `TINYCI_INVALID_ARG` for a path that is not
 *         valid; `TINYCI_GIT` if the records cannot be read.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_artifacts_json(const tinyci_engine *engine,
                                  const char *rev,
                                  const char *job,
                                  const char *paths,
                                  char **out,
                                  tinyci_error **err);

/**
 * Copies files that a job kept to a directory, also from a packed build. Each file is checked
 * against the record, and written whole or not at all; nothing is written outside the directory.
 *
 * @param engine  The engine.
 * @param rev     The commit, in any of git's revision syntax.
 * @param job     The job's id; NULL for the newest job of the commit that kept anything.
 * @param paths   Paths of files or directories and globs, one a line; NULL for everything.
 * @param dir     The directory, which is made if it does not exist.
 * @param flags   0 or `TINYCI_ARTIFACTS_FORCE`.
 * @param cancel  What can stop it from another thread; NULL for nothing.
 * @param report  Where the list of the copied files is stored, as `tinyci_artifacts_json` has it, to
 *                be freed with `tinyci_string_free`, or NULL.
 * @param err     Where the error is to be stored, or NULL.
 * @return `TINYCI_OK`; as `tinyci_artifacts_json`, and `TINYCI_NOT_FOUND` if the build was removed;
 *         `TINYCI_INVALID_ARG` for a file that exists, and for a record whose paths lead elsewhere:
 *         then nothing is written; `TINYCI_IO` for a file that cannot be read or written, or is not
 *         what the job kept; `TINYCI_CANCELED`.
 *
 * Any thread. Since 0.1.0.
 */
tinyci_code tinyci_artifacts_copy(const tinyci_engine *engine,
                                  const char *rev,
                                  const char *job,
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

/* Runs that are stopped: by a signal handler, by freeing them, with requests not answered.
 * usage: stop REPOSITORY signal|child|free|request|named    (the build prints a line, then sleeps) */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include "runs.h"

static tinyci_cancel *stop;

static void on_sigint(int number) {
    (void)number;
    tinyci_cancel_trigger(stop);
}

static void by_signal(tinyci_engine *engine) {
    static struct output output;
    tinyci_run *run = start(engine, stop);
    tinyci_event *event;
    signal(SIGINT, on_sigint);
    next_of(run, TINYCI_EVENT_OUTPUT);
    raise(SIGINT);
    CHECK(tinyci_cancel_level(stop) == 1);
    while ((event = next(run)) != NULL) collect(&output, event);
    CHECK(same(output.text, "cleaned up\n"));
    finish(run, TINYCI_OUTCOME_CANCELED, "build", TINYCI_OUTCOME_CANCELED, NULL);
}

/* One token stops all runs, and its child one run. */
static void by_child(tinyci_engine *engine) {
    tinyci_cancel *one = tinyci_cancel_child(stop), *other = tinyci_cancel_child(stop);
    tinyci_cancel *orphan = tinyci_cancel_child(NULL);
    tinyci_run *run = start(engine, one);
    next_of(run, TINYCI_EVENT_OUTPUT);
    tinyci_cancel_trigger(one);
    drain(run);
    finish(run, TINYCI_OUTCOME_CANCELED, "build", TINYCI_OUTCOME_CANCELED, NULL);
    CHECK(tinyci_cancel_level(one) == 1 && tinyci_cancel_level(other) == 0);
    CHECK(tinyci_cancel_level(stop) == 0 && tinyci_cancel_level(orphan) == 0);
    run = start(engine, other);
    next_of(run, TINYCI_EVENT_OUTPUT);
    tinyci_cancel_free(one);
    tinyci_cancel_free(orphan);
    tinyci_cancel_trigger(stop);
    CHECK(tinyci_cancel_level(other) == 1);
    tinyci_cancel_free(other);
    drain(run);
    finish(run, TINYCI_OUTCOME_CANCELED, "build", TINYCI_OUTCOME_CANCELED, NULL);
}

static void by_free(tinyci_engine *engine) {
    tinyci_run *run = start(engine, stop);
    next_of(run, TINYCI_EVENT_OUTPUT);
    FAILS(tinyci_run_records(run, &(tinyci_records *){NULL}, &err), TINYCI_INVALID_ARG);
    tinyci_run_free(run);
    /* The program's own token has not changed, and the commit is still pending. */
    CHECK(tinyci_cancel_level(stop) == 0);
}

static void with_request(tinyci_engine *engine) {
    tinyci_run *run = start(engine, stop);
    tinyci_request *hook = tinyci_event_take_request(next_of(run, TINYCI_EVENT_HOOK));
    CHECK(tinyci_request_canceled(hook) == 0);
    tinyci_cancel_trigger(stop);
    CHECK(tinyci_request_canceled(hook) == 1);
    drain(run);
    finish(run, TINYCI_OUTCOME_CANCELED, "before_build", TINYCI_OUTCOME_CANCELED, NULL);
    /* The request outlives its run, and its answer comes too late. */
    FAILS(tinyci_request_ok(hook, &err), TINYCI_CANCELED);
}

/* A job is canceled by its commit, and the commit is skipped. */
static void by_name(tinyci_engine *engine) {
    tinyci_run *run = start(engine, stop);
    char *report;
    next_of(run, TINYCI_EVENT_OUTPUT);
    OK(tinyci_job_cancel(engine, "HEAD", "it hangs", "Ada", "ada@example.org", 0, 0, NULL, &report,
                         &err));
    CHECK(strstr(report, "{\"v\":1,\"whole_run\":false,\"jobs\":[{\"commit\":\"") == report);
    tinyci_string_free(report);
    drain(run);
    finish(run, TINYCI_OUTCOME_CANCELED, "build", TINYCI_OUTCOME_CANCELED, NULL);
    CHECK(tinyci_cancel_level(stop) == 0);
    FAILS(tinyci_job_cancel(engine, "HEAD", NULL, NULL, NULL, TINYCI_JOB_CANCEL_KILL, -1, stop, NULL,
                            &err), TINYCI_NOT_FOUND);
    FAILS(tinyci_job_cancel(engine, NULL, NULL, NULL, NULL, 2, -1, NULL, NULL, &err),
          TINYCI_INVALID_ARG);
    FAILS(tinyci_job_cancel(engine, NULL, NULL, "Ada", NULL, 0, -1, NULL, NULL, &err),
          TINYCI_INVALID_ARG);
    OK(tinyci_skip(engine, "HEAD", "no use", "Ada", "ada@example.org", NULL, &report, &err));
    CHECK(strstr(report, "\"intervention\":{\"kind\":\"skip\",\"by\":\"Ada <ada@example.org>\"")
          != NULL);
    tinyci_string_free(report);
    FAILS(tinyci_skip(engine, "HEAD", NULL, NULL, NULL, NULL, NULL, &err), TINYCI_INVALID_ARG);
    OK(tinyci_forget(engine, "HEAD", &err));
}

int main(int argc, char **argv) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    const char *how = argc > 2 ? argv[2] : "";
    stop = tinyci_cancel_new();
    if (same(how, "request")) OK(tinyci_options_add_hook(options, "before_build", &err));
    engine = open_engine(argv[1], options);
    if (same(how, "signal")) by_signal(engine);
    if (same(how, "child")) by_child(engine);
    if (same(how, "free")) by_free(engine);
    if (same(how, "request")) with_request(engine);
    if (same(how, "named")) by_name(engine);
    signal(SIGINT, SIG_DFL);
    tinyci_engine_free(engine);
    tinyci_cancel_free(stop);
    return 0;
}

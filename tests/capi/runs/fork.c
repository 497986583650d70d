/* A fork during a run: the child cannot use any object, can free all, and changes nothing.
 * usage: fork REPOSITORY             (a hook is asked for, then the build prints) */
#define _POSIX_C_SOURCE 200809L
#include <sys/wait.h>
#include <unistd.h>
#include "runs.h"

static int in_child(tinyci_engine *engine, tinyci_run *run, tinyci_cancel *cancel,
                    tinyci_event *event, tinyci_request *hook) {
    tinyci_event *none = event;
    tinyci_run *other;
    FAILS(tinyci_run_next(run, -1, &none, &err), TINYCI_WRONG_PROCESS);
    CHECK(none == NULL && tinyci_run_fd(run) == -1);
    CHECK(tinyci_event_kind(event) == 0 && tinyci_event_commit(event) == NULL);
    CHECK(tinyci_event_data(event, NULL) == NULL && tinyci_request_name(hook) == NULL);
    FAILS(tinyci_run_start(engine, NULL, cancel, &other, &err), TINYCI_WRONG_PROCESS);
    FAILS(tinyci_request_ok(hook, &err), TINYCI_WRONG_PROCESS);
    tinyci_cancel_trigger(cancel);
    tinyci_run_free(run);
    tinyci_engine_free(engine);
    tinyci_cancel_free(cancel);
    /* Objects created here work. */
    CHECK(tinyci_cancel_level(NULL) == 0);
    engine = open_engine(".", NULL);
    tinyci_engine_free(engine);
    return 0;
}

int main(int argc, char **argv) {
    static struct output output;
    tinyci_options *options = tinyci_options_new();
    tinyci_cancel *cancel = tinyci_cancel_new();
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    tinyci_request *hook;
    int status;
    pid_t child;
    (void)argc;

    CHECK(chdir(argv[1]) == 0);
    OK(tinyci_options_add_hook(options, "before_build", &err));
    engine = open_engine(".", options);
    run = start(engine, cancel);
    event = next_of(run, TINYCI_EVENT_HOOK);
    hook = tinyci_event_take_request(event);
    child = fork();
    if (child == 0) _exit(in_child(engine, run, cancel, event, hook));
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK(tinyci_cancel_level(cancel) == 0 && tinyci_request_canceled(hook) == 0);
    OK(tinyci_request_ok(hook, &err));
    while ((event = next(run)) != NULL) collect(&output, event);
    CHECK(same(output.text, "built\n"));
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    tinyci_cancel_free(cancel);
    return 0;
}

/* Hooks of the program: the effect of each answer, and of no answer, on the step.
 * usage: hooks REPOSITORY fail|abort|skip|var|drop|untaken|unfit */
#include "runs.h"

static void answer(tinyci_event *event, const char *how) {
    tinyci_request *hook;
    if (same(how, "untaken")) return;
    hook = tinyci_event_take_request(event);
    CHECK(hook != NULL && tinyci_event_take_request(event) == NULL);
    CHECK(same(tinyci_request_name(hook), "before_build"));
    CHECK(same(tinyci_request_step(hook), "before_build"));
    CHECK(same(tinyci_request_commit(hook), tinyci_event_commit(event)));
    CHECK(same(tinyci_request_job_id(hook), tinyci_event_job_id(event)));
    CHECK(strstr(tinyci_request_export_dir(hook), "/export") != NULL);
    CHECK(tinyci_request_label(hook) == NULL && tinyci_request_command_json(hook) == NULL);
    CHECK(tinyci_request_arg_count(hook) == 0 && tinyci_request_canceled(hook) == 0);
    if (same(how, "fail")) OK(tinyci_request_fail(hook, "the moon is full", 7, &err));
    if (same(how, "abort")) OK(tinyci_request_abort(hook, "the vault is down", 7, &err));
    if (same(how, "skip")) OK(tinyci_request_skip(hook, "no release today", &err));
    if (same(how, "drop")) tinyci_request_free(hook);
    if (same(how, "unfit")) FAILS(tinyci_request_return_int(hook, 1, &err), TINYCI_INVALID_ARG);
    if (same(how, "var")) {
        OK(tinyci_request_set_var(hook, "release", "42", &err));
        FAILS(tinyci_request_set_var(hook, "Not A Name", "", &err), TINYCI_INVALID_ARG);
        FAILS(tinyci_request_set_var(hook, "commit", "", &err), TINYCI_INVALID_ARG);
        FAILS(tinyci_request_command_output(hook, TINYCI_STREAM_STDOUT, NULL, 0, &err),
              TINYCI_INVALID_ARG);
        OK(tinyci_request_ok(hook, &err));
    }
}

int main(int argc, char **argv) {
    static struct output output;
    const char *how = argc > 2 ? argv[2] : "";
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    uint64_t sequence = 0;
    int begun = 0, asked = 0;

    OK(tinyci_options_add_hook(options, "before_build", &err));
    engine = open_engine(argv[1], options);
    run = start(engine, NULL);
    tinyci_engine_free(engine);
    while ((event = next(run)) != NULL) {
        CHECK(tinyci_event_sequence(event) == ++sequence);
        CHECK(tinyci_event_time_ms(event) > 1700000000000u);
        CHECK(strstr(tinyci_event_json(event), "\"sequence\":") != NULL);
        if (tinyci_event_kind(event) == TINYCI_EVENT_STEP_STARTED
            && same(tinyci_event_step(event), "before_build")) begun = 1;
        collect(&output, event);
        if (tinyci_event_kind(event) == TINYCI_EVENT_HOOK) {
            CHECK(begun && ++asked == 1);
            CHECK(strstr(tinyci_event_json(event), "{\"event\":\"hook\",") != NULL);
            CHECK(tinyci_event_outcome(event) == TINYCI_OUTCOME_SUCCESS);
            answer(event, how);
        }
    }
    CHECK(asked == 1);
    if (same(how, "fail"))
        finish(run, TINYCI_OUTCOME_FAILURE, "before_build", TINYCI_OUTCOME_FAILURE,
               "the moon is full (code 7)");
    if (same(how, "abort"))
        finish(run, TINYCI_OUTCOME_ERROR, "before_build", TINYCI_OUTCOME_ERROR,
               "the host aborted the hook `before_build`: the vault is down (code 7)");
    if (same(how, "unfit"))
        finish(run, TINYCI_OUTCOME_ERROR, "before_build", TINYCI_OUTCOME_ERROR,
               "the host aborted the hook `before_build`: `tinyci_request_return_int` cannot "
               "answer a hook");
    if (same(how, "drop") || same(how, "untaken"))
        finish(run, TINYCI_OUTCOME_FAILURE, "before_build", TINYCI_OUTCOME_FAILURE,
               "the host program did not answer the request for the hook `before_build`");
    if (same(how, "skip")) {
        CHECK(same(output.text, "build \n"));
        finish(run, TINYCI_OUTCOME_SUCCESS, "before_build", TINYCI_OUTCOME_SKIPPED,
               "no release today");
    }
    if (same(how, "var")) {
        CHECK(same(output.text, "own 42\nbuild 42\n"));
        finish(run, TINYCI_OUTCOME_SUCCESS, "before_build", TINYCI_OUTCOME_SUCCESS, NULL);
    }
    return 0;
}

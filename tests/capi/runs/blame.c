/* A program that fails itself: scripts cannot catch that, and the commit gets no verdict.
 * usage: blame REPOSITORY FUNCTION|SECRET|COMMAND     (a script that catches what it can) */
#include "runs.h"

static void pass(tinyci_request *request, int32_t kind) {
    if (kind == TINYCI_EVENT_FUNCTION) OK(tinyci_request_return_int(request, 1, &err));
    if (kind == TINYCI_EVENT_SECRET) OK(tinyci_request_return_string(request, "hunter22", &err));
    if (kind == TINYCI_EVENT_COMMAND) OK(tinyci_request_command_finish(request, 0, 0, &err));
}

static tinyci_run *judge(tinyci_engine *engine, int32_t kind, int aborts) {
    tinyci_run *run = start(engine, NULL);
    tinyci_event *event;
    int asked = 0;
    while ((event = next(run)) != NULL) {
        int32_t found = tinyci_event_kind(event);
        tinyci_request *request = tinyci_event_take_request(event);
        int is_after = same(tinyci_event_step(event), "after_all");
        if (request == NULL) continue;
        if (is_after || found != kind) {
            pass(request, found);
            continue;
        }
        asked++;
        if (aborts)
            OK(tinyci_request_abort(request, "the vault is down", 7, &err));
        else
            OK(tinyci_request_fail(request, "not today", 0, &err));
    }
    CHECK(asked == 1);
    return run;
}

int main(int argc, char **argv) {
    tinyci_options *options = tinyci_options_new();
    const char *how = argc > 2 ? argv[2] : "";
    int32_t kind = same(how, "FUNCTION") ? TINYCI_EVENT_FUNCTION
                   : same(how, "SECRET") ? TINYCI_EVENT_SECRET
                                         : TINYCI_EVENT_COMMAND;
    tinyci_engine *engine;
    OK(tinyci_options_add_function(options, "ask", 0, 0, TINYCI_EFFECT_EXTERNAL, NULL, &err));
    OK(tinyci_options_set_handlers(options, TINYCI_HANDLER_SECRET | TINYCI_HANDLER_EXECUTOR, &err));
    engine = open_engine(argv[1], options);
    finish(judge(engine, kind, 1), TINYCI_OUTCOME_ERROR, "build", TINYCI_OUTCOME_ERROR,
           "the vault is down (code 7)");
    /* It is pending again, and scripts can catch a refusal. */
    finish(judge(engine, kind, 0), TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    return 0;
}

/* Functions that the program registers: typed arguments, every type of result, parallel tasks.
 * usage: functions REPOSITORY [unfit]: also answers that do not fit */
#include "runs.h"

static void answer(tinyci_request *call) {
    const char *name = tinyci_request_name(call);
    if (same(name, "host::take")) {
        static const int32_t kinds[] = {TINYCI_VALUE_NULL,   TINYCI_VALUE_BOOL,  TINYCI_VALUE_INT,
                                        TINYCI_VALUE_FLOAT,  TINYCI_VALUE_STRING, TINYCI_VALUE_ARRAY,
                                        TINYCI_VALUE_MAP};
        size_t place;
        CHECK(tinyci_request_arg_count(call) == 7);
        for (place = 0; place < 7; place++)
            CHECK(tinyci_request_arg_kind(call, place) == kinds[place]);
        CHECK(tinyci_request_arg_kind(call, 7) == 0 && tinyci_request_arg_json(call, 7) == NULL);
        CHECK(tinyci_request_arg_int(call, 1) == 1 && tinyci_request_arg_int(call, 2) == -5);
        CHECK(tinyci_request_arg_float(call, 3) == 1.5 && tinyci_request_arg_float(call, 2) == -5);
        CHECK(same(tinyci_request_arg_string(call, 4), "text"));
        CHECK(tinyci_request_arg_string(call, 2) == NULL);
        CHECK(same(tinyci_request_arg_json(call, 4), "\"text\""));
        CHECK(same(tinyci_request_arg_json(call, 5), "[1,\"a\"]"));
        CHECK(same(tinyci_request_arg_json(call, 6), "{\"k\":null}"));
        OK(tinyci_request_return_null(call, &err));
    } else if (same(name, "give")) {
        int64_t which = tinyci_request_arg_int(call, 0);
        if (which == 1) OK(tinyci_request_return_bool(call, 1, &err));
        if (which == 2) OK(tinyci_request_return_int(call, INT64_MIN, &err));
        if (which == 3) OK(tinyci_request_return_float(call, 0.25, &err));
        if (which == 4) OK(tinyci_request_return_string(call, "text", &err));
        if (which == 5) OK(tinyci_request_return_json(call, "{\"a\":[1,true]}", &err));
        if (which == 6) OK(tinyci_request_fail(call, "not today", 0, &err));
        if (which == 7) FAILS(tinyci_request_return_json(call, "{", &err), TINYCI_INVALID_ARG);
        if (which == 8) FAILS(tinyci_request_return_string(call, "\xff", &err), TINYCI_INVALID_ARG);
        if (which == 9) FAILS(tinyci_request_ok(call, &err), TINYCI_INVALID_ARG);
    } else {
        CHECK(same(name, "branch") && same(tinyci_request_step(call), "build"));
        OK(tinyci_request_return_string(call, tinyci_request_label(call), &err));
    }
}

int main(int argc, char **argv) {
    static struct output output;
    static const char expected[] = "true\n-9223372036854775808\n0.25\ntext\n#{\"a\": [1, true]}\n"
                                   "`give` failed: not today\n"
                                   "#{\"left\": \"left\", \"right\": \"right\"}\n";
    tinyci_options *options = tinyci_options_new();
    tinyci_request *waiting = NULL;
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    OK(tinyci_options_add_function(options, "host::take", 7, 7, TINYCI_EFFECT_PURE, NULL, &err));
    OK(tinyci_options_add_function(options, "give", 1, 1, TINYCI_EFFECT_EXTERNAL, "Gives.", &err));
    OK(tinyci_options_add_function(options, "branch", 0, 0, TINYCI_EFFECT_PURE, NULL, &err));
    engine = open_engine(argv[1], options);
    run = start(engine, NULL);
    while ((event = next(run)) != NULL) {
        collect(&output, event);
        if (tinyci_event_kind(event) != TINYCI_EVENT_FUNCTION) continue;
        tinyci_request *call = tinyci_event_take_request(event);
        if (!same(tinyci_request_name(call), "branch")) {
            answer(call);
        } else if (waiting == NULL) {
            /* Two tasks ask at the same time, and are answered in the other order. */
            waiting = call;
        } else {
            answer(call);
            answer(waiting);
        }
    }
    if (argc > 2) {
        /* A mistake of the program, not of the commit: scripts cannot catch it. */
        finish(run, TINYCI_OUTCOME_ERROR, "build", TINYCI_OUTCOME_ERROR,
               "the host aborted the function `give`");
        tinyci_engine_free(engine);
        return 0;
    }
    if (!same(output.text, expected)) {
        fprintf(stderr, "the script printed:\n%s", output.text);
        return 1;
    }
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    return 0;
}

/* Secrets that the program provides, and that output never shows.
 * usage: secrets REPOSITORY      (asks for TEXT, BYTES and FILE; FILE is in the secrets directory) */
#include "runs.h"

int main(int argc, char **argv) {
    static struct output output;
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    int asked = 0;
    (void)argc;

    OK(tinyci_options_set_handlers(options, TINYCI_HANDLER_SECRET, &err));
    engine = open_engine(argv[1], options);
    run = start(engine, NULL);
    while ((event = next(run)) != NULL) {
        collect(&output, event);
        if (tinyci_event_kind(event) != TINYCI_EVENT_SECRET) continue;
        tinyci_request *secret = tinyci_event_take_request(event);
        CHECK(same(tinyci_request_step(secret), "build"));
        asked++;
        if (same(tinyci_request_name(secret), "TEXT"))
            OK(tinyci_request_return_string(secret, "hunter22", &err));
        else if (same(tinyci_request_name(secret), "BYTES"))
            OK(tinyci_request_return_bytes(secret, (const uint8_t *)"swordfish", 9, &err));
        else
            OK(tinyci_request_return_null(secret, &err));
    }
    CHECK(asked == 3);
    if (!same(output.text, "***\n***\n***\n")) {
        fprintf(stderr, "the output is:\n%s", output.text);
        return 1;
    }
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    return 0;
}

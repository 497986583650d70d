#include <signal.h>
#include <stdio.h>
#include <tinyci.h>
static tinyci_cancel *stop;
static void on_sigint(int sig) { (void)sig; tinyci_cancel_trigger(stop); }

int main(int argc, char **argv) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine; tinyci_run *run = NULL; tinyci_records *records = NULL;
    tinyci_event *event; const tinyci_record *record; tinyci_error *err;
    stop = tinyci_cancel_new(); signal(SIGINT, on_sigint);
    tinyci_options_add_hook(options, "before_build", NULL);
    if (tinyci_engine_open(argc > 1 ? argv[1] : ".", options, &engine, &err) == TINYCI_OK
        && tinyci_run_start(engine, NULL, stop, &run, &err) == TINYCI_OK) {
        while (tinyci_run_next(run, -1, &event, &err) == TINYCI_OK) {
            size_t length; const uint8_t *data = tinyci_event_data(event, &length);
            if (tinyci_event_kind(event) == TINYCI_EVENT_OUTPUT) fwrite(data, 1, length, stdout);
            if (tinyci_event_kind(event) == TINYCI_EVENT_HOOK) {
                tinyci_request *hook = tinyci_event_take_request(event);
                tinyci_request_set_var(hook, "release", "42", NULL);
                tinyci_request_ok(hook, NULL);
            }
        }
        if (!err) tinyci_run_records(run, &records, &err);
        while (tinyci_records_next(records, &record, NULL) == TINYCI_OK)
            printf("%s %s\n", tinyci_record_commit(record), tinyci_outcome_name(tinyci_record_outcome(record)));
    }
    if (err) fprintf(stderr, "%s\n", tinyci_error_message(err));
    int failed = err != NULL;
    signal(SIGINT, SIG_DFL);
    tinyci_records_free(records); tinyci_run_free(run); tinyci_engine_free(engine);
    tinyci_options_free(options); tinyci_cancel_free(stop); tinyci_error_free(err);
    return failed;
}

/* The program runs the commands: two jobs at the same time, in an order of its own.
 * usage: commands REPOSITORY     (two commits are pending, each with `build: first`) */
#include "runs.h"

/* Takes commands until two of them wait: this needs two jobs. */
static void take_two(tinyci_run *run, tinyci_request *commands[2]) {
    int taken = 0;
    while (taken < 2) {
        tinyci_event *event = next_of(run, TINYCI_EVENT_COMMAND);
        commands[taken] = tinyci_event_take_request(event);
        CHECK(strstr(tinyci_event_json(event), "\"command\":{\"shell\":\"first\"") != NULL);
        taken++;
    }
}

static void write_all(tinyci_run *run, tinyci_request *command, size_t total, struct output *seen) {
    static char line[1000];
    size_t sent;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (sent = 0; sent < total; sent += sizeof line) {
        tinyci_code status;
        /* A program with one thread makes room by reading events. */
        while ((status = tinyci_request_command_output(command, TINYCI_STREAM_STDOUT,
                                                       (const uint8_t *)line, sizeof line, NULL))
               == TINYCI_AGAIN) {
            size_t length;
            tinyci_event *event = next(run);
            CHECK(event != NULL);
            tinyci_event_data(event, &length);
            if (tinyci_event_kind(event) == TINYCI_EVENT_OUTPUT) seen->length += length;
        }
        CHECK(status == TINYCI_OK);
    }
}

int main(int argc, char **argv) {
    static struct output flood;
    tinyci_options *options = tinyci_options_new();
    tinyci_request *commands[2];
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    tinyci_records *records;
    const tinyci_record *record;
    int red = 0, green = 0;
    size_t length;
    (void)argc;

    OK(tinyci_options_set_jobs(options, 2, &err));
    OK(tinyci_options_set_handlers(options, TINYCI_HANDLER_EXECUTOR, &err));
    engine = open_engine(argv[1], options);
    run = start(engine, NULL);
    take_two(run, commands);
    CHECK(!same(tinyci_request_commit(commands[0]), tinyci_request_commit(commands[1])));
    CHECK(strstr(tinyci_request_command_json(commands[0]), "\"TINYCI_COMMIT\":") != NULL);
    FAILS(tinyci_request_command_output(commands[0], 7, (const uint8_t *)"", 0, &err),
          TINYCI_INVALID_ARG);
    /* The second one first: only its own job waits for the answer. */
    write_all(run, commands[1], 5 << 20, &flood);
    OK(tinyci_request_command_finish(commands[1], 0, 0, &err));
    OK(tinyci_request_command_output(commands[0], TINYCI_STREAM_STDERR, (const uint8_t *)"no\n", 3,
                                     &err));
    OK(tinyci_request_command_finish(commands[0], 0, 15, &err));
    while ((event = next(run)) != NULL) {
        tinyci_event_data(event, &length);
        if (tinyci_event_kind(event) == TINYCI_EVENT_OUTPUT) flood.length += length;
    }
    CHECK(flood.length >= (5 << 20) + 3);
    OK(tinyci_run_records(run, &records, &err));
    while (tinyci_records_next(records, &record, NULL) == TINYCI_OK) {
        if (tinyci_record_passed(record)) {
            green++;
        } else {
            CHECK(tinyci_record_outcome(record) == TINYCI_OUTCOME_FAILURE);
            CHECK(tinyci_record_step_exit_code(record, 0) == 128 + 15);
            red++;
        }
    }
    CHECK(red == 1 && green == 1);
    tinyci_records_free(records);
    tinyci_run_free(run);
    tinyci_engine_free(engine);
    return 0;
}

/* Helpers of the C tests of runs. A failed check prints its place and ends the program. */
#ifndef RUNS_H
#define RUNS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyci.h>

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* A call that must succeed: its last argument is `&err`. */
#define OK(call)                                                                          \
    do {                                                                                  \
        tinyci_error *err = NULL;                                                         \
        if ((call) != TINYCI_OK) {                                                        \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call,                 \
                    err ? tinyci_error_message(err) : "no error");                        \
            exit(1);                                                                      \
        }                                                                                 \
        CHECK(err == NULL);                                                               \
    } while (0)

/* A call that must fail with this code, and with an error that has the same code. */
#define FAILS(call, expected)                                                             \
    do {                                                                                  \
        tinyci_error *err = NULL;                                                         \
        tinyci_code found = (call);                                                     \
        if (found != (expected) || tinyci_error_code(err) != (expected)) {              \
            fprintf(stderr, "%s:%d: %s: status %d\n", __FILE__, __LINE__, #call, found);  \
            exit(1);                                                                      \
        }                                                                                 \
        tinyci_error_free(err);                                                           \
    } while (0)

static inline int same(const char *text, const char *expected) {
    return text != NULL && strcmp(text, expected) == 0;
}

/* Opens an engine and frees the options. */
static inline tinyci_engine *open_engine(const char *path, tinyci_options *options) {
    tinyci_engine *engine;
    OK(tinyci_engine_open(path, options, &engine, &err));
    tinyci_options_free(options);
    return engine;
}

static inline tinyci_run *start(tinyci_engine *engine, const tinyci_cancel *cancel) {
    tinyci_run *run;
    OK(tinyci_run_start(engine, NULL, cancel, &run, &err));
    return run;
}

/* The next event, or NULL after the last; a run that fails ends the program. */
static inline tinyci_event *next(tinyci_run *run) {
    tinyci_event *event;
    tinyci_error *err;
    tinyci_code status = tinyci_run_next(run, -1, &event, &err);
    if (status != TINYCI_OK && status != TINYCI_DONE) {
        fprintf(stderr, "the run failed: %s\n", tinyci_error_message(err));
        exit(1);
    }
    CHECK((event != NULL) == (status == TINYCI_OK) && err == NULL);
    return event;
}

/* Reads events until one of this kind comes. */
static inline tinyci_event *next_of(tinyci_run *run, int32_t kind) {
    tinyci_event *event;
    while ((event = next(run)) != NULL && tinyci_event_kind(event) != kind)
        ;
    CHECK(event != NULL);
    return event;
}

/* Reads events to the end. */
static inline void drain(tinyci_run *run) {
    while (next(run) != NULL)
        ;
}

/* The output of a run, up to the size of the buffer. */
struct output {
    char text[1 << 16];
    size_t length;
};

static inline void collect(struct output *output, const tinyci_event *event) {
    size_t length;
    const uint8_t *data = tinyci_event_data(event, &length);
    if (tinyci_event_kind(event) != TINYCI_EVENT_OUTPUT) return;
    CHECK(length < sizeof output->text - output->length);
    memcpy(output->text + output->length, data, length);
    output->length += length;
    output->text[output->length] = '\0';
}

/* Checks the outcome of the only record, and of one of its steps; frees everything. */
static inline void finish(tinyci_run *run, int32_t outcome, const char *step, int32_t of_step,
                          const char *error) {
    tinyci_records *records;
    const tinyci_record *record;
    size_t place;
    OK(tinyci_run_records(run, &records, &err));
    OK(tinyci_records_next(records, &record, &err));
    if (tinyci_record_outcome(record) != outcome) {
        fprintf(stderr, "the record is %s\n", tinyci_record_json(record));
        exit(1);
    }
    CHECK(tinyci_record_passed(record) == (outcome == TINYCI_OUTCOME_SUCCESS));
    for (place = 0; step != NULL; place++) {
        CHECK(place < tinyci_record_step_count(record));
        if (!same(tinyci_record_step_name(record, place), step)) continue;
        CHECK(tinyci_record_step_outcome(record, place) == of_step);
        if (error != NULL) {
            const char *found = tinyci_record_step_error(record, place);
            if (found == NULL || strstr(found, error) == NULL) {
                fprintf(stderr, "the error of %s is %s\n", step, found ? found : "none");
                exit(1);
            }
        }
        break;
    }
    CHECK(tinyci_records_next(records, &record, NULL) == TINYCI_DONE);
    tinyci_records_free(records);
    tinyci_run_free(run);
}

#endif

/* Two engines on two threads with 64 KiB of stack each, and a request answered from a third.
 * usage: threads REPOSITORY REPOSITORY */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <pthread.h>
#include "runs.h"

static void on_small_stack(pthread_t *thread, void *(*work)(void *), void *argument) {
    pthread_attr_t attributes;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 64 * 1024) == 0);
    CHECK(pthread_create(thread, &attributes, work, argument) == 0);
    pthread_attr_destroy(&attributes);
}

static void *answer(void *argument) {
    tinyci_request *hook = argument;
    OK(tinyci_request_set_var(hook, "release", "42", &err));
    OK(tinyci_request_ok(hook, &err));
    return NULL;
}

static void *host(void *argument) {
    const char *path = argument;
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    tinyci_records *records;
    const tinyci_record *record;

    OK(tinyci_options_add_hook(options, "before_build", &err));
    engine = open_engine(path, options);
    run = start(engine, NULL);
    while ((event = next(run)) != NULL) {
        pthread_t thread;
        CHECK(tinyci_event_json(event) != NULL);
        if (tinyci_event_kind(event) != TINYCI_EVENT_HOOK) continue;
        on_small_stack(&thread, answer, tinyci_event_take_request(event));
        pthread_join(thread, NULL);
    }
    tinyci_run_free(run);
    OK(tinyci_records_query(engine, NULL, TINYCI_OUTCOME_SUCCESS, 0, &records, &err));
    OK(tinyci_records_next(records, &record, &err));
    CHECK(tinyci_record_passed(record) && tinyci_record_json(record) != NULL);
    tinyci_records_free(records);
    tinyci_engine_free(engine);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[2];
    int place;
    (void)argc;
    for (place = 0; place < 2; place++) on_small_stack(&threads[place], host, argv[place + 1]);
    for (place = 0; place < 2; place++) CHECK(pthread_join(threads[place], NULL) == 0);
    return 0;
}

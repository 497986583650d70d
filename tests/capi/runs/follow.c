/* A repository with an active run: a second run returns BUSY, and can follow the first.
 * usage: follow REPOSITORY
 *     (a hook is asked for; the build prints until there is a file `go` in the repository, then
 *     `built`) */
#include "runs.h"

static void touch(const char *folder, const char *name) {
    char path[4096];
    FILE *file;
    CHECK(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
    file = fopen(path, "w");
    CHECK(file != NULL && fclose(file) == 0);
}

int main(int argc, char **argv) {
    static struct output output;
    tinyci_options *options = tinyci_options_new();
    tinyci_selection *selection = tinyci_selection_new();
    tinyci_engine *engine;
    tinyci_run *run, *other, *follow;
    tinyci_event *event;
    tinyci_request *hook;
    tinyci_records *records;
    const tinyci_record *record;
    (void)argc;

    OK(tinyci_options_add_hook(options, "before_build", &err));
    engine = open_engine(argv[1], options);
    run = start(engine, NULL);
    hook = tinyci_event_take_request(next_of(run, TINYCI_EVENT_HOOK));

    OK(tinyci_run_start(engine, NULL, NULL, &other, &err));
    FAILS(tinyci_run_next(other, -1, &event, &err), TINYCI_BUSY);
    FAILS(tinyci_run_next(other, -1, &event, &err), TINYCI_BUSY);
    FAILS(tinyci_run_records(other, &records, &err), TINYCI_BUSY);
    tinyci_run_free(other);

    OK(tinyci_follow_start(engine, NULL, NULL, &follow, &err));
    OK(tinyci_request_ok(hook, &err));
    collect(&output, next_of(follow, TINYCI_EVENT_OUTPUT));
    touch(argv[1], "go");
    drain(run);
    while ((event = next(follow)) != NULL) collect(&output, event);
    CHECK(strstr(output.text, "built\n") != NULL);
    OK(tinyci_run_records(follow, &records, &err));
    CHECK(tinyci_records_next(records, &record, NULL) == TINYCI_DONE && record == NULL);
    tinyci_records_free(records);
    tinyci_run_free(follow);
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);

    OK(tinyci_selection_add_revision(selection, "nonsense", &err));
    OK(tinyci_run_start(engine, selection, NULL, &run, &err));
    FAILS(tinyci_run_next(run, -1, &event, &err), TINYCI_NOT_FOUND);
    tinyci_run_free(run);
    FAILS(tinyci_records_query(engine, selection, 0, 0, &records, &err), TINYCI_NOT_FOUND);
    tinyci_selection_free(selection);

    FAILS(tinyci_records_query(engine, NULL, 99, 0, &records, &err), TINYCI_INVALID_ARG);
    OK(tinyci_records_query(engine, NULL, TINYCI_OUTCOME_FAILURE, 0, &records, &err));
    CHECK(tinyci_records_next(records, &record, NULL) == TINYCI_DONE);
    tinyci_records_free(records);
    OK(tinyci_records_query(engine, NULL, TINYCI_OUTCOME_SUCCESS, 1, &records, &err));
    OK(tinyci_records_next(records, &record, &err));
    CHECK(tinyci_record_started_ms(record) > 1700000000000);
    CHECK(strlen(tinyci_record_commit(record)) == 40);
    CHECK(tinyci_record_branch(record) != NULL && tinyci_record_reason(record) == NULL);
    CHECK(tinyci_record_step_count(record) == 2);
    CHECK(tinyci_record_step_exit_code(record, 1) == 0);
    CHECK(tinyci_record_step_name(record, 2) == NULL && tinyci_record_step_outcome(record, 2) == 0);
    CHECK(same(tinyci_outcome_name(tinyci_record_outcome(record)), "success"));
    tinyci_records_free(records);
    tinyci_engine_free(engine);
    return 0;
}

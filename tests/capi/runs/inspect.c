/* The calls that inspect a repository.
 * usage: inspect REPOSITORY
 *     (the setting `tinyci.jobz` is unknown; `origin` is `/srv/git/app.git`; `below` is a directory;
 *     the script builds with `uname`, deploys with `date`, and has two tests, one of which
 *     fails; a record of HEAD is damaged) */
#include "runs.h"

static char *text_of(char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fprintf(stderr, "no `%s` in: %s\n", part, text);
        exit(1);
    }
    return text;
}

static tinyci_engine *discovered(const char *repository) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    char path[4096], *text;
    OK(tinyci_options_add_function(options, "today", 0, 0, TINYCI_EFFECT_PURE, "The date.", &err));
    snprintf(path, sizeof path, "%s/below", repository);
    FAILS(tinyci_engine_open(path, options, &engine, &err), TINYCI_NOT_A_REPO);
    OK(tinyci_engine_discover(path, options, &engine, &err));
    CHECK(!tinyci_engine_is_bare(engine));
    OK(tinyci_engine_warnings(engine, &text, &err));
    tinyci_string_free(text_of(text, "tinyci.jobz"));
    OK(tinyci_remote_url(engine, NULL, &text, &err));
    CHECK(same(text, "/srv/git/app.git"));
    tinyci_string_free(text);
    FAILS(tinyci_remote_url(engine, "upstream", &text, &err), TINYCI_NOT_FOUND);
    tinyci_engine_free(engine);
    OK(tinyci_engine_discover(repository, options, &engine, &err));
    tinyci_options_free(options);
    return engine;
}

/* The log of a commit, or of all runs, from this many of its last lines. */
static void read_log(tinyci_engine *engine, const char *rev, int64_t lines, uint32_t flags,
                     struct output *log) {
    tinyci_run *run;
    tinyci_event *event;
    tinyci_records *records;
    const tinyci_record *record;
    log->length = 0;
    log->text[0] = '\0';
    OK(tinyci_log_start(engine, rev, lines, flags, NULL, &run, &err));
    while ((event = next(run)) != NULL) {
        CHECK(tinyci_event_kind(event) == TINYCI_EVENT_OUTPUT);
        collect(log, event);
    }
    OK(tinyci_run_records(run, &records, &err));
    CHECK(tinyci_records_next(records, &record, NULL) == TINYCI_DONE);
    tinyci_records_free(records);
    tinyci_run_free(run);
}

static void logs(tinyci_engine *engine) {
    static struct output log;
    tinyci_cancel *cancel = tinyci_cancel_new();
    tinyci_event *event;
    tinyci_run *run;
    char *text;
    OK(tinyci_log_start(engine, "HEAD", -1, 0, NULL, &run, &err));
    FAILS(tinyci_run_next(run, -1, &event, &err), TINYCI_NOT_FOUND);
    tinyci_run_free(run);
    run = start(engine, NULL);
    FAILS(tinyci_run_summary_json(run, &text, &err), TINYCI_INVALID_ARG);
    drain(run);
    OK(tinyci_run_summary_json(run, &text, &err));
    tinyci_string_free(text_of(text_of(text, "\"outcome\":\"success\""), "\"canceled\":false"));
    tinyci_run_free(run);
    read_log(engine, "HEAD", -1, 0, &log);
    CHECK(strstr(log.text, "Building...\n") && strstr(log.text, "built "));
    read_log(engine, NULL, 1, 0, &log);
    CHECK(strchr(log.text, '\n') == log.text + log.length - 1);
    read_log(engine, "HEAD", 0, 0, &log);
    CHECK(log.length == 0);
    /* It ends when the job has ended. */
    read_log(engine, "HEAD", -1, TINYCI_LOG_FOLLOW, &log);
    CHECK(strstr(log.text, "built "));
    OK(tinyci_log_start(engine, NULL, 1, TINYCI_LOG_FOLLOW, cancel, &run, &err));
    CHECK(next(run) != NULL);
    tinyci_cancel_trigger(cancel);
    CHECK(next(run) == NULL);
    tinyci_run_free(run);
    OK(tinyci_log_start(engine, NULL, 0, TINYCI_LOG_FOLLOW, NULL, &run, &err));
    tinyci_run_free(run);
    tinyci_cancel_free(cancel);
}

static void scripts(const tinyci_engine *engine, const char *repository) {
    const char *script = "import \"ci/lib\" as lib;\nfn build(ctx) { lib::make(today()); }\n";
    tinyci_pipeline *pipeline;
    char path[4096], *text;
    OK(tinyci_check_text_json(engine, "HEAD", script, strlen(script), TINYCI_FORMAT_RHAI, "a.rhai",
                              &text, &err));
    tinyci_string_free(text_of(text, "\"valid\":true"));
    OK(tinyci_check_text_json(engine, "HEAD~1", script, strlen(script), TINYCI_FORMAT_RHAI, "a.rhai",
                              &text, &err));
    tinyci_string_free(text_of(text, "\"valid\":false"));
    FAILS(tinyci_check_text_json(engine, "nowhere", script, 3, TINYCI_FORMAT_RHAI, "a", &text, &err),
          TINYCI_NOT_FOUND);

    OK(tinyci_definitions(engine, TINYCI_DEFINITIONS_MARKDOWN, &text, &err));
    tinyci_string_free(text_of(text, "### `today()`\n\nThe date."));
    OK(tinyci_definitions(NULL, TINYCI_DEFINITIONS_MARKDOWN, &text, &err));
    CHECK(strstr(text, "today()") == NULL);
    tinyci_string_free(text);
    OK(tinyci_definitions(engine, TINYCI_DEFINITIONS_JSON, &text, &err));
    CHECK(text[0] == '{' && strchr(text_of(text, "\"today\""), '\n') == NULL);
    tinyci_string_free(text);
    OK(tinyci_definitions(NULL, TINYCI_DEFINITIONS_RHAI, &text, &err));
    tinyci_string_free(text);

    OK(tinyci_test_pipeline_json(engine, "HEAD", NULL, NULL, TINYCI_TEST_COVERAGE, &text, &err));
    text_of(text_of(text, "\"passed\":false"), "\"coverage\":{");
    tinyci_string_free(text_of(text_of(text, "\"test_right\""), "\"test_wrong\""));
    OK(tinyci_test_pipeline_json(engine, NULL, NULL, "right\n", 0, &text, &err));
    text_of(text_of(text, "\"passed\":true"), "\"filtered_out\":1");
    CHECK(strstr(text, "coverage") == NULL);
    tinyci_string_free(text);
    OK(tinyci_test_pipeline_json(engine, NULL, repository, "right", 0, &text, &err));
    tinyci_string_free(text);
    FAILS(tinyci_test_pipeline_json(engine, "HEAD~1", NULL, NULL, 0, &text, &err),
          TINYCI_UNSUPPORTED);
    snprintf(path, sizeof path, "%s/below", repository);
    FAILS(tinyci_test_pipeline_json(engine, NULL, path, NULL, 0, &text, &err), TINYCI_NOT_FOUND);

    OK(tinyci_pipeline_load(engine, "HEAD~1", &pipeline, &err));
    OK(tinyci_pipeline_to_rhai(pipeline, &text, &err));
    tinyci_string_free(text_of(text, "sh(\"make\")"));
    tinyci_pipeline_free(pipeline);
    OK(tinyci_pipeline_load(engine, "HEAD", &pipeline, &err));
    FAILS(tinyci_pipeline_to_rhai(pipeline, &text, &err), TINYCI_INVALID_ARG);
    CHECK(text == NULL);
    tinyci_pipeline_free(pipeline);
}

static void plans(const tinyci_engine *engine) {
    tinyci_selection *selection = tinyci_selection_new();
    tinyci_deploy_request *request = tinyci_deploy_request_new();
    char *text;
    OK(tinyci_selection_add_revision(selection, "HEAD", &err));
    OK(tinyci_plan_json(engine, selection, &text, &err));
    CHECK(strstr(text, "echo built v7") == NULL);
    tinyci_string_free(text);
    OK(tinyci_selection_add_assumption(selection, "uname*", "v7", &err));
    OK(tinyci_selection_add_assumption(selection, "*", "v8", &err));
    OK(tinyci_plan_json(engine, selection, &text, &err));
    tinyci_string_free(text_of(text, "echo built v7"));
    tinyci_selection_free(selection);

    OK(tinyci_deploy_request_add_assumption(request, "date", "Monday", &err));
    OK(tinyci_deploy_plan_json(engine, NULL, request, &text, &err));
    tinyci_string_free(text_of(text, "echo on Monday"));
    tinyci_deploy_request_free(request);
}

static void deployed(tinyci_engine *engine) {
    tinyci_run *run;
    char *text = (char *)1;
    CHECK(tinyci_deployed_json(engine, NULL, &text, NULL) == TINYCI_DONE && text == NULL);
    OK(tinyci_deploy_start(engine, NULL, NULL, NULL, &run, &err));
    drain(run);
    CHECK(tinyci_run_deploy_outcome(run) == TINYCI_OUTCOME_SUCCESS);
    FAILS(tinyci_run_summary_json(run, &text, &err), TINYCI_INVALID_ARG);
    tinyci_run_free(run);
    OK(tinyci_deployed_json(engine, NULL, &text, &err));
    tinyci_string_free(text_of(text_of(text, "\"outcome\":\"success\""), "\"environment\":\"production\""));
}

int main(int argc, char **argv) {
    tinyci_engine *engine;
    char *text;
    CHECK(argc == 2);
    engine = discovered(argv[1]);
    OK(tinyci_unrecognized_lines(engine, "HEAD", &text, &err));
    CHECK(same(text, "damaged\n"));
    tinyci_string_free(text);
    OK(tinyci_unrecognized_lines(engine, "HEAD~1", &text, &err));
    CHECK(same(text, ""));
    tinyci_string_free(text);
    logs(engine);
    scripts(engine, argv[1]);
    plans(engine);
    deployed(engine);
    tinyci_engine_free(engine);
    return 0;
}

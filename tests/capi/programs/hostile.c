/* Invalid arguments for every function: NULL, strings that are not UTF-8, impossible lengths,
   unknown numbers, objects freed in the wrong order. With a stack of 64 KiB. */
#include "check.h"

#define REFUSED(call) GIVES(TINYCI_INVALID_ARG, call)

static const char *repo;
static const char bad[] = "not \xff UTF-8";

/* A string without a final NUL, which is passed with its length. */
static const char unended[3] = {'a', 'b', 'c'};

static void nothing_at_all(void) {
    size_t length = 7;
    CHECK(tinyci_has_feature(NULL) == 0 && tinyci_has_feature("") == 0 && !tinyci_has_feature(bad));
    CHECK(tinyci_code_name(-9999) == NULL && tinyci_outcome_name(-9999) == NULL);
    CHECK(tinyci_error_code(NULL) == TINYCI_OK && tinyci_error_message(NULL) == NULL);
    CHECK(tinyci_error_cause(NULL, 0) == NULL && tinyci_error_file(NULL) == NULL);
    CHECK(tinyci_error_line(NULL) == 0 && tinyci_error_column(NULL) == 0);
    CHECK(tinyci_error_host_code(NULL) == 0);
    CHECK(tinyci_engine_path(NULL) == NULL && tinyci_cancel_level(NULL) == 0);
    CHECK(tinyci_commit_id(NULL) == NULL && tinyci_commit_tree(NULL) == NULL);
    CHECK(tinyci_commit_branch(NULL) == NULL && tinyci_commit_subject(NULL) == NULL);
    CHECK(tinyci_commit_time(NULL) == 0 && tinyci_commit_branch_bytes(NULL, NULL) == NULL);
    CHECK(tinyci_commit_subject_bytes(NULL, &length) == NULL && length == 0);
    CHECK(tinyci_commit_parent_count(NULL) == 0 && tinyci_commit_parent(NULL, 0) == NULL);
    CHECK(tinyci_commit_author(NULL) == NULL && tinyci_commit_message(NULL) == NULL);
    length = 7;
    CHECK(tinyci_commit_author_bytes(NULL, &length) == NULL && length == 0);
    length = 7;
    CHECK(tinyci_commit_message_bytes(NULL, &length) == NULL && length == 0);
    CHECK(tinyci_commit_json(NULL) == NULL && tinyci_engine_is_bare(NULL) == 0);
    CHECK(tinyci_pipeline_step_count(NULL) == 0 && tinyci_pipeline_step_name(NULL, 0) == NULL);
    CHECK(tinyci_run_deploy_outcome(NULL) == 0 && tinyci_request_question(NULL) == NULL);
    tinyci_cancel_trigger(NULL);
    tinyci_error_free(NULL);
    tinyci_string_free(NULL);
    tinyci_options_free(NULL);
    tinyci_engine_free(NULL);
    tinyci_selection_free(NULL);
    tinyci_deploy_request_free(NULL);
    tinyci_commits_free(NULL);
    tinyci_pipeline_free(NULL);
    tinyci_vars_free(NULL);
    tinyci_cancel_free(NULL);
}

static void no_object(void) {
    char *text;
    tinyci_commits *commits;
    const tinyci_commit *commit = (const tinyci_commit *)1;
    tinyci_pipeline *pipeline;
    tinyci_run *run;
    REFUSED(tinyci_options_add_ref(NULL, "x", &err));
    REFUSED(tinyci_options_set_jobs(NULL, 1, &err));
    REFUSED(tinyci_options_set_job_timeout_ms(NULL, 1, &err));
    REFUSED(tinyci_options_set_builds_dir(NULL, "x", &err));
    REFUSED(tinyci_options_set_log_limit(NULL, 1, &err));
    REFUSED(tinyci_options_set_by(NULL, "Ada", "ada@example.org", &err));
    REFUSED(tinyci_options_set_setting(NULL, "jobs", "1", &err));
    REFUSED(tinyci_options_set_env(NULL, "A", "b", &err));
    REFUSED(tinyci_options_set_var(NULL, "a", "b", &err));
    REFUSED(tinyci_options_add_hook(NULL, "before_build", &err));
    REFUSED(tinyci_options_add_function(NULL, "f", 0, 0, TINYCI_EFFECT_PURE, NULL, &err));
    REFUSED(tinyci_options_set_handlers(NULL, 0, &err));
    REFUSED(tinyci_selection_add_revision(NULL, "x", &err));
    REFUSED(tinyci_selection_add_range(NULL, "x", &err));
    REFUSED(tinyci_selection_add_update(NULL, "x", "y", "z", &err));
    REFUSED(tinyci_selection_add_hook_lines(NULL, "x", 1, &err));
    REFUSED(tinyci_selection_set_wait_ms(NULL, 0, &err));
    REFUSED(tinyci_selection_set_retry(NULL, 0, &err));
    REFUSED(tinyci_selection_set_all_history(NULL, 0, &err));
    REFUSED(tinyci_selection_set_pipeline(NULL, NULL, &err));
    REFUSED(tinyci_pending_commits(NULL, NULL, &commits, &err));
    REFUSED(tinyci_commits_next(NULL, &commit, &err));
    CHECK(commit == NULL);
    REFUSED(tinyci_export_commit(NULL, "HEAD", "x", NULL, &err));
    REFUSED(tinyci_pipeline_load(NULL, "HEAD", &pipeline, &err));
    REFUSED(tinyci_vars_set(NULL, "a", "b", &err));
    REFUSED(tinyci_plan_json(NULL, NULL, &text, &err));
    REFUSED(tinyci_check_json(NULL, "HEAD", &text, &err));
    REFUSED(tinyci_check_text_json(NULL, NULL, "", 0, TINYCI_FORMAT_YAML, "x", &text, &err));
    REFUSED(tinyci_selection_add_assumption(NULL, "git*", "", &err));
    REFUSED(tinyci_engine_warnings(NULL, &text, &err));
    REFUSED(tinyci_remote_url(NULL, NULL, &text, &err));
    REFUSED(tinyci_resolve(NULL, "HEAD", &text, &err));
    REFUSED(tinyci_commits_load(NULL, "HEAD", &commits, &err));
    REFUSED(tinyci_pipeline_to_rhai(NULL, &text, &err));
    REFUSED(tinyci_test_pipeline_json(NULL, "HEAD", NULL, NULL, 0, &text, &err));
    REFUSED(tinyci_deployed_json(NULL, NULL, &text, &err));
    REFUSED(tinyci_unrecognized_lines(NULL, "HEAD", &text, &err));
    REFUSED(tinyci_log_start(NULL, NULL, -1, 0, NULL, &run, &err));
    REFUSED(tinyci_run_summary_json(NULL, &text, &err));
    REFUSED(tinyci_results_json(NULL, NULL, 0, 0, 0, &text, &err));
    REFUSED(tinyci_deployments_json(NULL, NULL, 0, NULL, &text, &err));
    REFUSED(tinyci_status_json(NULL, &text, &err));
    REFUSED(tinyci_settings_json(NULL, &text, &err));
    REFUSED(tinyci_install(NULL, NULL, 0, &text, &err));
    REFUSED(tinyci_uninstall(NULL, NULL, &err));
    REFUSED(tinyci_compact(NULL, 0, NULL, NULL, &text, &err));
    REFUSED(tinyci_artifacts_json(NULL, "HEAD", NULL, NULL, &text, &err));
    REFUSED(tinyci_artifacts_copy(NULL, "HEAD", NULL, NULL, "out", 0, NULL, &text, &err));
    REFUSED(tinyci_forget(NULL, "HEAD", &err));
    REFUSED(tinyci_forget_all(NULL, &text, &err));
    CHECK(text == NULL && tinyci_forget(NULL, NULL, NULL) == TINYCI_INVALID_ARG);
}

static void no_object_to_deploy_with(void) {
    char *text;
    tinyci_run *run;
    REFUSED(tinyci_deploy_request_set_revision(NULL, "HEAD", &err));
    REFUSED(tinyci_deploy_request_set_rollback(NULL, 1, &err));
    REFUSED(tinyci_deploy_request_set_force(NULL, 1, &err));
    REFUSED(tinyci_deploy_request_set_by(NULL, "a", "b", &err));
    REFUSED(tinyci_deploy_request_set_plan(NULL, "{}", &err));
    REFUSED(tinyci_deploy_request_add_assumption(NULL, "git*", "", &err));
    REFUSED(tinyci_deploy_plan_json(NULL, NULL, NULL, &text, &err));
    REFUSED(tinyci_deploy_start(NULL, NULL, NULL, NULL, &run, &err));
    CHECK(run == NULL);
    REFUSED(tinyci_rollback_start(NULL, NULL, NULL, &run, &err));
    CHECK(run == NULL);
    REFUSED(tinyci_run_deployment_json(NULL, &text, &err));
    REFUSED(tinyci_approve(NULL, NULL, "HEAD", &text, &err));
    CHECK(text == NULL);
    REFUSED(tinyci_unlock_deployments(NULL, NULL, "x", &err));
    REFUSED(tinyci_prune(NULL, 1, -1, -1, 0, NULL, NULL, &err));
    REFUSED(tinyci_setup_remote(NULL, NULL, &text, &err));
    REFUSED(tinyci_undo_setup_remote(NULL, NULL, &text, &err));
    REFUSED(tinyci_merge_results(NULL, NULL, &err));
}

static void bad_options(void) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    tinyci_error *error;
    OK(tinyci_options_set_jobs(options, UINT32_MAX, &err));
    REFUSED(tinyci_options_set_job_timeout_ms(options, -1, &err));
    REFUSED(tinyci_options_set_job_timeout_ms(options, 0, &err));
    REFUSED(tinyci_options_set_jobs(options, 0, &err));
    REFUSED(tinyci_options_add_ref(options, NULL, &err));
    REFUSED(tinyci_options_add_ref(options, bad, &err));
    REFUSED(tinyci_options_set_builds_dir(options, NULL, &err));
    REFUSED(tinyci_options_set_builds_dir(options, "", &err));
    REFUSED(tinyci_options_set_builds_dir(options, bad, &err));
    REFUSED(tinyci_options_set_log_limit(options, 0, &err));
    REFUSED(tinyci_options_set_setting(options, NULL, NULL, &err));
    REFUSED(tinyci_options_set_setting(options, "jbos", "1", &err));
    REFUSED(tinyci_options_set_setting(options, "jobs", "many", &err));
    REFUSED(tinyci_options_set_env(options, "", "x", &err));
    REFUSED(tinyci_options_set_env(options, "A=B", "x", &err));
    REFUSED(tinyci_options_set_env(options, "A", bad, &err));
    REFUSED(tinyci_options_set_var(options, "commit", "x", &err));
    REFUSED(tinyci_options_set_var(options, "A b", "x", &err));
    REFUSED(tinyci_options_set_var(options, "a", NULL, &err));
    REFUSED(tinyci_options_set_by(options, NULL, "ada@example.org", &err));
    REFUSED(tinyci_options_set_by(options, "Ada", bad, &err));
    REFUSED(tinyci_options_add_hook(options, "build", &err));
    REFUSED(tinyci_options_add_hook(options, NULL, &err));
    REFUSED(tinyci_options_add_function(options, "f", 2, 1, TINYCI_EFFECT_PURE, NULL, &err));
    REFUSED(tinyci_options_add_function(options, "f", 0, UINT32_MAX, TINYCI_EFFECT_PURE, "", &err));
    REFUSED(tinyci_options_add_function(options, "f", 0, 1, 0, NULL, &err));
    REFUSED(tinyci_options_add_function(options, NULL, 0, 1, TINYCI_EFFECT_PURE, NULL, &err));
    REFUSED(tinyci_options_set_handlers(options, UINT32_MAX, &err));
    /* Only the first mistake is reported. */
    CHECK(tinyci_engine_open(repo, options, &engine, &error) == TINYCI_INVALID_ARG);
    CHECK(engine == NULL && strstr(tinyci_error_message(error), "`timeout_ms` -1"));
    tinyci_error_free(error);
    tinyci_options_free(options);
    options = tinyci_options_new();
    OK(tinyci_options_add_ref(options, "refs/notes/x", &err));
    REFUSED(tinyci_engine_open(repo, options, &engine, &err));
    tinyci_options_free(options);
}

static void bad_texts(const tinyci_engine *engine) {
    tinyci_selection *selection = tinyci_selection_new();
    tinyci_vars *vars = tinyci_vars_new();
    tinyci_pipeline *pipeline;
    tinyci_engine *none;
    tinyci_commits *commits;
    tinyci_run *run;
    char *text;
    REFUSED(tinyci_engine_open(NULL, NULL, &none, &err));
    REFUSED(tinyci_engine_open(repo, NULL, NULL, &err));
    GIVES(TINYCI_NOT_A_REPO, tinyci_engine_open("/nonexistent/\xff", NULL, &none, &err));
    GIVES(TINYCI_NOT_A_REPO, tinyci_engine_open("", NULL, &none, &err));
    REFUSED(tinyci_selection_add_revision(selection, NULL, &err));
    REFUSED(tinyci_selection_add_revision(selection, bad, &err));
    REFUSED(tinyci_selection_add_range(selection, bad, &err));
    REFUSED(tinyci_selection_add_update(selection, NULL, NULL, NULL, &err));
    REFUSED(tinyci_selection_add_update(selection, "a", "b", "refs/x\nrefs/y", &err));
    REFUSED(tinyci_selection_add_hook_lines(selection, NULL, 1, &err));
    REFUSED(tinyci_selection_add_hook_lines(selection, unended, SIZE_MAX, &err));
    REFUSED(tinyci_selection_add_hook_lines(selection, unended, (SIZE_MAX >> 1) + 1, &err));
    REFUSED(tinyci_selection_add_hook_lines(selection, unended, sizeof unended, &err));
    OK(tinyci_selection_add_hook_lines(selection, NULL, 0, &err));
    REFUSED(tinyci_selection_set_wait_ms(selection, INT64_MIN, &err));
    OK(tinyci_selection_set_wait_ms(selection, INT64_MAX, &err));
    REFUSED(tinyci_selection_set_pipeline(selection, NULL, &err));
    REFUSED(tinyci_vars_set(vars, bad, "x", &err));
    REFUSED(tinyci_vars_set(vars, "", "x", &err));
    REFUSED(tinyci_interpolate(NULL, NULL, &text, &err));
    REFUSED(tinyci_interpolate(bad, vars, &text, &err));
    REFUSED(tinyci_interpolate("x", vars, NULL, &err));
    REFUSED(tinyci_export_commit(engine, NULL, "x", NULL, &err));
    REFUSED(tinyci_export_commit(engine, "HEAD", NULL, NULL, &err));
    GIVES(TINYCI_IO, tinyci_export_commit(engine, "HEAD", "/proc/nothing/\xff", NULL, &err));
    REFUSED(tinyci_pipeline_load(engine, NULL, &pipeline, &err));
    REFUSED(tinyci_pipeline_load(engine, bad, &pipeline, &err));
    REFUSED(tinyci_pipeline_load(engine, "HEAD", NULL, &err));
    REFUSED(tinyci_pipeline_parse(NULL, NULL, 1, TINYCI_FORMAT_YAML, "x", &pipeline, &err));
    REFUSED(tinyci_pipeline_parse(NULL, unended, SIZE_MAX, TINYCI_FORMAT_YAML, "x", &pipeline, &err));
    REFUSED(tinyci_pipeline_parse(NULL, "", 0, TINYCI_FORMAT_YAML, NULL, &pipeline, &err));
    GIVES(TINYCI_CONFIG, tinyci_pipeline_parse(NULL, bad, sizeof bad, TINYCI_FORMAT_YAML, "a\xe2\x82\xac",
                                               &pipeline, &err));
    REFUSED(tinyci_check_json(engine, bad, &text, &err));
    REFUSED(tinyci_check_text_json(engine, NULL, bad, 3, -1, "x", &text, &err));
    REFUSED(tinyci_check_text_json(engine, bad, "", 0, TINYCI_FORMAT_YAML, "x", &text, &err));
    REFUSED(tinyci_engine_discover(NULL, NULL, &none, &err));
    GIVES(TINYCI_NOT_A_REPO, tinyci_engine_discover("/nonexistent/\xff", NULL, &none, &err));
    REFUSED(tinyci_engine_warnings(engine, NULL, &err));
    REFUSED(tinyci_remote_url(engine, bad, &text, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_remote_url(engine, NULL, &text, &err));
    REFUSED(tinyci_resolve(engine, NULL, &text, &err));
    REFUSED(tinyci_resolve(engine, bad, &text, &err));
    REFUSED(tinyci_resolve(engine, "", &text, &err));
    REFUSED(tinyci_commits_load(engine, NULL, &commits, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_commits_load(engine, "nowhere", &commits, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_commits_load(engine, "HEAD\nnowhere", &commits, &err));
    CHECK(commits == NULL);
    OK(tinyci_commits_load(engine, "", &commits, &err));
    tinyci_commits_free(commits);
    REFUSED(tinyci_selection_add_assumption(selection, NULL, "x", &err));
    REFUSED(tinyci_selection_add_assumption(selection, "x", bad, &err));
    REFUSED(tinyci_definitions(NULL, 0, &text, &err));
    REFUSED(tinyci_definitions(engine, INT32_MAX, &text, &err));
    REFUSED(tinyci_definitions(NULL, TINYCI_DEFINITIONS_JSON, NULL, &err));
    REFUSED(tinyci_test_pipeline_json(engine, "HEAD", ".", NULL, 0, &text, &err));
    REFUSED(tinyci_test_pipeline_json(engine, bad, NULL, NULL, 0, &text, &err));
    REFUSED(tinyci_test_pipeline_json(engine, NULL, NULL, bad, 0, &text, &err));
    REFUSED(tinyci_test_pipeline_json(engine, NULL, NULL, NULL, 2, &text, &err));
    CHECK(text == NULL);
    REFUSED(tinyci_unrecognized_lines(engine, NULL, &text, &err));
    REFUSED(tinyci_log_start(engine, bad, -1, 0, NULL, &run, &err));
    REFUSED(tinyci_log_start(engine, NULL, INT64_MIN, 0, NULL, &run, &err));
    REFUSED(tinyci_log_start(engine, NULL, 1, 2, NULL, &run, &err));
    CHECK(run == NULL);
    REFUSED(tinyci_results_json(engine, NULL, 99, 0, 0, &text, &err));
    REFUSED(tinyci_results_json(engine, NULL, 0, 0, UINT32_MAX, &text, &err));
    OK(tinyci_results_json(engine, NULL, TINYCI_OUTCOME_SUCCESS, SIZE_MAX, 0, &text, &err));
    tinyci_string_free(text);
    REFUSED(tinyci_plan_json(engine, NULL, NULL, &err));
    REFUSED(tinyci_pending_commits(engine, NULL, NULL, &err));
    REFUSED(tinyci_install(engine, bad, 0, NULL, &err));
    REFUSED(tinyci_compact(engine, SIZE_MAX, bad, NULL, NULL, &err));
    REFUSED(tinyci_artifacts_json(engine, NULL, NULL, NULL, &text, &err));
    REFUSED(tinyci_artifacts_json(engine, "HEAD", bad, NULL, &text, &err));
    REFUSED(tinyci_artifacts_json(engine, "HEAD", NULL, NULL, NULL, &err));
    REFUSED(tinyci_artifacts_copy(engine, "HEAD", NULL, bad, "out", 0, NULL, NULL, &err));
    REFUSED(tinyci_artifacts_copy(engine, "HEAD", NULL, NULL, NULL, 0, NULL, NULL, &err));
    REFUSED(tinyci_artifacts_copy(engine, "HEAD", NULL, NULL, "out", 2, NULL, NULL, &err));
    REFUSED(tinyci_steps_start(engine, NULL, "build", 0, NULL, &run, &err));
    REFUSED(tinyci_steps_start(engine, "HEAD", NULL, 0, NULL, &run, &err));
    REFUSED(tinyci_steps_start(engine, "HEAD", "build", 2, NULL, &run, &err));
    REFUSED(tinyci_steps_start(engine, "HEAD", "build", TINYCI_STEPS_KEEP, NULL, NULL, &err));
    REFUSED(tinyci_forget(engine, NULL, &err));
    /* Strings with a NUL inside. */
    GIVES(TINYCI_CONFIG, tinyci_pipeline_parse(NULL, "a\0b", 3, TINYCI_FORMAT_YAML, "x", &pipeline, &err));
    tinyci_vars_free(vars);
    tinyci_selection_free(selection);
}

static void bad_deployments(const tinyci_engine *engine) {
    static const char *plans[] = {
        "", "null", "{}", "[1]", "not \xff UTF-8",
        "{\"environment\":\"a\",\"commit\":{\"id\":\"5\"},\"deployed\":null,\"forced\":false,\"rollback\":false}",
        /* Without `running` it would be one that found nothing deployed. */
        "{\"environment\":\"a\",\"commit\":{\"id\":\"0123456789012345678901234567890123456789\"},"
        "\"forced\":false,\"rollback\":false}",
    };
    tinyci_deploy_request *request = tinyci_deploy_request_new();
    tinyci_run *run;
    char *text, *warnings;
    size_t place;
    for (place = 0; place < sizeof plans / sizeof *plans; place++)
        REFUSED(tinyci_deploy_request_set_plan(request, plans[place], &err));
    REFUSED(tinyci_deploy_request_set_plan(request, NULL, &err));
    REFUSED(tinyci_deploy_request_set_revision(request, bad, &err));
    REFUSED(tinyci_deploy_request_set_by(request, "Ada", NULL, &err));
    REFUSED(tinyci_deploy_request_set_by(request, bad, "x", &err));
    REFUSED(tinyci_deploy_request_add_assumption(request, bad, "x", &err));
    REFUSED(tinyci_deploy_request_add_assumption(request, "x", NULL, &err));
    GIVES(TINYCI_DONE, tinyci_deployed_json(engine, NULL, &text, &err));
    CHECK(text == NULL);
    REFUSED(tinyci_deployed_json(engine, "../up", &text, &err));
    OK(tinyci_deploy_request_set_revision(request, NULL, &err));
    REFUSED(tinyci_deploy_plan_json(engine, bad, request, &text, &err));
    REFUSED(tinyci_deploy_plan_json(engine, "../up", request, &text, &err));
    REFUSED(tinyci_deploy_plan_json(engine, NULL, request, NULL, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_deploy_plan_json(engine, NULL, request, &text, &err));
    REFUSED(tinyci_deploy_start(engine, bad, request, NULL, &run, &err));
    REFUSED(tinyci_deploy_start(engine, NULL, request, NULL, NULL, &err));
    REFUSED(tinyci_rollback_start(engine, bad, NULL, &run, &err));
    CHECK(run == NULL);
    REFUSED(tinyci_approve(engine, NULL, NULL, &text, &err));
    REFUSED(tinyci_approve(engine, "", "HEAD", &text, &err));
    REFUSED(tinyci_unlock_deployments(engine, NULL, NULL, &err));
    REFUSED(tinyci_unlock_deployments(engine, NULL, "", &err));
    warnings = (char *)1;
    REFUSED(tinyci_deployments_json(engine, "/", 0, &warnings, &text, &err));
    CHECK(warnings == NULL && text == NULL);
    REFUSED(tinyci_deployments_json(engine, NULL, 0, &warnings, NULL, &err));
    CHECK(warnings == NULL);
    REFUSED(tinyci_status_json(engine, NULL, &err));
    REFUSED(tinyci_settings_json(engine, NULL, &err));
    REFUSED(tinyci_prune(engine, -2, -1, -1, 0, NULL, NULL, &err));
    REFUSED(tinyci_prune(engine, -1, INT64_MIN, -1, 0, NULL, NULL, &err));
    REFUSED(tinyci_prune(engine, 1, -1, -1, UINT32_MAX, NULL, &text, &err));
    OK(tinyci_prune(engine, INT64_MAX, INT64_MAX, INT64_MAX, 0, NULL, &text, &err));
    tinyci_string_free(text);
    REFUSED(tinyci_setup_remote(engine, bad, NULL, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_setup_remote(engine, "", NULL, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_undo_setup_remote(engine, NULL, NULL, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_merge_results(engine, "nowhere", &err));
    tinyci_deploy_request_free(request);
}

/* Nesting deeper than any stack is an error, not a crash. */
static void deep(void) {
    size_t length = 20000;
    char *text = malloc(length);
    tinyci_pipeline *pipeline;
    CHECK(text != NULL);
    memset(text, '[', length);
    GIVES(TINYCI_CONFIG, tinyci_pipeline_parse(NULL, text, length, TINYCI_FORMAT_YAML, "deep", &pipeline, &err));
    memset(text, '(', length);
    memcpy(text, "fn build() {", 12);
    if (tinyci_has_feature("rhai")) {
        GIVES(TINYCI_SCRIPT, tinyci_pipeline_parse(NULL, text, length, TINYCI_FORMAT_RHAI, "deep.rhai", &pipeline, &err));
    }
    free(text);
}

/* Objects created from an engine outlive it and its options. */
static void wrong_order(void) {
    tinyci_options *options = tinyci_options_new();
    tinyci_selection *selection = tinyci_selection_new();
    tinyci_engine *engine;
    tinyci_commits *commits;
    const tinyci_commit *commit;
    OK(tinyci_engine_open(repo, options, &engine, &err));
    tinyci_options_free(options);
    OK(tinyci_pending_commits(engine, selection, &commits, &err));
    tinyci_engine_free(engine);
    tinyci_selection_free(selection);
    OK(tinyci_commits_next(commits, &commit, &err));
    CHECK(strcmp(tinyci_commit_subject(commit), "first") == 0);
    tinyci_commits_free(commits);
}

static void *all(void *unused) {
    tinyci_engine *engine;
    nothing_at_all();
    no_object();
    no_object_to_deploy_with();
    bad_options();
    OK(tinyci_engine_open(repo, NULL, &engine, &err));
    bad_texts(engine);
    bad_deployments(engine);
    deep();
    wrong_order();
    /* An object stays usable after an error. */
    bad_texts(engine);
    tinyci_engine_free(engine);
    return unused;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    repo = argv[1];
    on_small_stack(all, NULL);
    return 0;
}

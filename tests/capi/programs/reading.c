/* The calls that run nothing: open, find, export, read, report. With a stack of 64 KiB. */
#include "check.h"

#include <unistd.h>

static const char *repo, *empty;

static tinyci_engine *opened(void) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    OK(tinyci_options_add_ref(options, "refs/heads/*", &err));
    OK(tinyci_options_set_jobs(options, 2, &err));
    OK(tinyci_options_set_job_timeout_ms(options, 60000, &err));
    OK(tinyci_options_set_builds_dir(options, "made/here", &err));
    OK(tinyci_options_set_log_limit(options, 1 << 20, &err));
    OK(tinyci_options_set_setting(options, "commandtimeout", "30s", &err));
    OK(tinyci_options_set_env(options, "COLOUR", "blue", &err));
    OK(tinyci_options_set_env(options, "LANG", NULL, &err));
    OK(tinyci_options_set_var(options, "release", "42", &err));
    OK(tinyci_options_add_hook(options, "before_build", &err));
    OK(tinyci_options_add_function(options, "chat::post", 1, 2, TINYCI_EFFECT_EXTERNAL, NULL, &err));
    OK(tinyci_options_set_handlers(options, TINYCI_HANDLER_SECRET | TINYCI_HANDLER_APPROVAL, &err));
    OK(tinyci_engine_open(repo, options, &engine, &err));
    tinyci_options_free(options);
    CHECK(strstr(tinyci_engine_path(engine), "repo"));
    return engine;
}

static void scanning(const tinyci_engine *engine) {
    tinyci_commits *commits;
    const tinyci_commit *commit;
    size_t length;
    const uint8_t *bytes;
    OK(tinyci_pending_commits(engine, NULL, &commits, &err));
    OK(tinyci_commits_next(commits, &commit, &err));
    CHECK(strcmp(tinyci_commit_subject(commit), "first") == 0);
    CHECK(strcmp(tinyci_commit_branch(commit), "main") == 0);
    CHECK(strlen(tinyci_commit_id(commit)) == 40 && strlen(tinyci_commit_tree(commit)) == 40);
    CHECK(tinyci_commit_time(commit) > 1000000000);
    bytes = tinyci_commit_branch_bytes(commit, &length);
    CHECK(length == 4 && memcmp(bytes, "main", 4) == 0);
    OK(tinyci_commits_next(commits, &commit, &err));
    CHECK(strcmp(tinyci_commit_subject(commit), "caf\xef\xbf\xbd second") == 0);
    bytes = tinyci_commit_subject_bytes(commit, &length);
    CHECK(length == 11 && memcmp(bytes, "caf\xe9 second", 11) == 0);
    GIVES(TINYCI_DONE, tinyci_commits_next(commits, &commit, &err));
    CHECK(commit == NULL);
    GIVES(TINYCI_DONE, tinyci_commits_next(commits, &commit, &err));
    tinyci_commits_free(commits);
}

static void loading(const tinyci_engine *engine) {
    tinyci_commits *commits;
    const tinyci_commit *commit, *first;
    const uint8_t *bytes;
    size_t length;
    char *id;
    OK(tinyci_resolve(engine, "HEAD", &id, &err));
    CHECK(strlen(id) == 40);
    OK(tinyci_commits_load(engine, "HEAD", &commits, &err));
    OK(tinyci_commits_next(commits, &commit, &err));
    CHECK(strcmp(tinyci_commit_id(commit), id) == 0);
    CHECK(strcmp(tinyci_commit_author(commit), "Ada <ada@example.org>") == 0);
    bytes = tinyci_commit_author_bytes(commit, &length);
    CHECK(length == 21 && memcmp(bytes, "Ada <ada@example.org>", 21) == 0);
    CHECK(strcmp(tinyci_commit_message(commit), "caf\xef\xbf\xbd second\n") == 0);
    bytes = tinyci_commit_message_bytes(commit, &length);
    CHECK(length == 12 && memcmp(bytes, "caf\xe9 second\n", 12) == 0);
    CHECK(strstr(tinyci_commit_json(commit), id) && strstr(tinyci_commit_json(commit), "\"time\":"));
    CHECK(tinyci_commit_parent_count(commit) == 1 && tinyci_commit_parent(commit, 1) == NULL);
    GIVES(TINYCI_DONE, tinyci_commits_next(commits, &first, &err));
    tinyci_string_free(id);
    OK(tinyci_resolve(engine, "HEAD~1", &id, &err));
    CHECK(strcmp(tinyci_commit_parent(commit, 0), id) == 0);
    tinyci_string_free(id);
    tinyci_commits_free(commits);
    OK(tinyci_commits_load(engine, "HEAD\nHEAD~1\nHEAD", &commits, &err));
    OK(tinyci_commits_next(commits, &commit, &err));
    OK(tinyci_commits_next(commits, &first, &err));
    CHECK(strcmp(tinyci_commit_subject(first), "first") == 0);
    CHECK(tinyci_commit_parent_count(first) == 0 && tinyci_commit_parent(first, 0) == NULL);
    OK(tinyci_commits_next(commits, &first, &err));
    CHECK(strcmp(tinyci_commit_id(first), tinyci_commit_id(commit)) == 0);
    GIVES(TINYCI_DONE, tinyci_commits_next(commits, &first, &err));
    tinyci_commits_free(commits);
}

static void selecting(const tinyci_engine *engine) {
    tinyci_selection *selection = tinyci_selection_new();
    tinyci_commits *commits;
    const tinyci_commit *commit;
    tinyci_pipeline *pipeline;
    char *json;
    const char *line = "0000000000000000000000000000000000000000 "
                       "0000000000000000000000000000000000000000 refs/heads/gone\n";
    OK(tinyci_selection_add_revision(selection, "HEAD~1", &err));
    OK(tinyci_selection_set_wait_ms(selection, -1, &err));
    OK(tinyci_selection_set_retry(selection, 1, &err));
    OK(tinyci_selection_set_all_history(selection, 1, &err));
    OK(tinyci_pending_commits(engine, selection, &commits, &err));
    OK(tinyci_commits_next(commits, &commit, &err));
    CHECK(strcmp(tinyci_commit_subject(commit), "first") == 0);
    GIVES(TINYCI_DONE, tinyci_commits_next(commits, &commit, &err));
    tinyci_commits_free(commits);
    OK(tinyci_selection_add_range(selection, "HEAD~1..HEAD", &err));
    OK(tinyci_selection_add_hook_lines(selection, line, strlen(line), &err));
    OK(tinyci_plan_json(engine, selection, &json, &err));
    CHECK(!tinyci_has_feature("rhai") || strstr(json, "\"dry_runs\":[{") != NULL);
    tinyci_string_free(json);
    OK(tinyci_pipeline_parse(engine, "build: make\n", 12, TINYCI_FORMAT_YAML, "p", &pipeline, &err));
    OK(tinyci_selection_set_pipeline(selection, pipeline, &err));
    tinyci_pipeline_free(pipeline);
    OK(tinyci_plan_json(engine, selection, &json, &err));
    CHECK(strncmp(json, "{\"v\":1,\"jobs\":[{", 16) == 0);
    tinyci_string_free(json);
    GIVES(TINYCI_INVALID_ARG, tinyci_selection_set_wait_ms(selection, -2, &err));
    GIVES(TINYCI_INVALID_ARG, tinyci_selection_add_hook_lines(selection, "x", 1, &err));
    GIVES(TINYCI_INVALID_ARG, tinyci_selection_add_update(selection, "1", "2", "refs/x", &err));
    OK(tinyci_selection_add_revision(selection, "nowhere", &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_pending_commits(engine, selection, &commits, &err));
    CHECK(commits == NULL);
    tinyci_selection_free(selection);
}

static void configs(const tinyci_engine *engine) {
    tinyci_pipeline *pipeline;
    tinyci_error *error;
    char *json;
    const char *bad = "build: 5\n";
    OK(tinyci_pipeline_load(engine, "HEAD", &pipeline, &err));
    CHECK(tinyci_pipeline_step_count(pipeline) == 2);
    CHECK(strcmp(tinyci_pipeline_step_name(pipeline, 1), "test") == 0);
    CHECK(tinyci_pipeline_step_name(pipeline, 2) == NULL);
    CHECK(tinyci_pipeline_step_name(pipeline, SIZE_MAX) == NULL);
    tinyci_pipeline_free(pipeline);
    CHECK(tinyci_pipeline_parse(NULL, bad, strlen(bad), TINYCI_FORMAT_YAML, "ci.yml", &pipeline,
                                &error) == TINYCI_CONFIG);
    CHECK(pipeline == NULL && tinyci_error_line(error) == 1 && tinyci_error_column(error) == 8);
    CHECK(strcmp(tinyci_error_file(error), "ci.yml") == 0);
    CHECK(strncmp(tinyci_error_message(error), "ci.yml:1:8: ", 12) == 0);
    CHECK(tinyci_error_host_code(error) == 0 && tinyci_error_cause(error, SIZE_MAX) == NULL);
    tinyci_error_free(error);
    GIVES(TINYCI_INVALID_ARG, tinyci_pipeline_parse(NULL, bad, 9, 7, "ci", &pipeline, &err));
    OK(tinyci_check_json(engine, "HEAD", &json, &err));
    CHECK(strcmp(json, "{\"v\":1,\"file\":\"HEAD\",\"valid\":true,\"problems\":[]}") == 0);
    tinyci_string_free(json);
    OK(tinyci_check_text_json(engine, NULL, bad, strlen(bad), TINYCI_FORMAT_YAML, "a.yml", &json, &err));
    CHECK(strstr(json, "\"valid\":false"));
    CHECK(strstr(json, "\"severity\":\"error\",\"line\":1,\"column\":8"));
    tinyci_string_free(json);
    if (tinyci_has_feature("rhai")) {
        const char *script = "fn build() { chat::post(\"hello\"); }\n";
        OK(tinyci_pipeline_parse(engine, script, strlen(script), TINYCI_FORMAT_RHAI, "ci.rhai",
                                 &pipeline, &err));
        CHECK(strcmp(tinyci_pipeline_step_name(pipeline, 0), "build") == 0);
        tinyci_pipeline_free(pipeline);
        GIVES(TINYCI_SCRIPT, tinyci_pipeline_parse(NULL, script, strlen(script), TINYCI_FORMAT_RHAI,
                                                   "ci.rhai", &pipeline, &err));
    }
    OK(tinyci_results_json(engine, NULL, 0, 0, 0, &json, &err));
    CHECK(strcmp(json, "") == 0);
    tinyci_string_free(json);
}

static void filling(void) {
    tinyci_vars *vars = tinyci_vars_new();
    tinyci_error *error;
    char *text;
    OK(tinyci_vars_set(vars, "release", "42", &err));
    OK(tinyci_vars_set(vars, "odd", "a b", &err));
    OK(tinyci_interpolate("v<%= release %>", vars, &text, &err));
    CHECK(strcmp(text, "v42") == 0);
    tinyci_string_free(text);
    CHECK(tinyci_interpolate("x\n<%= odd %>", vars, &text, &error) == TINYCI_INTERPOLATE);
    CHECK(text == NULL && tinyci_error_line(error) == 2);
    tinyci_error_free(error);
    OK(tinyci_interpolate("plain", NULL, &text, &err));
    tinyci_string_free(text);
    tinyci_vars_free(vars);
}

static void acting(const tinyci_engine *engine) {
    tinyci_cancel *cancel = tinyci_cancel_new();
    char *notes, path[4096];
    snprintf(path, sizeof path, "%s/tree", empty);
    OK(tinyci_export_commit(engine, "HEAD", path, NULL, &err));
    GIVES(TINYCI_INVALID_ARG, tinyci_export_commit(engine, "HEAD", path, NULL, &err));
    strcat(path, "/.tinyci.yml");
    CHECK(access(path, R_OK) == 0);
    tinyci_cancel_trigger(cancel);
    CHECK(tinyci_cancel_level(cancel) == 1);
    snprintf(path, sizeof path, "%s/canceled", empty);
    GIVES(TINYCI_CANCELED, tinyci_export_commit(engine, "HEAD", path, cancel, &err));
    CHECK(access(path, F_OK) != 0);
    tinyci_cancel_free(cancel);
    OK(tinyci_install(engine, NULL, 0, &notes, &err));
    tinyci_string_free(notes);
    OK(tinyci_install(engine, "/opt/tinyci", TINYCI_INSTALL_HIDE_REFS, NULL, &err));
    OK(tinyci_uninstall(engine, &notes, &err));
    tinyci_string_free(notes);
    OK(tinyci_compact(engine, 1, "one\ntwo\n", NULL, &notes, &err));
    CHECK(strstr(notes, "\"compacted\":[],\"unmatched\":[\"one\",\"two\"],\"not_removed\":[]") != NULL);
    tinyci_string_free(notes);
    GIVES(TINYCI_NOT_FOUND, tinyci_artifacts_json(engine, "HEAD", NULL, NULL, &notes, &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_artifacts_copy(engine, "HEAD", "job", "a\n", path, TINYCI_ARTIFACTS_FORCE, NULL, NULL, &err));
    CHECK(access(path, F_OK) != 0);
    GIVES(TINYCI_DONE, tinyci_forget(engine, "HEAD", &err));
    GIVES(TINYCI_NOT_FOUND, tinyci_forget(engine, "nowhere", &err));
    OK(tinyci_forget_all(engine, &notes, &err));
    CHECK(strstr(notes, "\"removed\":[") != NULL);
    tinyci_string_free(notes);
    GIVES(TINYCI_INVALID_ARG, tinyci_install(engine, NULL, 1u << 31, NULL, &err));
}

static void *all(void *unused) {
    tinyci_engine *engine = opened();
    scanning(engine);
    loading(engine);
    selecting(engine);
    configs(engine);
    filling();
    acting(engine);
    tinyci_engine_free(engine);
    return unused;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    repo = argv[1];
    empty = argv[2];
    on_small_stack(all, NULL);
    return 0;
}

/* The program changes its working directory to one with another repository of the same name, and
 * changes the link by which it opened the first. Its engines still use the first.
 * usage: moved REPOSITORY OTHER      (both called `work`; the first one says `here`) */
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>
#include "runs.h"

static void runs_here(tinyci_engine *engine) {
    static struct output output;
    tinyci_selection *selection = tinyci_selection_new();
    tinyci_run *run;
    tinyci_event *event;
    int asked = 0;
    output.length = 0;
    OK(tinyci_selection_add_revision(selection, "HEAD", &err));
    OK(tinyci_selection_set_retry(selection, 1, &err));
    OK(tinyci_run_start(engine, selection, NULL, &run, &err));
    tinyci_selection_free(selection);
    while ((event = next(run)) != NULL) {
        collect(&output, event);
        if (tinyci_event_kind(event) != TINYCI_EVENT_HOOK) continue;
        OK(tinyci_request_ok(tinyci_event_take_request(event), &err));
        asked++;
    }
    CHECK(same(output.text, "built here\n") && asked == 1);
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
}

static void deploys_here(tinyci_engine *engine) {
    static struct output output;
    tinyci_run *run;
    tinyci_event *event;
    output.length = 0;
    OK(tinyci_deploy_start(engine, NULL, NULL, NULL, &run, &err));
    while ((event = next(run)) != NULL) collect(&output, event);
    CHECK(same(output.text, "deployed here\n"));
    CHECK(tinyci_run_deploy_outcome(run) == TINYCI_OUTCOME_SUCCESS);
    tinyci_run_free(run);
}

static void plans_here(tinyci_engine *engine) {
    tinyci_selection *selection = tinyci_selection_new();
    char *json;
    OK(tinyci_selection_add_revision(selection, "HEAD", &err));
    OK(tinyci_selection_set_retry(selection, 1, &err));
    OK(tinyci_plan_json(engine, selection, &json, &err));
    CHECK(strstr(json, "made here") != NULL);
    tinyci_string_free(json);
    tinyci_selection_free(selection);
}

/* Scripts import from the path that was passed. */
static void imports_here(tinyci_engine *engine) {
    const char *script = "import \"ci/here\" as here;\nfn build() { here::build(); }\n";
    tinyci_pipeline *pipeline;
    OK(tinyci_pipeline_parse(engine, script, strlen(script), TINYCI_FORMAT_RHAI, "x", &pipeline,
                             &err));
    tinyci_pipeline_free(pipeline);
}

int main(int argc, char **argv) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *plain, *linked;
    char path[4096], text[64];
    FILE *file;
    CHECK(argc == 3);
    snprintf(path, sizeof path, "%s/..", argv[1]);
    CHECK(chdir(path) == 0 && symlink("work", "link") == 0);
    plain = open_engine("work", NULL);
    OK(tinyci_options_add_hook(options, "before_build", &err));
    linked = open_engine("link", options);
    CHECK(unlink("link") == 0 && symlink(argv[2], "link") == 0);
    snprintf(path, sizeof path, "%s/..", argv[2]);
    CHECK(chdir(path) == 0 && symlink("work", "link") == 0);

    CHECK(same(tinyci_engine_path(plain), argv[1]) && same(tinyci_engine_path(linked), argv[1]));
    plans_here(plain);
    plans_here(linked);
    runs_here(linked);
    deploys_here(linked);
    if (tinyci_has_feature("rhai")) imports_here(plain);
    /* This directory is passed now, so it is relative to the current working directory. */
    OK(tinyci_export_commit(plain, "HEAD", "out", NULL, &err));
    CHECK((file = fopen("out/mark", "r")) != NULL && fgets(text, sizeof text, file) != NULL);
    CHECK(same(text, "here") && fclose(file) == 0);
    tinyci_engine_free(plain);
    tinyci_engine_free(linked);
    return 0;
}

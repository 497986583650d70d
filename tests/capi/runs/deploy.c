/* Deployments: planned, done, refused, approved, taken back, and killed.
 * usage: deploy REPOSITORY story|approval|question|stop|killed */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "runs.h"

static tinyci_run *begin(tinyci_engine *engine, const tinyci_deploy_request *request) {
    tinyci_run *run;
    OK(tinyci_deploy_start(engine, NULL, request, NULL, &run, &err));
    return run;
}

static int32_t count_of(const char *text, const char *part) {
    int32_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) count++;
    return count;
}

/* Pulls to the end; checks what came of it, and that its JSON holds a text; frees the run. */
static void ends(tinyci_run *run, int32_t outcome, const char *part) {
    char *json;
    tinyci_records *records;
    const tinyci_record *record;
    drain(run);
    OK(tinyci_run_deployment_json(run, &json, &err));
    if (tinyci_run_deploy_outcome(run) != outcome || strstr(json, part) == NULL) {
        fprintf(stderr, "the deployment is %s\n", json);
        exit(1);
    }
    tinyci_string_free(json);
    OK(tinyci_run_records(run, &records, &err));
    CHECK(tinyci_records_next(records, &record, NULL) == TINYCI_DONE);
    tinyci_records_free(records);
    tinyci_run_free(run);
}

/* A deployment that does not begin. */
static void refused(tinyci_run *run, tinyci_code expected) {
    tinyci_event *event;
    tinyci_code status;
    char *json;
    while ((status = tinyci_run_next(run, -1, &event, NULL)) == TINYCI_OK)
        ;
    CHECK(status == expected);
    FAILS(tinyci_run_deployment_json(run, &json, &err), expected);
    CHECK(json == NULL && tinyci_run_deploy_outcome(run) == 0);
    tinyci_run_free(run);
}

/* A deployment that does not begin, since the host itself failed. */
static void aborted(tinyci_run *run, const char *message, int32_t code) {
    tinyci_event *event;
    tinyci_error *error;
    tinyci_code status;
    while ((status = tinyci_run_next(run, -1, &event, &error)) == TINYCI_OK)
        ;
    CHECK(status == TINYCI_HOST_FAULT && same(tinyci_error_message(error), message));
    CHECK(tinyci_error_host_code(error) == code);
    tinyci_error_free(error);
    tinyci_run_free(run);
}

/* How many lines of the history hold a text. */
static int32_t deploys(tinyci_engine *engine, const char *part) {
    char *json, *warnings;
    int32_t count;
    OK(tinyci_deployments_json(engine, NULL, 0, &warnings, &json, &err));
    CHECK(same(warnings, ""));
    count = count_of(json, part);
    tinyci_string_free(warnings);
    tinyci_string_free(json);
    return count;
}

static void shows_its_events(tinyci_engine *engine, const tinyci_deploy_request *request) {
    static struct output output;
    tinyci_run *run = begin(engine, request);
    tinyci_event *event;
    char *json;
    int started = 0, finished = 0;
    FAILS(tinyci_run_deployment_json(run, &json, &err), TINYCI_INVALID_ARG);
    while ((event = next(run)) != NULL) {
        int32_t kind = tinyci_event_kind(event);
        collect(&output, event);
        if (kind == TINYCI_EVENT_STEP_STARTED) CHECK(same(tinyci_event_step(event), "deploy"));
        if (kind == TINYCI_EVENT_DEPLOY_STARTED) {
            CHECK(++started == 1 && tinyci_event_outcome(event) == 0);
            CHECK(strlen(tinyci_event_commit(event)) == 40);
            CHECK(strstr(tinyci_event_json(event), "\"outcome\":\"running\"") != NULL);
            CHECK(strncmp(tinyci_event_log_lines(event), "Deploying ", 10) == 0);
        }
        if (kind == TINYCI_EVENT_DEPLOY_FINISHED) {
            CHECK(++finished == 1 && tinyci_event_outcome(event) == TINYCI_OUTCOME_SUCCESS);
            CHECK(strstr(tinyci_event_json(event), "\"deployed_by\":\"Eve <eve@example.org>\"") != NULL);
        }
    }
    CHECK(started == 1 && finished == 1 && same(output.text, "deployed\n"));
    ends(run, TINYCI_OUTCOME_SUCCESS, "\"outcome\":\"success\"");
}

static void reports(tinyci_engine *engine) {
    char *json;
    OK(tinyci_status_json(engine, &json, &err));
    CHECK(strstr(json, "\"environments\":[{\"name\":\"production\"") != NULL);
    tinyci_string_free(json);
    OK(tinyci_settings_json(engine, &json, &err));
    CHECK(strstr(json, "\"key\":\"tinyci.jobs\"") != NULL && json[strlen(json) - 1] == '\n');
    tinyci_string_free(json);
    OK(tinyci_prune(engine, 0, -1, -1, TINYCI_PRUNE_DRY_RUN, NULL, &json, &err));
    CHECK(strstr(json, "\"dry_run\":true") != NULL && strstr(json, "\"removed\":[]") != NULL);
    tinyci_string_free(json);
    FAILS(tinyci_prune(engine, -1, -1, -1, 0, NULL, NULL, &err), TINYCI_INVALID_ARG);
    OK(tinyci_prune(engine, -1, 3600 * 1000, INT64_MAX, 0, NULL, NULL, &err));
    OK(tinyci_deployments_json(engine, "production", 1, NULL, &json, &err));
    CHECK(count_of(json, "\n") == 1);
    tinyci_string_free(json);
}

static void remotes(tinyci_engine *engine) {
    char *changes;
    OK(tinyci_setup_remote(engine, NULL, &changes, &err));
    CHECK(strncmp(changes, "remote.origin.fetch = ", 22) == 0);
    tinyci_string_free(changes);
    OK(tinyci_setup_remote(engine, "origin", &changes, &err));
    CHECK(same(changes, ""));
    tinyci_string_free(changes);
    FAILS(tinyci_setup_remote(engine, "nowhere", &changes, &err), TINYCI_NOT_FOUND);
    CHECK(changes == NULL);
    FAILS(tinyci_merge_results(engine, NULL, &err), TINYCI_NOT_FOUND);
    OK(tinyci_undo_setup_remote(engine, NULL, NULL, &err));
}

/* Two commits: the older one is deployed, then the newer as it was planned, then back. */
static void story(const char *path) {
    tinyci_engine *engine = open_engine(path, NULL);
    tinyci_deploy_request *request = tinyci_deploy_request_new();
    tinyci_run *run;
    char *plan, *json;

    refused(begin(engine, NULL), TINYCI_NOT_FOUND);
    OK(tinyci_deploy_request_set_revision(request, "HEAD", &err));
    refused(begin(engine, request), TINYCI_INVALID_ARG);
    run = start(engine, NULL);
    drain(run);
    FAILS(tinyci_run_deployment_json(run, &json, &err), TINYCI_INVALID_ARG);
    CHECK(tinyci_run_deploy_outcome(run) == 0);
    tinyci_run_free(run);

    OK(tinyci_deploy_request_set_revision(request, "HEAD~1", &err));
    OK(tinyci_deploy_request_set_by(request, "Eve", "eve@example.org", &err));
    shows_its_events(engine, request);
    OK(tinyci_deploy_plan_json(engine, NULL, NULL, &plan, &err));
    CHECK(strstr(plan, "\"approval\":\"not_needed\"") && strstr(plan, "\"deployed\":{\"commit\":"));
    OK(tinyci_deploy_request_set_plan(request, plan, &err));
    FAILS(tinyci_deploy_start(engine, "staging", request, NULL, &run, &err), TINYCI_INVALID_ARG);
    ends(begin(engine, request), TINYCI_OUTCOME_SUCCESS, "\"deployed_by\":\"Eve <eve@example.org>\"");
    refused(begin(engine, request), TINYCI_BUSY);
    tinyci_string_free(plan);
    tinyci_deploy_request_free(request);
    reports(engine);

    OK(tinyci_rollback_start(engine, "production", NULL, &run, &err));
    ends(run, TINYCI_OUTCOME_SUCCESS, "\"rollback\":true");
    CHECK(deploys(engine, "\"outcome\":\"success\"") == 3);
    request = tinyci_deploy_request_new();
    OK(tinyci_deploy_request_set_rollback(request, 1, &err));
    OK(tinyci_deploy_request_set_force(request, 1, &err));
    refused(begin(engine, request), TINYCI_NOT_FOUND);
    tinyci_deploy_request_free(request);
    remotes(engine);
    tinyci_engine_free(engine);
}

static tinyci_engine *answering(const char *path) {
    tinyci_options *options = tinyci_options_new();
    OK(tinyci_options_set_handlers(options, TINYCI_HANDLER_APPROVAL, &err));
    return open_engine(path, options);
}

static tinyci_request *asked(tinyci_run *run) {
    tinyci_event *event = next_of(run, TINYCI_EVENT_APPROVAL);
    tinyci_request *request;
    CHECK(strstr(tinyci_event_json(event), "{\"event\":\"approval\",") != NULL);
    CHECK(strstr(tinyci_event_json(event), "\"environment\":\"production\"") != NULL);
    request = tinyci_event_take_request(event);
    CHECK(same(tinyci_request_name(request), "production"));
    CHECK(same(tinyci_request_step(request), "deploy"));
    CHECK(strlen(tinyci_request_commit(request)) == 40);
    return request;
}

static int in_child(tinyci_engine *engine, tinyci_run *run, tinyci_deploy_request *wanted) {
    tinyci_run *other;
    FAILS(tinyci_deploy_start(engine, NULL, NULL, NULL, &other, &err), TINYCI_WRONG_PROCESS);
    FAILS(tinyci_deploy_request_set_force(wanted, 1, &err), TINYCI_WRONG_PROCESS);
    FAILS(tinyci_approve(engine, NULL, "HEAD", NULL, &err), TINYCI_WRONG_PROCESS);
    CHECK(tinyci_run_deploy_outcome(run) == 0);
    tinyci_deploy_request_free(wanted);
    tinyci_run_free(run);
    return 0;
}

/* Who approves is who the options say; that it does not count is told at once. */
static void named_approver(const char *path) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    char *json;
    OK(tinyci_options_set_by(options, "Joan", "joan@example.org", &err));
    OK(tinyci_options_set_setting(options, "approvers", "grace@example.org", &err));
    engine = open_engine(path, options);
    OK(tinyci_approve(engine, NULL, "HEAD", &json, &err));
    CHECK(strstr(json, "\"approved_by\":\"Joan <joan@example.org>\"") && strstr(json, "does not list"));
    tinyci_string_free(json);
    OK(tinyci_deploy_plan_json(engine, NULL, NULL, &json, &err));
    CHECK(strstr(json, "\"approval\":\"awaiting_approval\""));
    CHECK(strstr(json, "no approval can count"));
    CHECK(strstr(json, "\"uncounted\":[{"));
    tinyci_string_free(json);
    tinyci_engine_free(engine);
}

/* Every answer to one question, which the config alone asks. */
static void approval(const char *path) {
    tinyci_engine *engine = answering(path), *silent = open_engine(path, NULL);
    tinyci_cancel *cancel = tinyci_cancel_new();
    tinyci_deploy_request *wanted = tinyci_deploy_request_new();
    tinyci_run *run = start(engine, NULL);
    tinyci_request *request;
    char *json;
    int status;
    pid_t child;

    drain(run);
    tinyci_run_free(run);
    ends(begin(silent, NULL), TINYCI_OUTCOME_AWAITING_APPROVAL, "\"outcome\":\"awaiting_approval\"");
    CHECK(same(tinyci_outcome_name(TINYCI_OUTCOME_AWAITING_APPROVAL), "awaiting_approval"));
    run = begin(engine, wanted);
    request = asked(run);
    child = fork();
    if (child == 0) _exit(in_child(engine, run, wanted));
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK(tinyci_request_question(request) == NULL && tinyci_request_canceled(request) == 0);
    OK(tinyci_request_return_null(request, &err));
    ends(run, TINYCI_OUTCOME_AWAITING_APPROVAL, "\"outcome\":\"awaiting_approval\"");

    run = begin(engine, NULL);
    OK(tinyci_request_fail(asked(run), "the desk is closed", 3, &err));
    refused(run, TINYCI_HOST_ABORT);
    run = begin(engine, NULL);
    OK(tinyci_request_abort(asked(run), "the desk has no line", 4, &err));
    aborted(run, "the host aborted the request for an approval: the desk has no line (code 4)", 4);
    run = begin(engine, NULL);
    next_of(run, TINYCI_EVENT_APPROVAL);
    refused(run, TINYCI_HOST_ABORT);
    run = begin(engine, NULL);
    tinyci_request_free(asked(run));
    refused(run, TINYCI_HOST_ABORT);
    run = begin(engine, NULL);
    FAILS(tinyci_request_return_string(asked(run), " ", &err), TINYCI_INVALID_ARG);
    refused(run, TINYCI_HOST_FAULT);
    run = begin(engine, NULL);
    FAILS(tinyci_request_skip(asked(run), NULL, &err), TINYCI_INVALID_ARG);
    refused(run, TINYCI_HOST_FAULT);
    OK(tinyci_deploy_start(engine, NULL, NULL, cancel, &run, &err));
    request = asked(run);
    tinyci_cancel_trigger(cancel);
    CHECK(tinyci_request_canceled(request) == 1);
    FAILS(tinyci_request_ok(request, &err), TINYCI_CANCELED);
    refused(run, TINYCI_CANCELED);
    /* Nothing of that is a deployment. */
    CHECK(deploys(silent, "\"outcome\":\"awaiting_approval\"") == deploys(silent, "\"outcome\":"));

    run = begin(engine, NULL);
    OK(tinyci_request_return_string(asked(run), "Grace <grace@example.org>", &err));
    ends(run, TINYCI_OUTCOME_SUCCESS, "\"approved_by\":\"Grace <grace@example.org>\"");
    run = begin(engine, NULL);
    OK(tinyci_request_ok(asked(run), &err));
    ends(run, TINYCI_OUTCOME_SUCCESS, "\"approved_by\":\"the host\"");
    named_approver(path);
    OK(tinyci_approve(silent, "production", "HEAD", &json, &err));
    CHECK(strstr(json, "\"reference\":\"refs/tinyci/approvals/production/") != NULL);
    tinyci_string_free(json);
    ends(begin(silent, NULL), TINYCI_OUTCOME_SUCCESS, "\"approval_proof\":{\"kind\":\"unproven\"}");
    FAILS(tinyci_approve(silent, "staging", "HEAD", NULL, &err), TINYCI_INVALID_ARG);
    FAILS(tinyci_approve(silent, NULL, "nonsense", &json, &err), TINYCI_NOT_FOUND);
    tinyci_deploy_request_free(wanted);
    tinyci_cancel_free(cancel);
    tinyci_engine_free(engine);
    tinyci_engine_free(silent);
}

/* A script asks, in the middle of its deployment. */
static void question(const char *path) {
    tinyci_engine *engine = answering(path);
    tinyci_run *run = start(engine, NULL);
    tinyci_request *request;
    drain(run);
    tinyci_run_free(run);
    run = begin(engine, NULL);
    request = asked(run);
    CHECK(same(tinyci_request_question(request), "Is it Friday?"));
    OK(tinyci_request_return_null(request, &err));
    ends(run, TINYCI_OUTCOME_AWAITING_APPROVAL, "Is it Friday?");
    run = begin(engine, NULL);
    OK(tinyci_request_fail(asked(run), "nobody answers", 0, &err));
    ends(run, TINYCI_OUTCOME_FAILURE, "nobody answers");
    run = begin(engine, NULL);
    OK(tinyci_request_abort(asked(run), "no line", 0, &err));
    ends(run, TINYCI_OUTCOME_FAILURE, "the host aborted the request for an approval: no line");
    run = begin(engine, NULL);
    OK(tinyci_request_return_string(asked(run), "Grace", &err));
    ends(run, TINYCI_OUTCOME_SUCCESS, "\"approved_by\":\"Grace\"");
    tinyci_engine_free(engine);
}

/* Stopped by its token, and freed, while a command runs. */
static void stop(const char *path) {
    tinyci_engine *engine = open_engine(path, NULL);
    tinyci_cancel *cancel = tinyci_cancel_new();
    tinyci_run *run = start(engine, NULL);
    tinyci_run *other;
    drain(run);
    tinyci_run_free(run);
    OK(tinyci_deploy_start(engine, NULL, NULL, cancel, &run, &err));
    next_of(run, TINYCI_EVENT_OUTPUT);
    OK(tinyci_deploy_start(engine, NULL, NULL, NULL, &other, &err));
    refused(other, TINYCI_BUSY);
    FAILS(tinyci_unlock_deployments(engine, NULL, "no patience", &err), TINYCI_BUSY);
    CHECK(deploys(engine, "\"outcome\":\"running\"") == 1);
    tinyci_cancel_trigger(cancel);
    ends(run, TINYCI_OUTCOME_CANCELED, "\"outcome\":\"canceled\"");
    run = begin(engine, NULL);
    next_of(run, TINYCI_EVENT_OUTPUT);
    tinyci_run_free(run);
    CHECK(deploys(engine, "\"outcome\":\"canceled\"") == 2);
    tinyci_cancel_free(cancel);
    tinyci_engine_free(engine);
}

static void die_in_it(const char *path) {
    tinyci_engine *engine = open_engine(path, NULL);
    tinyci_run *run = start(engine, NULL);
    drain(run);
    run = begin(engine, NULL);
    next_of(run, TINYCI_EVENT_OUTPUT);
    raise(SIGKILL);
}

/* A host that is killed in the middle: it never counts as done, and nothing goes on by itself. */
static void killed(const char *path) {
    const struct timespec pause = {0, 10 * 1000 * 1000};
    tinyci_engine *engine;
    tinyci_code unlocked;
    int status, looks = 0;
    pid_t child = fork();
    if (child == 0) die_in_it(path);
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    engine = open_engine(path, NULL);
    while (deploys(engine, "\"outcome\":\"interrupted\"") == 0) {
        CHECK(looks++ < 6000);
        nanosleep(&pause, NULL);
    }
    refused(begin(engine, NULL), TINYCI_BUSY);
    FAILS(tinyci_unlock_deployments(engine, NULL, " ", &err), TINYCI_INVALID_ARG);
    /* What it had started goes with it, which may take a moment. */
    while ((unlocked = tinyci_unlock_deployments(engine, NULL, "I looked", NULL)) == TINYCI_BUSY) {
        CHECK(looks++ < 6000);
        nanosleep(&pause, NULL);
    }
    CHECK(unlocked == TINYCI_OK);
    CHECK(tinyci_unlock_deployments(engine, "production", "again", NULL) == TINYCI_DONE);
    ends(begin(engine, NULL), TINYCI_OUTCOME_SUCCESS, "\"outcome\":\"success\"");
    CHECK(deploys(engine, "I looked") == 1 && deploys(engine, "\"outcome\":\"success\"") == 1);
    tinyci_engine_free(engine);
}

int main(int argc, char **argv) {
    const char *how = argc > 2 ? argv[2] : "";
    if (same(how, "story")) story(argv[1]);
    if (same(how, "approval")) approval(argv[1]);
    if (same(how, "question")) question(argv[1]);
    if (same(how, "stop")) stop(argv[1]);
    if (same(how, "killed")) killed(argv[1]);
    return 0;
}

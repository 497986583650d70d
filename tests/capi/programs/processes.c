/* Objects in forked children, many threads and signal handlers. */
#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *repo;
static tinyci_cancel *stop;

static void on_signal(int number) {
    (void)number;
    tinyci_cancel_trigger(stop);
}

/* A child cannot use the objects of its parent, but can use its own. */
static void child(tinyci_engine *engine, tinyci_commits *commits, tinyci_error *error) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *own;
    const tinyci_commit *commit;
    char *json;
    GIVES(TINYCI_WRONG_PROCESS, tinyci_plan_json(engine, NULL, &json, &err));
    CHECK(json == NULL && tinyci_engine_path(engine) == NULL);
    GIVES(TINYCI_WRONG_PROCESS, tinyci_commits_next(commits, &commit, &err));
    CHECK(tinyci_cancel_level(stop) == 0);
    tinyci_cancel_trigger(stop);
    CHECK(strlen(tinyci_error_message(error)) > 0);
    tinyci_error_free(error);
    tinyci_commits_free(commits);
    tinyci_engine_free(engine);
    tinyci_cancel_free(stop);
    OK(tinyci_engine_open(repo, options, &own, &err));
    OK(tinyci_plan_json(own, NULL, &json, &err));
    tinyci_string_free(json);
    tinyci_engine_free(own);
    tinyci_options_free(options);
}

static void forking(tinyci_engine *engine) {
    tinyci_commits *commits;
    const tinyci_commit *commit;
    tinyci_error *error;
    char *json;
    int status;
    pid_t pid;
    OK(tinyci_pending_commits(engine, NULL, &commits, &err));
    CHECK(tinyci_check_json(engine, "nowhere", &json, &error) == TINYCI_NOT_FOUND);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        child(engine, commits, error);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(tinyci_cancel_level(stop) == 0);
    OK(tinyci_commits_next(commits, &commit, &err));
    tinyci_error_free(error);
    tinyci_commits_free(commits);
}

static void *planning(void *engine) {
    for (int i = 0; i < 5; i++) {
        char *json;
        OK(tinyci_plan_json(engine, NULL, &json, &err));
        CHECK(strstr(json, "\"jobs\":[{"));
        tinyci_string_free(json);
    }
    return NULL;
}

static void sharing(tinyci_engine *engine, tinyci_engine *other) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_create(&threads[i], NULL, planning, i % 2 ? engine : other) == 0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

int main(int argc, char **argv) {
    tinyci_engine *engine, *other;
    CHECK(argc == 3);
    repo = argv[1];
    stop = tinyci_cancel_new();
    OK(tinyci_engine_open(repo, NULL, &engine, &err));
    OK(tinyci_engine_open(repo, NULL, &other, &err));
    sharing(engine, other);
    forking(engine);
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    CHECK(raise(SIGUSR1) == 0 && tinyci_cancel_level(stop) == 1);
    CHECK(raise(SIGUSR1) == 0 && tinyci_cancel_level(stop) == 2);
    CHECK(raise(SIGUSR1) == 0 && tinyci_cancel_level(stop) == 2);
    signal(SIGUSR1, SIG_DFL);
    tinyci_cancel_free(stop);
    tinyci_engine_free(other);
    tinyci_engine_free(engine);
    return 0;
}

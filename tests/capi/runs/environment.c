/* The program changes its environment between its calls, while commands run. Commands get the
 * variables as they were when their run started.
 * usage: environment REPOSITORY     (every command fails if SEEN is not `before`) */
#define _DEFAULT_SOURCE
#include "runs.h"

/* The maximum number of additional variables: each new one moves them all. */
#define VARIABLES_MAX 500

/* Changes the environment all the time: another thread that reads it would read freed memory. */
static void change(void) {
    static int count;
    char name[32];
    int more;
    for (more = 0; more < 50; more++) {
        snprintf(name, sizeof name, "OF_THE_HOST_%d", count++);
        CHECK(setenv(name, "0123456789", 1) == 0);
        CHECK(setenv("SEEN", name, 1) == 0);
    }
    if (count < VARIABLES_MAX) return;
    CHECK(unsetenv("PATH") == 0 && unsetenv("TZ") == 0);
    CHECK(clearenv() == 0);
    count = 0;
}

int main(int argc, char **argv) {
    tinyci_options *options = tinyci_options_new();
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_event *event;
    tinyci_code status;
    (void)argc;

    OK(tinyci_options_set_setting(options, "passEnv", "+SEEN", &err));
    engine = open_engine(argv[1], options);
    CHECK(setenv("SEEN", "before", 1) == 0);
    run = start(engine, NULL);
    do {
        change();
        status = tinyci_run_next(run, 0, &event, NULL);
    } while (status == TINYCI_OK || status == TINYCI_AGAIN);
    CHECK(status == TINYCI_DONE);
    finish(run, TINYCI_OUTCOME_SUCCESS, "test", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    return 0;
}

/* A run leaves the program's signals alone, and reports a setup that it cannot work with.
 * usage: signals REPOSITORY       (the build ends without reading its input) */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include "runs.h"

int main(int argc, char **argv) {
    struct sigaction before[32], after;
    tinyci_engine *engine;
    tinyci_run *run;
    tinyci_error *err;
    int number;
    (void)argc;

    for (number = 1; number < 32; number++) CHECK(sigaction(number, NULL, &before[number]) == 0);
    engine = open_engine(argv[1], NULL);
    signal(SIGCHLD, SIG_IGN);
    CHECK(tinyci_run_start(engine, NULL, NULL, &run, &err) == TINYCI_UNSUPPORTED && run == NULL);
    CHECK(strstr(tinyci_error_message(err), "signal(SIGCHLD, SIG_DFL)") != NULL);
    tinyci_error_free(err);
    signal(SIGCHLD, SIG_DFL);

    /* SIGPIPE keeps its default here, which would end this program. */
    run = start(engine, NULL);
    drain(run);
    for (number = 1; number < 32; number++) {
        CHECK(sigaction(number, NULL, &after) == 0);
        CHECK(after.sa_handler == before[number].sa_handler);
    }
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    return 0;
}

/* The descriptor of a run: readable whenever `tinyci_run_next` would not wait, and at the end.
 * usage: poll REPOSITORY [read]      (`read`: the program reads the bytes itself) */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include "runs.h"

static int is_readable(int fd, int timeout_ms) {
    struct pollfd polled = {fd, POLLIN, 0};
    return poll(&polled, 1, timeout_ms) == 1;
}

int main(int argc, char **argv) {
    static struct output output;
    int reads = argc > 2 && same(argv[2], "read");
    tinyci_engine *engine = open_engine(argv[1], NULL);
    tinyci_run *run = start(engine, NULL);
    int fd = tinyci_run_fd(run), waits = 0;
    tinyci_code status;
    tinyci_event *event;

    CHECK(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    do {
        char bytes[8];
        CHECK(is_readable(fd, 60 * 1000));
        if (reads && read(fd, bytes, sizeof bytes) < 0) reads = 1;
        while ((status = tinyci_run_next(run, 0, &event, NULL)) == TINYCI_OK)
            collect(&output, event);
        CHECK(event == NULL);
        waits++;
        /* No event waits now, or one has come since. */
        if (status == TINYCI_AGAIN && !is_readable(fd, 0))
            status = tinyci_run_next(run, 0, &event, NULL);
        if (status == TINYCI_OK) collect(&output, event);
    } while (status != TINYCI_DONE && status >= 0);
    CHECK(status == TINYCI_DONE && waits > 1);
    /* After the end it stays readable. */
    CHECK(is_readable(fd, 0) && tinyci_run_next(run, -1, &event, NULL) == TINYCI_DONE);
    CHECK(same(output.text, "one\ntwo\nthree\n"));
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    CHECK(tinyci_run_fd(NULL) == -1);
    tinyci_engine_free(engine);
    return 0;
}

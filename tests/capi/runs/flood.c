/* A build with much output and a program that reads slowly: memory stays flat, nothing is lost.
 * usage: flood REPOSITORY MIB      (the build prints MIB mebibytes of lines) */
#define _POSIX_C_SOURCE 200809L
#include <time.h>
#include <unistd.h>
#include "runs.h"

static long memory_kib(void) {
    long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &size, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv) {
    const struct timespec pause = {0, 500 * 1000};
    unsigned long long wanted = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) << 20, total = 0;
    tinyci_engine *engine = open_engine(argv[1], NULL);
    tinyci_run *run = start(engine, NULL);
    long first = 0, most = 0;
    tinyci_event *event;

    while ((event = next(run)) != NULL) {
        size_t length;
        const uint8_t *data = tinyci_event_data(event, &length);
        if (tinyci_event_kind(event) != TINYCI_EVENT_OUTPUT) continue;
        CHECK(data != NULL && length > 0 && length <= 64 * 1024);
        total += length;
        nanosleep(&pause, NULL);
        if (first == 0 && total > wanted / 10) first = memory_kib();
        if (memory_kib() > most) most = memory_kib();
    }
    if (total != wanted || most > first + 8 * 1024) {
        fprintf(stderr, "%llu of %llu bytes; %ld KiB at most, %ld after a tenth\n", total, wanted,
                most, first);
        return 1;
    }
    finish(run, TINYCI_OUTCOME_SUCCESS, "build", TINYCI_OUTCOME_SUCCESS, NULL);
    tinyci_engine_free(engine);
    return 0;
}

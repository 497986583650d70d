/* Many calls, whole runs among them: neither memory nor descriptors grow.
 * usage: soak REPOSITORY CALLS */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <unistd.h>
#include "runs.h"

static long memory_kib(void) {
    long size, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &size, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static int descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count;
}

/* A run of a commit that has a verdict: started, read to the end, and freed. */
static long run_once(tinyci_engine *engine, int pull) {
    tinyci_cancel *cancel = tinyci_cancel_new();
    tinyci_run *run = start(engine, cancel);
    tinyci_event *event;
    long calls = 5;
    tinyci_cancel_free(cancel);
    while (pull && (event = next(run)) != NULL) {
        tinyci_event_json(event);
        tinyci_event_log_lines(event);
        tinyci_event_commit(event);
        calls += 5;
    }
    FAILS(tinyci_run_next(run, -2, &event, &err), TINYCI_INVALID_ARG);
    tinyci_run_free(run);
    return calls;
}

static long read_records(tinyci_engine *engine) {
    tinyci_records *records;
    const tinyci_record *record;
    long calls = 2, again;
    OK(tinyci_records_query(engine, NULL, 0, 0, &records, &err));
    OK(tinyci_records_next(records, &record, &err));
    for (again = 0; again < 1000; again++, calls += 4) {
        CHECK(tinyci_record_json(record) != NULL && tinyci_record_passed(record));
        CHECK(tinyci_records_next(records, &record, NULL) != TINYCI_AGAIN || record == NULL);
        if (record == NULL) break;
    }
    tinyci_records_free(records);
    return calls;
}

int main(int argc, char **argv) {
    long wanted = argc > 2 ? atol(argv[2]) : 10000, calls = 0, memory = 0;
    tinyci_engine *engine = open_engine(argv[1], NULL);
    int open_files = 0;

    run_once(engine, 1); /* makes the verdict */
    while (calls < wanted) {
        long again;
        calls += run_once(engine, 1) + run_once(engine, 0) + read_records(engine);
        for (again = 0; again < 500; again++, calls += 4) {
            tinyci_error *err;
            CHECK(tinyci_run_next(NULL, 0, NULL, &err) == TINYCI_INVALID_ARG);
            tinyci_error_message(err);
            tinyci_error_free(err);
            CHECK(tinyci_engine_path(engine) != NULL);
        }
        /* The first tenth fills caches and allocator arenas. */
        if (memory == 0 && calls > wanted / 10) {
            memory = memory_kib();
            open_files = descriptors();
        }
    }
    if (memory_kib() > memory + 8 * 1024 || descriptors() > open_files) {
        fprintf(stderr, "after %ld calls: %ld KiB, before %ld; %d descriptors, before %d\n", calls,
                memory_kib(), memory, descriptors(), open_files);
        return 1;
    }
    tinyci_engine_free(engine);
    return 0;
}

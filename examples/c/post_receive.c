/* A post-receive hook for a git server. It tests the pushed commits, shows the run to the person who
 * pushes, and prints the outcome of each commit.
 *
 *   cc post_receive.c $(pkg-config --cflags --libs tinyci) -o /srv/git/app.git/hooks/post-receive
 *
 * git starts it in the repository, with a line `old new ref` for each pushed ref on its standard
 * input. Exit codes: 0 if all commits are green, 1 if one is red, 4 if tinyci could not work, 130 if
 * the run was canceled. git has accepted the push in every case. If the person who pushed disconnects,
 * the run continues. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <tinyci.h>

static tinyci_cancel *stop;

static void on_signal(int number) {
    (void)number;
    tinyci_cancel_trigger(stop);
}

/* Keeps SIGPIPE and SIGHUP from ending this program when the other side disconnects. Commands do not
 * inherit a handler, unlike SIG_IGN. */
static void on_disconnect(int number) { (void)number; }

/* Reads all of standard input. Returns NULL if there is not enough memory. */
static char *read_input(size_t *length) {
    size_t room = 4096;
    char *text = malloc(room);
    *length = 0;
    while (text != NULL) {
        size_t read = fread(text + *length, 1, room - *length, stdin);
        *length += read;
        if (read == 0) break;
        if (*length == room) {
            char *more = realloc(text, room *= 2);
            if (more == NULL) free(text);
            text = more;
        }
    }
    return text;
}

/* Prints what `tinyci run` prints. git sends it to the person who pushes. */
static void show(const tinyci_event *event) {
    size_t length;
    const uint8_t *data = tinyci_event_data(event, &length);
    const char *lines = tinyci_event_log_lines(event);
    if (tinyci_event_kind(event) == TINYCI_EVENT_OUTPUT) fwrite(data, 1, length, stdout);
    if (lines != NULL) fputs(lines, stdout);
    fflush(stdout);
}

/* Returns the exit code of `tinyci run`. An unknown outcome counts as red. */
static int exit_code(const tinyci_record *record) {
    if (tinyci_record_passed(record)) return 0;
    switch (tinyci_record_outcome(record)) {
    case TINYCI_OUTCOME_SKIPPED: return 0;
    case TINYCI_OUTCOME_ERROR: return 4;
    case TINYCI_OUTCOME_CANCELED: return 130;
    default: return 1;
    }
}

/* Prints a line for each commit. Returns the exit code for all of them. */
static int report(tinyci_run *run, tinyci_error **err) {
    tinyci_records *records;
    const tinyci_record *record;
    int code = 0;
    if (tinyci_run_records(run, &records, err) != TINYCI_OK) return 4;
    while (tinyci_records_next(records, &record, NULL) == TINYCI_OK) {
        int one = exit_code(record);
        printf("%.10s %s in %.1f s\n", tinyci_record_commit(record),
               tinyci_outcome_name(tinyci_record_outcome(record)),
               (double)tinyci_record_duration_ms(record) / 1000);
        if (one > code) code = one;
    }
    tinyci_records_free(records);
    return code;
}

int main(void) {
    tinyci_selection *pushed = tinyci_selection_new();
    tinyci_engine *engine = NULL;
    tinyci_run *run = NULL;
    tinyci_event *event;
    tinyci_error *err = NULL;
    size_t length;
    char *lines = read_input(&length);
    int code = 4;

    stop = tinyci_cancel_new();
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, on_disconnect);
    signal(SIGHUP, on_disconnect);
    signal(SIGCHLD, SIG_DFL);
    if (lines != NULL && tinyci_selection_add_hook_lines(pushed, lines, length, &err) == TINYCI_OK
        && tinyci_selection_set_wait_ms(pushed, -1, &err) == TINYCI_OK
        && tinyci_engine_open(".", NULL, &engine, &err) == TINYCI_OK
        && tinyci_run_start(engine, pushed, stop, &run, &err) == TINYCI_OK) {
        while (tinyci_run_next(run, -1, &event, &err) == TINYCI_OK) show(event);
        if (err == NULL) code = report(run, &err);
    }
    if (err != NULL) fprintf(stderr, "post-receive: %s\n", tinyci_error_message(err));
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    free(lines);
    tinyci_run_free(run);
    tinyci_engine_free(engine);
    tinyci_selection_free(pushed);
    tinyci_cancel_free(stop);
    tinyci_error_free(err);
    return code;
}

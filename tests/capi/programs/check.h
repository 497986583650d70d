/* Checks for the test programs: the first one that fails ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyci.h>

#define CHECK(holds)                                                                  \
    do {                                                                              \
        if (!(holds)) {                                                               \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds);               \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* The call returns this code, and an error if and only if the code is negative. */
#define GIVES(expected, call)                                                         \
    do {                                                                              \
        tinyci_error *err = (tinyci_error *)1;                                        \
        tinyci_code status = (call);                                                \
        if (status != (expected)) {                                                   \
            const char *name = tinyci_code_name(status);                            \
            fprintf(stderr, "%s:%d: %s\ngave %d (%s): %s\n", __FILE__, __LINE__,      \
                    #call, (int)status, name ? name : "?",                            \
                    status < 0 ? tinyci_error_message(err) : "no error");             \
            exit(1);                                                                  \
        }                                                                             \
        CHECK((err != NULL) == (status < 0));                                         \
        CHECK(tinyci_error_code(err) == (status < 0 ? status : TINYCI_OK));         \
        CHECK(status >= 0 || strlen(tinyci_error_message(err)) > 0);                  \
        tinyci_error_free(err);                                                       \
    } while (0)

#define OK(call) GIVES(TINYCI_OK, call)

/* Runs a function in a thread with a small stack. */
static inline void on_small_stack(void *(*work)(void *), void *argument);

#include <pthread.h>

static inline void on_small_stack(void *(*work)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 64 * 1024) == 0);
    CHECK(pthread_create(&thread, &attributes, work, argument) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&attributes);
}

#endif

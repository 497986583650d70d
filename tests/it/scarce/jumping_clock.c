/* A clock that jumps, loaded before the C library with LD_PRELOAD. Each call that asks for the time of
 * day returns a time up to SPAN seconds before or after the real one, as JUMP says: always before, always
 * after, or at random. Monotonic clocks do not jump. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long off(void) {
    static _Atomic unsigned long calls;
    const char *span = getenv("SPAN"), *kind = getenv("JUMP");
    long width = span != NULL ? atol(span) : 0;
    unsigned long number = ++calls * 0x9E3779B97F4A7C15ul + (unsigned long)getpid();
    if (width == 0 || kind == NULL) return 0;
    if (kind[0] == 'b') return -width;
    if (kind[0] == 'f') return width;
    number = (number ^ (number >> 29)) * 0xBF58476D1CE4E5B9ul;
    return (long)((number >> 16) % (unsigned long)(2 * width)) - width;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += off();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}

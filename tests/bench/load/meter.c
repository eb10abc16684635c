/*
 * meter.c - what the server takes for its work: the CPU time of all its threads, in nanoseconds,
 * and of the children that it has waited for, in clock ticks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define SECOND 1000000000LL

/* The part of the measured time for which the server is warmed up first. */
#define WARM_UP 0.3

static int64_t read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) < 0)
        fail("clock_gettime");
    return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

int64_t nanoseconds(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Fields 16 and 17 of /proc/PID/stat, proc(5); the name in field 2 may hold anything but a last ).
 */
static int64_t children_cpu(pid_t server)
{
    char path[64], text[1024];
    long long user, kernel;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)server);
    FILE *file = fopen(path, "re");
    if (!file)
        fail(path);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lld %lld",
                        &user, &kernel) != 2)
        fail_with("/proc/PID/stat is not as in proc(5)");
    return (user + kernel) * (SECOND / sysconf(_SC_CLK_TCK));
}

static int64_t server_cpu(pid_t server)
{
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock) != 0)
        fail_with("the server has no CPU clock: it has gone");
    return read_clock(clock) + children_cpu(server);
}

void meter_start(struct meter *meter, const struct options *options)
{
    *meter = (struct meter){
        .server = options->server, .seconds = options->seconds, .started = nanoseconds()};
}

bool meter_count(struct meter *meter, unsigned units)
{
    int64_t now = nanoseconds();
    if (meter->began == 0) {
        if ((double)(now - meter->started) >= meter->seconds * WARM_UP * SECOND) {
            meter->server_cpu = server_cpu(meter->server);
            meter->began = nanoseconds();
        }
        return true;
    }
    meter->units += units;
    if ((double)(now - meter->began) < meter->seconds * SECOND)
        return true;
    int64_t cpu = server_cpu(meter->server) - meter->server_cpu;
    printf("{\"units\": %llu, \"seconds\": %.6f, \"cpu\": %.9f}\n",
           (unsigned long long)meter->units, (double)(now - meter->began) / SECOND,
           (double)cpu / SECOND);
    return false;
}

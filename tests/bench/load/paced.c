/*
 * paced.c - an open loop: lines leave at their times, whether earlier ones were answered or not.
 *
 * Latency counts from the time at which a line was to be sent. So a server that stalls is charged
 * with all that waited meanwhile, and not only with the line that it stalled on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"

#define EVENTS 256

struct pace {
    const struct options *options;
    int *fds;
    int *partial;     /* bytes of an unfinished answer, for each client */
    size_t *answered; /* lines, for each client */
    int epoll;
    char *line;
    char *answers;
    size_t total; /* lines to be sent */
    size_t sent, received;
    int64_t began;
    uint32_t *latencies; /* microseconds by ten, one a line */
};

/* Line n is client n mod clients', and this is when it is to leave. */
static int64_t due(const struct pace *pace, size_t line)
{
    return pace->began + (int64_t)((double)line * 1e9 / pace->options->rate);
}

static void send_due(struct pace *pace)
{
    int64_t now = nanoseconds();
    while (pace->sent < pace->total && due(pace, pace->sent) <= now) {
        send_all(pace->fds[pace->sent % (size_t)pace->options->clients], pace->line,
                 (size_t)pace->options->size);
        pace->sent++;
    }
}

static void note_answer(struct pace *pace, size_t client, int64_t now)
{
    size_t line = pace->answered[client]++ * (size_t)pace->options->clients + client;
    int64_t tenths = (now - due(pace, line)) / 100;
    pace->latencies[line] = tenths < UINT32_MAX ? (uint32_t)tenths : UINT32_MAX;
    pace->received++;
}

static void receive_from(struct pace *pace, size_t client)
{
    int size = pace->options->size;
    ssize_t count = recv(pace->fds[client], pace->answers, 65536, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0)
        fail("recv");
    int64_t now = nanoseconds();
    int bytes = pace->partial[client] + (int)count;
    for (; bytes >= size; bytes -= size)
        note_answer(pace, client, now);
    pace->partial[client] = bytes;
}

/* Never sleeps: a core that wakes up late would be measured as the server's latency. */
static void run(struct pace *pace)
{
    struct epoll_event events[EVENTS];
    pace->began = nanoseconds();
    while (pace->received < pace->total) {
        send_due(pace);
        int count = epoll_wait(pace->epoll, events, EVENTS, 0);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++)
            receive_from(pace, events[i].data.u32);
    }
}

static int compare(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

static double percentile(const uint32_t *sorted, size_t count, double part)
{
    return sorted[(size_t)(part * (double)(count - 1))] / 10.0;
}

/* The first tenth warms the server up, and does not count. */
static void print(struct pace *pace)
{
    size_t skipped = pace->total / 10;
    uint32_t *latencies = pace->latencies + skipped;
    size_t count = pace->total - skipped;
    qsort(latencies, count, sizeof(*latencies), compare);
    printf("{\"lines\": %zu, \"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f}\n",
           count, percentile(latencies, count, 0.5), percentile(latencies, count, 0.99),
           percentile(latencies, count, 0.999), percentile(latencies, count, 1.0));
}

void paced(const struct options *options)
{
    size_t clients = (size_t)options->clients;
    struct pace pace = {.options = options,
                        .fds = open_connections(options),
                        .partial = allocate(clients, sizeof(int)),
                        .answered = allocate(clients, sizeof(size_t)),
                        .epoll = epoll_create1(EPOLL_CLOEXEC),
                        .line = make_lines(1, options->size),
                        .answers = allocate(65536, 1),
                        .total = (size_t)(options->rate * options->seconds)};
    pace.latencies = allocate(pace.total, sizeof(*pace.latencies));
    if (pace.epoll < 0)
        fail("epoll_create1");
    for (size_t i = 0; i < clients; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(pace.epoll, EPOLL_CTL_ADD, pace.fds[i], &event) < 0)
            fail("epoll_ctl");
    }
    run(&pace);
    print(&pace);
    free(pace.latencies);
    free(pace.answers);
    free(pace.line);
    free(pace.answered);
    free(pace.partial);
    free(pace.fds);
}

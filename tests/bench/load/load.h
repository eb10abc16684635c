/*
 * load.h - what the kinds of load have in common: connections, and the meter.
 *
 * A load runs on one core, the server on another. It opens connections, lets the server warm up,
 * and then measures for as long as it was told: how many units of work were done, and the CPU time
 * that the server took for them.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct options {
    int port;
    pid_t server;
    int clients;
    int depth;      /* lines in flight for each client */
    int size;       /* bytes in a line, its LF counted */
    int addresses;  /* of loopback, to come from */
    int rate;       /* lines a second, of all clients together */
    double seconds; /* to be measured */
};

/* --- main.c: whatever goes wrong ends the load, with a line on stderr. */

_Noreturn void fail(const char *what);      /* with errno */
_Noreturn void fail_with(const char *what); /* without */
void *allocate(size_t count, size_t size);  /* zero-filled */

/* --- meter.c */

struct meter {
    pid_t server;
    double seconds;     /* to be measured */
    int64_t started;    /* nanoseconds; the warm-up begins */
    int64_t began;      /* the measuring began; 0: it has not */
    int64_t server_cpu; /* nanoseconds, at `began` */
    uint64_t units;     /* since `began` */
};

int64_t nanoseconds(void);

void meter_start(struct meter *meter, const struct options *options);

/* Counts work that was done. False: enough has been measured, and was printed. */
__attribute__((warn_unused_result)) bool meter_count(struct meter *meter, unsigned units);

/* --- sockets.c */

/* Connects, blocking, without Nagle; `number` picks one of the addresses to come from. */
int open_connection(const struct options *options, unsigned number);
int *open_connections(const struct options *options);

void send_all(int fd, const char *bytes, size_t length);

/* Receives exactly so much. */
void receive_all(int fd, char *bytes, size_t length);

/* Receives one line, NUL-terminated without its ending. The server sends no more than that. */
void receive_line(int fd, char *line, size_t capacity);

/* Lines of lower-case letters. The caller frees. */
char *make_lines(int count, int size);

/* --- the loads; each prints its figures. */

void echo(const struct options *options);   /* lines in flight, and back */
void jokes(const struct options *options);  /* whole knock-knock jokes; a unit is a round trip */
void visits(const struct options *options); /* connect, a line, close */
void paced(const struct options *options); /* at a fixed rate, whether the server keeps up or not */
void hold(const struct options *options);  /* nothing, until stdin ends */

#endif

/*
 * talk.c - loads that wait for their answers: as fast as the server goes, and no faster.
 *
 * In each round all clients speak, then all are listened to, in order. So the load needs no epoll,
 * is quicker than any server, and gives each server the same pattern whatever its pace.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define LONGEST_LINE 1024

/* Once, before anything is measured: the answers are right, not only of the right length. */
static void check_echo(int fd, const char *lines, char *answers, size_t length)
{
    send_all(fd, lines, length);
    receive_all(fd, answers, length);
    if (memcmp(lines, answers, length) != 0)
        fail_with("the echo is not what was sent");
}

void echo(const struct options *options)
{
    size_t length = (size_t)options->depth * (size_t)options->size;
    char *lines = make_lines(options->depth, options->size);
    char *answers = allocate(length, 1);
    int *fds = open_connections(options);
    struct meter meter;
    for (int i = 0; i < options->clients; i++)
        check_echo(fds[i], lines, answers, length);
    meter_start(&meter, options);
    do {
        for (int i = 0; i < options->clients; i++)
            send_all(fds[i], lines, length);
        for (int i = 0; i < options->clients; i++)
            receive_all(fds[i], answers, length);
    } while (meter_count(&meter, (unsigned)(options->clients * options->depth)));
    free(fds);
    free(answers);
    free(lines);
}

/* What a client of knock-knock says to a line of the server's. */
static void answer_knock(int fd, const char *said)
{
    char line[LONGEST_LINE + 8];
    if (strcmp(said, "Knock! Knock!") == 0)
        strcpy(line, "Who's there?\r\n");
    else if (strstr(said, "Want another? (y/n)"))
        strcpy(line, "y\r\n");
    else if (strstr(said, "Here one says"))
        fail_with("the joke went wrong");
    else
        snprintf(line, sizeof(line), "%s who?\r\n", said);
    send_all(fd, line, strlen(line));
}

void jokes(const struct options *options)
{
    char(*said)[LONGEST_LINE] = allocate((size_t)options->clients, sizeof(*said));
    int *fds = open_connections(options);
    struct meter meter;
    for (int i = 0; i < options->clients; i++)
        receive_line(fds[i], said[i], LONGEST_LINE);
    meter_start(&meter, options);
    do {
        for (int i = 0; i < options->clients; i++)
            answer_knock(fds[i], said[i]);
        for (int i = 0; i < options->clients; i++)
            receive_line(fds[i], said[i], LONGEST_LINE);
    } while (meter_count(&meter, (unsigned)options->clients));
    free(fds);
    free(said);
}

/* The client closes first: the server sees the end of input, and closes its side. */
void visits(const struct options *options)
{
    size_t length = (size_t)options->size;
    char *line = make_lines(1, options->size);
    char *answer = allocate(length, 1);
    int *fds = allocate((size_t)options->clients, sizeof(*fds));
    struct meter meter;
    unsigned number = (unsigned)nanoseconds();
    meter_start(&meter, options);
    do {
        for (int i = 0; i < options->clients; i++) {
            fds[i] = open_connection(options, number++);
            send_all(fds[i], line, length);
        }
        for (int i = 0; i < options->clients; i++) {
            receive_all(fds[i], answer, length);
            if (memcmp(line, answer, length) != 0)
                fail_with("the echo is not what was sent");
            close(fds[i]);
        }
    } while (meter_count(&meter, (unsigned)options->clients));
    free(fds);
    free(answer);
    free(line);
}

void hold(const struct options *options)
{
    char byte;
    ssize_t count;
    int *fds = open_connections(options);
    puts("holding");
    fflush(stdout);
    do
        count = read(STDIN_FILENO, &byte, 1);
    while (count > 0 || (count < 0 && errno == EINTR));
    free(fds);
}

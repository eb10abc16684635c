/* main.c - load KIND PORT SERVER-PID OPTION=NUMBER...: puts a server under load, and measures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "load.h"

static const struct {
    const char *name;
    void (*run)(const struct options *options);
} kinds[] = {
    {"echo", echo}, {"jokes", jokes}, {"visits", visits}, {"paced", paced}, {"hold", hold}};

void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

void fail_with(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(EXIT_FAILURE);
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        fail("memory");
    return memory;
}

static int usage(void)
{
    fputs(
        "usage: load echo|jokes|visits|paced|hold PORT SERVER-PID\n"
        "            [clients=N] [addresses=N] [depth=N] [size=N] [rate=N] [seconds=N]\n",
        stderr);
    return EX_USAGE;
}

static bool is_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && *number > 0 && *number < 1e9;
}

static bool set_option(struct options *options, const char *name, const char *text)
{
    double number;
    if (!is_number(text, &number))
        return false;
    if (strcmp(name, "clients") == 0)
        options->clients = (int)number;
    else if (strcmp(name, "depth") == 0)
        options->depth = (int)number;
    else if (strcmp(name, "size") == 0)
        options->size = (int)number;
    else if (strcmp(name, "addresses") == 0)
        options->addresses = (int)number;
    else if (strcmp(name, "rate") == 0)
        options->rate = (int)number;
    else if (strcmp(name, "seconds") == 0)
        options->seconds = number;
    else
        return false;
    return true;
}

static bool parse(struct options *options, int count, char **arguments)
{
    double port, pid;
    if (count < 4 || !is_number(arguments[2], &port) || !is_number(arguments[3], &pid))
        return false;
    options->port = (int)port;
    options->server = (pid_t)pid;
    for (int i = 4; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (!equals)
            return false;
        *equals = '\0';
        if (!set_option(options, arguments[i], equals + 1))
            return false;
    }
    return options->size >= 2; /* a line's ending is CR LF */
}

int main(int count, char **arguments)
{
    /* An address has some 28,000 ports, each for a minute after its connection has ended. */
    struct options options = {
        .clients = 1, .addresses = 200, .depth = 1, .size = 32, .rate = 1000, .seconds = 0.15};
    if (!parse(&options, count, arguments))
        return usage();
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(arguments[1], kinds[i].name) == 0) {
            kinds[i].run(&options);
            return EXIT_SUCCESS;
        }
    return usage();
}

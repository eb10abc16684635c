/* main.c - options, exit status, and the order in which things start. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/config.h"
#include "ops/log.h"
#include "protocols/catalog.h"
#include "server/server.h"

#define DEFAULT_PATH SYSCONFDIR "/banterd/banterd.ini"

static const char usage[] =
    "usage: banterd [-c FILE] [--check] [--dump-config] [--list-protocols]\n"
    "               [--log-level LEVEL] [--version] [--help]\n"
    "\n"
    "  -c, --config FILE      read this configuration, not " DEFAULT_PATH
    "\n"
    "  -t, --check            read the configuration, say what is wrong with it, and exit\n"
    "  -d, --dump-config      print the configuration in effect, with all defaults, and exit\n"
    "  -p, --list-protocols   print the protocols and their options, and exit\n"
    "  -l, --log-level LEVEL  error, warning, notice, info or debug; goes before the\n"
    "                         configuration's log-level\n"
    "  -V, --version          print the version, and exit\n"
    "  -h, --help             print this, and exit\n"
    "\n"
    "Signals: HUP reads the configuration again; TERM and INT stop, a second one without waiting\n"
    "for clients.\n"
    "Manual: banterd(8), banterd.ini(5), banter-protocol(3).\n";

enum action { SERVE, CHECK, DUMP, LIST };

struct command {
    enum action action;
    const char *path; /* NULL: none was given */
    int log_level;    /* -1: none was given */
};

/* The whole of what was printed has to have arrived, or the exit status says so. */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "banterd: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

static int wrong_usage(void)
{
    fputs("Try 'banterd --help'.\n", stderr);
    return EX_USAGE;
}

static int print(const char *text)
{
    fputs(text, stdout);
    return finish_output();
}

/* Fills the command. -1 to go on with it, or the exit status. */
static int parse_command(int count, char **arguments, struct command *command)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 't'},
        {"dump-config", no_argument, NULL, 'd'},
        {"list-protocols", no_argument, NULL, 'p'},
        {"log-level", required_argument, NULL, 'l'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(count, arguments, "c:tdpl:Vh", options, NULL)) != -1) {
        switch (letter) {
        case 'c':
            command->path = optarg;
            break;
        case 't':
            command->action = CHECK;
            break;
        case 'd':
            command->action = DUMP;
            break;
        case 'p':
            command->action = LIST;
            break;
        case 'l':
            command->log_level = log_level_parse(optarg);
            if (command->log_level >= 0)
                break;
            fprintf(stderr,
                    "banterd: '%s' is not a log level; write error, warning, notice, info or "
                    "debug\n",
                    optarg);
            return wrong_usage();
        case 'V':
            return print("banterd " BANTERD_VERSION "\n");
        case 'h':
            return print(usage);
        default:
            return wrong_usage();
        }
    }
    if (optind < count) {
        fprintf(stderr, "banterd: unexpected argument '%s'\n", arguments[optind]);
        return wrong_usage();
    }
    return -1;
}

/* NULL with the exit status where there is none to be had, and all that is wrong has been said. */
static struct config *load(const char *path, int *status)
{
    struct report report = {0};
    struct config *config = config_load(path, &report);
    const char *message;
    for (size_t i = 0; (message = report_message(&report, i)); i++)
        log_plain(LOG_ERROR, message);
    *status = config ? 0 : report.system ? EX_OSERR : EX_CONFIG;
    report_fini(&report);
    return config;
}

/* What is listed is what a configuration could name; without one, the usual directory counts. */
static int list_protocols(const char *path)
{
    struct config *config = NULL;
    int status;
    if (path || access(DEFAULT_PATH, F_OK) == 0) {
        config = load(path ? path : DEFAULT_PATH, &status);
        if (!config)
            return status;
    }
    catalog_print_built_in(stdout);
    catalog_print_directory(stdout, config ? config->protocol_path : PROTOCOL_DIR, stderr);
    for (size_t i = 0; config && i < config->listener_count; i++)
        if (strchr(config->listeners[i].protocol_name, '/'))
            catalog_print(stdout, config->listeners[i].protocol_name,
                          config->listeners[i].protocol);
    config_unref(config);
    return finish_output();
}

static int dump(const struct config *config)
{
    int error = config_dump(config, stdout);
    if (error)
        errno = -error;
    return finish_output();
}

/* Nothing that is opened later may pass for standard input, output or error. */
static void fill_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int count, char **arguments)
{
    fill_standard_files();
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for protocols: towlower(3) knows more than ASCII */
    struct command command = {.action = SERVE, .log_level = -1};
    int status = parse_command(count, arguments, &command);
    if (status >= 0)
        return status;
    if (command.action == LIST)
        return list_protocols(command.path);

    const char *path = command.path ? command.path : DEFAULT_PATH;
    if (command.action == SERVE)
        return server_run(&(struct server_options){.path = path, .log_level = command.log_level});
    struct config *config = load(path, &status);
    if (!config)
        return status;
    if (command.action == DUMP)
        status = dump(config);
    config_unref(config);
    return status;
}

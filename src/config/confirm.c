/*
 * config/confirm.c - see confirm.h.
 *
 * The two readers must agree on every value, so that an iniparser of another version with other
 * ideas of quotes is noticed, not believed.
 *
 * iniparser (4.1) does not look whether it got the memory that it asks for: it crashes, or passes
 * over a line. A server with clients must not die of a reload, so iniparser has a child process of
 * its own to die in; and where it misread something after a call had failed, the call is to blame.
 */
#include "config/confirm.h"

#include <dictionary.h>
#include <errno.h>
#include <iniparser.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* So much processor time ends a child that does not come to an end. */
#define CHILD_SECONDS 5

/* What the child has found, in memory that is the parent's too. */
struct verdict {
    bool given;               /* false: the child has died before */
    int error;                /* errno of what iniparser could not get; 0: it had everything */
    size_t entries;           /* sections and keys */
    const struct ini_key *at; /* the first key with another value; NULL: there is none */
    char value[INI_LINE_MAX + 1];
};

/* iniparser would print to stderr. */
static int keep_silent(const char *format, ...)
{
    (void)format;
    return 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);

        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
    return 0;
}

/* iniparser takes the name of a file only. NULL with errno. */
static dictionary *parse(const char *text, size_t length)
{
    char path[32];
    int fd = memfd_create("banterd.ini", MFD_CLOEXEC);

    if (fd < 0 || write_all(fd, text, length) < 0)
        return NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    iniparser_set_error_callback(keep_silent);
    errno = 0;
    return iniparser_load(path);
}

/* NULL where iniparser finds no value. */
static const char *value_of(const dictionary *parsed, const struct ini_section *section,
                            const struct ini_key *key)
{
    char name[2 * INI_LINE_MAX + 2];

    /* Strings only: iniparser_getboolean() and its like crash on some names (CVE-2023-33461). */
    snprintf(name, sizeof(name), "%s:%s", section->name, key->name);
    return iniparser_getstring(parsed, name, NULL);
}

static void compare(const dictionary *parsed, const struct ini *ini, struct verdict *verdict)
{
    for (const struct ini_section *section = ini->sections; section; section = section->next)
        for (const struct ini_key *key = section->keys; key && !verdict->at; key = key->next) {
            const char *value = value_of(parsed, section, key);

            if (value && strcmp(value, key->value) == 0)
                continue;
            verdict->at = key;
            snprintf(verdict->value, sizeof(verdict->value), "%s", value ? value : "");
        }
}

/* In the child, which leaves everything to be tidied by its end. */
static void judge(const char *text, size_t length, const struct ini *ini, struct verdict *verdict)
{
    const struct rlimit enough = {.rlim_cur = CHILD_SECONDS, .rlim_max = CHILD_SECONDS};
    const dictionary *parsed;

    /* Clients are closed by the parent, and do not see it while somebody else has their socket. */
    (void)close_range(STDERR_FILENO + 1, ~0u, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_DUMPABLE, 0); /* nobody wants a core file of a death that was foreseen */
    (void)setrlimit(RLIMIT_CPU, &enough);
    parsed = parse(text, length);
    verdict->error = errno;
    if (parsed) {
        verdict->entries = (size_t)parsed->n;
        compare(parsed, ini, verdict);
    }
    verdict->given = true;
}

/* With all signals blocked: libevent's handlers would report those of the child to the parent. */
static pid_t start_child(void)
{
    sigset_t all, before;
    pid_t child;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* cannot fail */
    child = fork();
    if (child != 0)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child;
}

/* Waits for the verdict. 0 or -errno. */
static int ask(const char *text, size_t length, const struct ini *ini, struct verdict *verdict)
{
    pid_t child = start_child();

    if (child < 0)
        return -errno;
    if (child == 0) {
        judge(text, length, ini, verdict);
        _exit(0);
    }
    /* What became of it is in the verdict; and where SIGCHLD is ignored, nowhere else. */
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

/* The file is not to blame: it may be fine the next time. */
static void report_failure(const char *path, const char *why, struct report *report)
{
    report_add(report, path, 0, "iniparser cannot read it: %s", why);
    report_cause(report, ENOMEM);
}

static void report_verdict(const char *path, const struct ini *ini, const struct verdict *verdict,
                           struct report *report)
{
    bool agrees = verdict->given && verdict->entries == ini->entries && !verdict->at;

    if (agrees)
        return;
    if (!verdict->given)
        report_failure(path, "it crashed, as it does when memory is out", report);
    else if (verdict->error != 0)
        report_failure(path, strerror(verdict->error), report);
    else if (verdict->at)
        report_add(report, path, verdict->at->line, "iniparser reads '%s' as '%s', not as '%s'",
                   verdict->at->name, verdict->value, verdict->at->value);
    else
        report_add(report, path, 0, "iniparser finds %zu sections and keys, where there are %zu",
                   verdict->entries, ini->entries);
}

void confirm(const char *path, const char *text, size_t length, const struct ini *ini,
             struct report *report)
{
    struct verdict *verdict =
        mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int error = verdict == MAP_FAILED ? -errno : ask(text, length, ini, verdict);

    if (error)
        report_failure(path, strerror(-error), report);
    else
        report_verdict(path, ini, verdict, report);
    if (verdict != MAP_FAILED)
        (void)munmap(verdict, sizeof(*verdict)); /* it is there */
}

/*
 * fuzz/replay.c - gives a target the inputs of files and directories, without a fuzzer.
 *
 *     build/fuzz-TARGET PATH...
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* Seconds for an input, which takes milliseconds: one that hangs is a finding too. */
#define PATIENCE 60

static unsigned replayed;
static const char *current; /* what a crash is about */

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct text input = {0};
    char bytes[4096];
    size_t count;
    expect(file, "%s cannot be opened", path);
    while ((count = fread(bytes, 1, sizeof(bytes), file)) > 0)
        text_add(&input, bytes, count);
    expect(!ferror(file), "%s cannot be read", path);
    fclose(file);
    current = path;
    /* A block of its own size, so that a step beyond it is seen. */
    char *exact = fuzz_copy(input.bytes, input.length);
    alarm(PATIENCE);
    (void)LLVMFuzzerTestOneInput((const uint8_t *)exact, input.length);
    alarm(0);
    free(exact);
    text_free(&input);
    current = NULL;
    replayed++;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay(const char *path)
{
    struct stat status;
    struct dirent **names;
    expect(stat(path, &status) == 0, "%s is not there", path);
    if (!S_ISDIR(status.st_mode)) {
        replay_file(path);
        return;
    }
    int count = scandir(path, &names, is_visible, alphasort);
    expect(count >= 0, "%s cannot be listed", path);
    for (int i = 0; i < count; i++) {
        char child[4096];
        int length = snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
        expect(length > 0 && (size_t)length < sizeof(child), "%s has too long a name", path);
        free(names[i]);
        replay(child);
    }
    free(names);
}

/* A sanitizer ends the process in its own way, and calls this before. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void name_finding(void)
{
    if (current)
        fprintf(stderr, "replay: it was %s\n", current);
}

static void on_signal(int number)
{
    name_finding();
    signal(number, SIG_DFL);
    raise(number);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(name_finding);
    else
        signal(SIGSEGV, on_signal);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%s: %u inputs\n", slash ? slash + 1 : argv[0], replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

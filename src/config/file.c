/*
 * config/file.c - reads whole small files, and finds them beside the configuration.
 *
 * Stateless; used on the main thread, at start-up and reload, which nothing here may block.
 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text/arena.h"
#include "text/utf8.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* What a path of a credential begins with, as in a unit file. */
#define CREDENTIALS "%d/"

static int refuse(int error, const char *reason, const char **why)
{
    *why = reason;
    return -error;
}

static int refuse_errno(const char **why)
{
    int error = errno;

    return refuse(error, strerror(error), why);
}

/* Up to `size` bytes, fewer only at the end of the file; or -1 with errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t count = read(fd, text + length, size - length);

        if (count == 0)
            break;
        if (count > 0)
            length += (size_t)count;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)length;
}

/* Some editors put a mark in front of UTF-8, which nobody means as text. */
static void skip_mark(struct banter_file *file)
{
    size_t length = strlen(BYTE_ORDER_MARK);

    if (strncmp(file->text, BYTE_ORDER_MARK, length) == 0) {
        file->text += length;
        file->length -= length;
    }
}

/* Fills the file's text and length. */
static int read_open(int fd, struct arena *arena, struct banter_file *file, const char **why)
{
    struct stat status;
    ssize_t count;
    size_t size;

    if (fstat(fd, &status) != 0)
        return refuse_errno(why);
    if (S_ISDIR(status.st_mode))
        return refuse(EISDIR, strerror(EISDIR), why);
    if (!S_ISREG(status.st_mode))
        return refuse(EINVAL, "Not a regular file", why);
    if (status.st_size > FILE_SIZE_MAX)
        return refuse(EFBIG, "Larger than 1 MiB", why);

    /* One byte more than the file has: for the NUL, and it shows a file that grows just now. */
    size = (size_t)status.st_size + 1;
    file->text = arena_alloc(arena, size);
    if (!file->text)
        return refuse(ENOMEM, strerror(ENOMEM), why);
    count = read_all(fd, file->text, size);
    if (count < 0)
        return refuse_errno(why);
    if ((size_t)count == size)
        return refuse(EAGAIN, "Changed while it was read", why);
    file->length = (size_t)count;
    skip_mark(file);
    return 0;
}

int file_read(const char *path, struct arena *arena, struct banter_file *file, const char **why)
{
    struct banter_file whole = {.path = path};
    /* Without O_NONBLOCK, opening a fifo waits for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int error;

    if (fd < 0)
        return refuse_errno(why);
    error = read_open(fd, arena, &whole, why);
    close(fd);
    if (error == 0)
        *file = whole;
    return error;
}

/* C0 but tab and line endings, DEL, and C1. */
static bool is_control(uint32_t character)
{
    return (character < ' ' && character != '\t' && character != '\n' && character != '\r') ||
           (character >= 0x7f && character < 0xa0);
}

unsigned file_check_text(const struct banter_file *file, const char **why)
{
    unsigned line = 1;
    size_t length;

    for (size_t at = 0; at < file->length; at += length) {
        const char *text = file->text + at;
        uint32_t character;

        length = utf8_decode(text, file->length - at, &character);
        *why = length == 0 ? "bytes that are not UTF-8" : "a control character";
        if (length == 0 || is_control(character) ||
            (*text == '\r' && (at + 1 == file->length || text[1] != '\n')))
            return line;
        line += *text == '\n';
    }
    return 0;
}

static const char *join(const char *directory, size_t length, const char *path, struct arena *arena)
{
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    size_t size = length + 1 + strlen(path) + 1;
    char *joined = arena_alloc(arena, size);

    if (joined)
        snprintf(joined, size, "%.*s%s%s", (int)length, directory, slash, path);
    return joined;
}

static const char *absolute(const char *path, struct arena *arena)
{
    const char *joined;
    char *directory;

    if (*path == '/')
        return path;
    directory = getcwd(NULL, 0);
    if (!directory)
        return NULL;
    joined = join(directory, strlen(directory), path, arena);
    free(directory);
    return joined;
}

const char *file_beside(const char *beside, const char *path, struct arena *arena, const char **why)
{
    const char *slash = strrchr(beside, '/');
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    size_t length = strlen(CREDENTIALS);

    errno = ENOMEM;
    if (strncmp(path, CREDENTIALS, length) == 0) {
        *why =
            "CREDENTIALS_DIRECTORY is not set; it is in a service that was started with "
            "LoadCredential=";
        if (!credentials || *credentials != '/') {
            errno = EINVAL;
            return NULL;
        }
        path = join(credentials, strlen(credentials), path + length, arena);
    } else {
        while (strncmp(path, "./", 2) == 0)
            path += 2;
        if (*path != '/' && slash)
            path = join(beside, (size_t)(slash - beside) + 1, path, arena);
    }
    path = path ? absolute(path, arena) : NULL;
    *why = path ? NULL : strerror(errno);
    return path;
}

/*
 * faults.c - preloaded into a daemon: counts the calls that can fail, and lets one of them fail.
 *
 *     FAULT         "KIND AT HOW": of the calls of this kind, from 1, the one AT, or each for "0";
 *                   HOW is an errno, or "short" for a call that does one byte only; "+" behind an
 *                   errno is for all calls from there on; unset, nothing fails
 *     FAULT_REPORT  the file for what was counted and what was left behind, when the process ends
 *     FAULT_STACKS  set: the report has the stacks too of what failed and of what was left
 *
 * What counts lies between the start of main() and its return. Two things cannot be seen from
 * here: what libc asks of itself beside malloc (so the stream of a file is made of calls that can
 * be seen), and what the dynamic loader reads. A file, what libevent waits for, and the log are
 * kinds of their own, since they fail in ways of their own.
 *
 * New memory is filled with garbage, and so is old memory: what is used too early or too late
 * does not go well by accident.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define KINDS(_)                                                                                   \
    _(malloc) /* and all of its family */                                                          \
    _(accept4)                                                                                     \
    _(bind)                                                                                        \
    _(epoll_create)                                                                                \
    _(epoll_ctl) /* to add, the one thing that wants memory */                                     \
    _(eventfd)                                                                                     \
    _(fork)                                                                                        \
    _(fstat)                                                                                       \
    _(getrandom)                                                                                   \
    _(getsockname)                                                                                 \
    _(listen)                                                                                      \
    _(lstat)                                                                                       \
    _(memfd_create)                                                                                \
    _(open)                                                                                        \
    _(pipe)                                                                                        \
    _(pthread_create)                                                                              \
    _(read)                                                                                        \
    _(read_event)                                                                                  \
    _(read_stream)                                                                                 \
    _(recv)                                                                                        \
    _(send)                                                                                        \
    _(setsockopt)                                                                                  \
    _(socket)                                                                                      \
    _(timerfd_create)                                                                              \
    _(write)                                                                                       \
    _(write_log)                                                                                   \
    _(writev)

#define MEMBER(name) KIND_##name,
#define NAME(name) #name,
enum kind { KINDS(MEMBER) KIND_COUNT };
static const char *const kind_names[] = {KINDS(NAME)};

#define BLOCKS 32768
#define DEPTH 24
#define FILES 256

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);
void __libc_freeres(void);

enum blow { NONE, FAIL, SHORT };

/* What is to fail. */
static struct {
    int kind; /* -1: nothing */
    unsigned long at;
    enum blow blow;
    int error;
    bool goes_on;
} plan = {.kind = -1};

/* Shared with children. */
static struct {
    atomic_ulong calls[KIND_COUNT];
    atomic_ulong blows;
} * tally;

static atomic_bool alive; /* main() runs */
static bool has_returned;
static bool with_stacks;
static pid_t main_process;

/* --- the report ---------------------------------------------------------------------------- */

static const char *report_path;
static int report;

static void open_report(void)
{
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    report = (int)syscall(SYS_openat, AT_FDCWD, report_path, flags, 0600);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0)
        (void)!syscall(SYS_write, report, text, strlen(text));
}

static void say_stack(void *const *stack, int depth)
{
    Dl_info info;
    for (int i = 0; i < depth && stack[i]; i++)
        if (dladdr(stack[i], &info))
            say("stack %s %#lx %s\n", info.dli_fname,
                (unsigned long)((char *)stack[i] - (char *)info.dli_fbase - 1),
                info.dli_sname ? info.dli_sname : "?");
}

/* --- counting ------------------------------------------------------------------------------ */

static void note_blow(void)
{
    void *stack[DEPTH];
    if (atomic_fetch_add(&tally->blows, 1) > 0 || !with_stacks)
        return;
    int depth = backtrace(stack, DEPTH);
    open_report();
    say("struck\n");
    say_stack(stack, depth);
    syscall(SYS_close, report);
}

/* Counts a call, and says what becomes of it; with FAIL, errno is set. */
static enum blow count(enum kind kind)
{
    if (!atomic_load(&alive))
        return NONE;
    unsigned long number = atomic_fetch_add(&tally->calls[kind], 1) + 1;
    if ((int)kind != plan.kind)
        return NONE;
    if (number != plan.at && plan.at != 0 && !(plan.goes_on && number > plan.at))
        return NONE;
    note_blow();
    errno = plan.error;
    return plan.blow;
}

static bool fails(enum kind kind)
{
    return count(kind) == FAIL;
}

/* How much of a call of so many bytes is done. */
static size_t part(enum blow blow, size_t length)
{
    return blow == SHORT && length > 1 ? 1 : length;
}

/* --- memory -------------------------------------------------------------------------------- */

struct block {
    void *memory; /* NULL: never used; GONE: no more */
    size_t size;
    void *caller;
    void *stack[DEPTH];
};

/* What libc has of a locale is its own for good; after a failure it forgets some of that. */
static _Thread_local bool in_setlocale;

static char gone;
#define GONE ((void *)&gone)

static struct block blocks[BLOCKS];
static atomic_flag blocks_lock = ATOMIC_FLAG_INIT;

static void lock(void)
{
    while (atomic_flag_test_and_set_explicit(&blocks_lock, memory_order_acquire))
        continue;
}

static void unlock(void)
{
    atomic_flag_clear_explicit(&blocks_lock, memory_order_release);
}

/* The block with that memory, or the first of its row with `other` in its place. */
static struct block *find(const void *memory, const void *other)
{
    size_t at = ((uintptr_t)memory >> 4) * 2654435761u % BLOCKS;
    for (size_t i = 0; i < BLOCKS; i++, at = (at + 1) % BLOCKS) {
        struct block *block = &blocks[at];
        if (block->memory == memory || block->memory == other)
            return block;
        if (!block->memory)
            return other ? block : NULL;
    }
    abort();
}

static void *keep(void *memory, size_t size, void *caller)
{
    struct block made = {.memory = memory, .size = size, .caller = caller};
    if (!memory || !atomic_load(&alive) || in_setlocale)
        return memory;
    if (with_stacks)
        (void)backtrace(made.stack, DEPTH);
    lock();
    *find(memory, GONE) = made;
    unlock();
    return memory;
}

/* The block as it was kept, or one with no memory. */
static struct block forget(void *memory)
{
    struct block was = {0};
    lock();
    struct block *block = memory ? find(memory, NULL) : NULL;
    if (block) {
        was = *block;
        block->memory = GONE;
    }
    unlock();
    return was;
}

#define CALLER __builtin_return_address(0)

static void *fill(void *memory, size_t size)
{
    return memory ? memset(memory, 0xa5, size) : NULL;
}

void *malloc(size_t size)
{
    return fails(KIND_malloc) ? NULL : keep(fill(__libc_malloc(size), size), size, CALLER);
}

void *calloc(size_t number, size_t size)
{
    return fails(KIND_malloc) ? NULL : keep(__libc_calloc(number, size), number * size, CALLER);
}

void *realloc(void *memory, size_t size)
{
    if (fails(KIND_malloc))
        return NULL;
    struct block was = forget(memory);
    void *moved = __libc_realloc(memory, size);
    if (moved || size == 0)
        return keep(moved, size, CALLER);
    (void)keep(was.memory, was.size, was.caller);
    return NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(KIND_malloc) ? NULL
                              : keep(fill(__libc_memalign(alignment, size), size), size, CALLER);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    int before = errno;
    void *made = fails(KIND_malloc) ? NULL : fill(__libc_memalign(alignment, size), size);
    errno = before;
    if (!made)
        return ENOMEM;
    *memory = keep(made, size, CALLER);
    return 0;
}

void free(void *memory)
{
    if (forget(memory).memory)
        memset(memory, 0xdd, malloc_usable_size(memory));
    __libc_free(memory);
}

/* --- system calls -------------------------------------------------------------------------- */

int accept4(int fd, struct sockaddr *restrict peer, socklen_t *restrict length, int flags)
{
    return fails(KIND_accept4) ? -1 : (int)syscall(SYS_accept4, fd, peer, length, flags);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return fails(KIND_bind) ? -1 : (int)syscall(SYS_bind, fd, address, length);
}

int epoll_create(int size)
{
    return fails(KIND_epoll_create) ? -1 : (int)syscall(SYS_epoll_create, size);
}

int epoll_create1(int flags)
{
    return fails(KIND_epoll_create) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    if (what == EPOLL_CTL_ADD && fails(KIND_epoll_ctl))
        return -1;
    return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

int eventfd(unsigned first, int flags)
{
    return fails(KIND_eventfd) ? -1 : (int)syscall(SYS_eventfd2, first, flags);
}

int fstat(int fd, struct stat *status)
{
    return fails(KIND_fstat) ? -1 : (int)syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH);
}

ssize_t getrandom(void *bytes, size_t length, unsigned flags)
{
    return fails(KIND_getrandom) ? -1 : syscall(SYS_getrandom, bytes, length, flags);
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return fails(KIND_getsockname) ? -1 : (int)syscall(SYS_getsockname, fd, address, length);
}

int listen(int fd, int backlog)
{
    return fails(KIND_listen) ? -1 : (int)syscall(SYS_listen, fd, backlog);
}

int lstat(const char *restrict path, struct stat *restrict status)
{
    return fails(KIND_lstat)
               ? -1
               : (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int memfd_create(const char *name, unsigned flags)
{
    return fails(KIND_memfd_create) ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

/* The third argument counts with O_CREAT only, and does no harm without it. */
int openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return fails(KIND_open) ? -1 : (int)syscall(SYS_openat, directory, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int pipe2(int fds[2], int flags)
{
    return fails(KIND_pipe) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    return fails(KIND_pipe) ? -1 : (int)syscall(SYS_socketpair, domain, type, protocol, fds);
}

static bool is_file(int fd)
{
    struct stat status;
    return syscall(SYS_newfstatat, fd, "", &status, AT_EMPTY_PATH) == 0 && S_ISREG(status.st_mode);
}

static ssize_t read_part(enum blow blow, int fd, void *bytes, size_t length)
{
    return blow == FAIL ? -1 : syscall(SYS_read, fd, bytes, part(blow, length));
}

ssize_t read(int fd, void *bytes, size_t length)
{
    return read_part(count(is_file(fd) ? KIND_read : KIND_read_event), fd, bytes, length);
}

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    enum blow blow = count(KIND_recv);
    return blow == FAIL ? -1
                        : syscall(SYS_recvfrom, fd, bytes, part(blow, length), flags, NULL, NULL);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    enum blow blow = count(KIND_send);
    return blow == FAIL ? -1 : syscall(SYS_sendto, fd, bytes, part(blow, length), flags, NULL, 0);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    return fails(KIND_setsockopt) ? -1
                                  : (int)syscall(SYS_setsockopt, fd, level, option, value, length);
}

int socket(int domain, int type, int protocol)
{
    return fails(KIND_socket) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int timerfd_create(int clock, int flags)
{
    return fails(KIND_timerfd_create) ? -1 : (int)syscall(SYS_timerfd_create, clock, flags);
}

static size_t first_line(const char *bytes, size_t length)
{
    const char *end = memchr(bytes, '\n', length);
    return end ? (size_t)(end - bytes) + 1 : length;
}

/*
 * Of the log one line is taken at a time, or the number of calls would tell when its writer had a
 * CPU. An eventfd takes what is written to it, always.
 */
ssize_t write(int fd, const void *bytes, size_t length)
{
    enum blow blow = NONE;
    if (fd == STDERR_FILENO) {
        blow = count(KIND_write_log);
        length = first_line(bytes, length);
    } else if (is_file(fd)) {
        blow = count(KIND_write);
    }
    return blow == FAIL ? -1 : syscall(SYS_write, fd, bytes, part(blow, length));
}

ssize_t writev(int fd, const struct iovec *pieces, int number)
{
    enum blow blow = count(KIND_writev);
    if (blow == FAIL)
        return -1;
    if (blow == SHORT && number > 0 && pieces[0].iov_len > 1)
        return syscall(SYS_write, fd, pieces[0].iov_base, 1);
    return syscall(SYS_writev, fd, pieces, number);
}

/* --- what is more than a system call ------------------------------------------------------- */

static ssize_t read_stream(void *cookie, char *bytes, size_t length)
{
    return read_part(count(KIND_read_stream), (int)(intptr_t)cookie, bytes, length);
}

static int close_stream(void *cookie)
{
    return close((int)(intptr_t)cookie);
}

/* To read, as nobody does anything else with a stream of a name. */
FILE *fopen(const char *restrict path, const char *restrict mode)
{
    const cookie_io_functions_t functions = {.read = read_stream, .close = close_stream};
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return NULL;
    FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);
    if (!stream)
        close(fd);
    return stream;
}

char *setlocale(int category, const char *name)
{
    char *(*real)(int, const char *) = (char *(*)(int, const char *))dlsym(RTLD_NEXT, "setlocale");
    in_setlocale = true;
    char *set = real(category, name);
    in_setlocale = false;
    return set;
}

pid_t fork(void)
{
    pid_t (*real)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
    if (fails(KIND_fork))
        return -1;
    lock(); /* or the child might have it from a thread that it has not */
    pid_t child = real();
    unlock();
    return child;
}

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                   void *(*run)(void *), void *restrict argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");
    return fails(KIND_pthread_create) ? errno : real(thread, attributes, run, argument);
}

/* --- the life of the process --------------------------------------------------------------- */

static bool was_open[FILES];

static bool is_open(int fd)
{
    return syscall(SYS_fcntl, fd, F_GETFD) >= 0;
}

static void report_counts(void)
{
    open_report();
    for (int kind = 0; kind < KIND_COUNT; kind++)
        say("calls %s %lu\n", kind_names[kind], atomic_load(&tally->calls[kind]));
    say("blows %lu\n", atomic_load(&tally->blows));
}

static void report_memory(void)
{
    Dl_info info;
    for (const struct block *block = blocks; block < blocks + BLOCKS; block++) {
        if (!block->memory || block->memory == GONE)
            continue;
        bool known = dladdr(block->caller, &info) != 0;
        say("memory %zu %s %#lx %s\n", block->size, known ? info.dli_fname : "?",
            known ? (unsigned long)((char *)block->caller - (char *)info.dli_fbase - 1) : 0ul,
            known && info.dli_sname ? info.dli_sname : "?");
        if (with_stacks)
            say_stack(block->stack, DEPTH);
    }
}

static void report_files(void)
{
    for (int fd = 0; fd < FILES; fd++) {
        char link[32], name[256];
        if (was_open[fd] || fd == report || !is_open(fd))
            continue;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, name, sizeof(name));
        say("file %d %.*s\n", fd, length > 0 ? (int)length : 0, name);
    }
}

/* No more faults: what follows is not the daemon's own. For `make coverage` too. */
void faults_end(void);
void faults_end(void)
{
    atomic_store(&alive, false);
}

static int (*real_main)(int, char **, char **);

static int run_main(int argc, char **argv, char **environment)
{
    for (int fd = 0; fd < FILES; fd++)
        was_open[fd] = is_open(fd);
    main_process = getpid();
    atomic_store(&alive, true);
    int status = real_main(argc, argv, environment);
    faults_end();
    has_returned = true;
    return status;
}

/* Behind what the program itself does at its end. */
__attribute__((destructor)) static void report_all(void)
{
    if (!has_returned)
        return;
    __libc_freeres();
    report_counts();
    report_memory();
    report_files();
    say("end\n");
}

/* A process that gives up tidies nothing. */
void _exit(int status)
{
    if (getpid() == main_process) {
        report_counts();
        say("end\n");
    }
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

static void read_plan(void)
{
    const char *text = getenv("FAULT");
    char kind[32], how[32];
    if (!text || sscanf(text, "%31s %lu %31s", kind, &plan.at, how) != 3)
        return;
    for (int i = 0; i < KIND_COUNT; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            plan.kind = i;
    plan.blow = strcmp(how, "short") == 0 ? SHORT : FAIL;
    plan.error = atoi(how);
    plan.goes_on = strchr(how, '+') != NULL;
}

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                     void *);

start_fn __libc_start_main;

int __libc_start_main(main_fn *start, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end)
{
    start_fn *real = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");
    void *stack[1];
    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    with_stacks = getenv("FAULT_STACKS") != NULL;
    if (with_stacks)
        (void)backtrace(stack, 1); /* the first one loads what it needs */
    report_path = getenv("FAULT_REPORT");
    read_plan();
    real_main = start;
    return real(run_main, argc, argv, init, fini, loader_fini, stack_end);
}

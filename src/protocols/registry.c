/* protocols/registry.c - see registry.h. Main thread only. */
#include "protocols/registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The symbol that an object exports, from BANTER_PROTOCOL(). */
#define SYMBOL "banter_protocol"

/* Bounds of what an object may ask for, so that a broken one is found out here. */
#define MOST_OPTIONS 64
#define LARGEST_SETTINGS ((size_t)1 << 20)
#define LARGEST_SESSION ((size_t)64 * 1024)

/* What can be read of any version, and what the first version had. */
#define HEAD_SIZE offsetof(struct banter_protocol, name)
#define FIRST_SIZE (offsetof(struct banter_protocol, close) + sizeof(void (*)(void)))

extern const struct banter_protocol banter_protocol_chargen, banter_protocol_daytime,
    banter_protocol_discard, banter_protocol_echo, banter_protocol_knock_knock,
    banter_protocol_qotd;

static const struct banter_protocol *const built_in[] = {
    &banter_protocol_chargen, &banter_protocol_daytime,     &banter_protocol_discard,
    &banter_protocol_echo,    &banter_protocol_knock_knock, &banter_protocol_qotd,
};

/* An object that was loaded; it stays, and a second look at it finds it here. */
struct loaded {
    struct loaded *next;
    void *handle;
    struct banter_protocol protocol; /* a copy, zero where the object's is shorter */
};

static struct loaded *all_loaded;

const struct banter_protocol *registry_built_in(size_t index)
{
    return index < sizeof(built_in) / sizeof(built_in[0]) ? built_in[index] : NULL;
}

/* --- checking ------------------------------------------------------------------------------ */

static bool is_name(const char *name)
{
    if (!name || !*name || strlen(name) > 63)
        return false;
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

struct layout {
    size_t size;
    size_t alignment;
};

#define LAYOUT(type)                                                                               \
    (struct layout)                                                                                \
    {                                                                                              \
        sizeof(type), _Alignof(type)                                                               \
    }

/* What an option's value takes; of size 0 for a type that is not known. */
static struct layout layout_of(enum banter_type type)
{
    switch (type) {
    case BANTER_STRING:
        return LAYOUT(const char *);
    case BANTER_BOOLEAN:
        return LAYOUT(bool);
    case BANTER_NUMBER:
    case BANTER_DURATION:
    case BANTER_SIZE:
    case BANTER_CHOICE:
        return LAYOUT(int64_t);
    case BANTER_FILE:
        return LAYOUT(struct banter_file);
    case BANTER_RATE:
        return LAYOUT(struct banter_rate);
    }
    return (struct layout){0, 1};
}

/* What is wrong with an option, as the end of a sentence that begins with its name; or NULL. */
static const char *check_option(const struct banter_protocol *protocol, size_t index)
{
    const struct banter_option *option = &protocol->options[index];
    struct layout layout = layout_of(option->type);
    if (!is_name(option->name))
        return "has no name, or one that is not of lower-case letters, digits and '-'";
    if (layout.size == 0)
        return "has a type that this banterd does not know";
    if (option->offset > protocol->settings_size ||
        layout.size > protocol->settings_size - option->offset)
        return "lies outside the settings";
    if (option->offset % layout.alignment != 0)
        return "has an offset that its type cannot have";
    if (option->min > option->max)
        return "has a least value that is above its greatest";
    if (option->type == BANTER_CHOICE && (!option->words || !*option->words))
        return "has no words to choose from";
    for (size_t i = 0; i < index; i++) {
        const struct banter_option *other = &protocol->options[i];
        if (strcmp(option->name, other->name) == 0)
            return "is there twice";
        if (option->offset < other->offset + layout_of(other->type).size &&
            other->offset < option->offset + layout.size)
            return "lies over another option";
    }
    return NULL;
}

static const char *check_members(const struct banter_protocol *protocol)
{
    if (!is_name(protocol->name))
        return "its name is missing, or not of lower-case letters, digits and '-'";
    if (!protocol->summary)
        return "its summary is missing";
    if (protocol->flags & ~BANTER_RAW)
        return "it has a flag that this banterd does not know";
    if (protocol->flags & BANTER_RAW ? protocol->line : protocol->data)
        return "a raw protocol has data(), any other has line()";
    if (protocol->settings_size > LARGEST_SETTINGS || protocol->session_size > LARGEST_SESSION)
        return "its settings or its session are too large";
    if (protocol->option_count > MOST_OPTIONS || (protocol->option_count > 0 && !protocol->options))
        return "it has too many options, or a count of options and none";
    return NULL;
}

static bool check_options(const struct banter_protocol *protocol, char *why, size_t why_size)
{
    for (size_t i = 0; i < protocol->option_count; i++) {
        const char *problem = check_option(protocol, i);
        const char *name = protocol->options[i].name;
        if (!problem)
            continue;
        snprintf(why, why_size, "its option %zu (%s) %s", i + 1, name ? name : "", problem);
        return false;
    }
    return true;
}

bool registry_check(const struct banter_protocol *protocol, size_t available, char *why,
                    size_t why_size)
{
    struct banter_protocol known = {0};
    if (available < HEAD_SIZE || protocol->size < FIRST_SIZE || protocol->size > available) {
        snprintf(why, why_size,
                 "its " SYMBOL " has not the size of one; does it begin with BANTER_ABI?");
        return false;
    }
    if (protocol->abi_major != BANTER_ABI_MAJOR || protocol->abi_minor > BANTER_ABI_MINOR) {
        snprintf(why, why_size,
                 "it was built for version %u.%u of the protocol interface, this is %d.%d",
                 protocol->abi_major, protocol->abi_minor, BANTER_ABI_MAJOR, BANTER_ABI_MINOR);
        return false;
    }
    memcpy(&known, protocol, protocol->size < sizeof(known) ? protocol->size : sizeof(known));
    const char *problem = check_members(&known);
    if (problem)
        snprintf(why, why_size, "%s", problem);
    return !problem && check_options(&known, why, why_size);
}

/* --- loading ------------------------------------------------------------------------------- */

/* How many bytes the symbol has, 0 if it is not data. */
static size_t size_of_symbol(const void *symbol)
{
    Dl_info info;
    void *extra = NULL;
    if (!dladdr1(symbol, &info, &extra, RTLD_DL_SYMENT) || !extra)
        return 0;
    const ElfW(Sym) *entry = extra;
    return ELF64_ST_TYPE(entry->st_info) == STT_OBJECT ? entry->st_size : 0;
}

static const struct banter_protocol *find_loaded(const void *handle)
{
    for (struct loaded *loaded = all_loaded; loaded; loaded = loaded->next)
        if (loaded->handle == handle)
            return &loaded->protocol;
    return NULL;
}

/*
 * Whether the loader can read the file. Asked beforehand, as the loader keeps its errno to itself,
 * and would wait for the writer of a fifo. False: why, and errno as registry_find() has it.
 */
static bool is_readable(const char *path, char *why, size_t why_size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int error = fd < 0 || fstat(fd, &status) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (!error && S_ISREG(status.st_mode))
        return true;
    snprintf(why, why_size, "%s cannot be opened: %s", path,
             error ? strerror(error) : "Not a regular file");
    errno = error;
    return false;
}

/*
 * Whether the loader was out of memory, or of descriptors. What it has left in errno need not be
 * the reason, and of a file that it has no memory for it may say that it is not there; but it is.
 */
static bool was_short(const char *path, const char *words)
{
    size_t length = strlen(path);
    if (strstr(words, strerror(ENOMEM)) || strstr(words, strerror(EMFILE)) ||
        strstr(words, strerror(ENFILE)))
        return true;
    if (strncmp(words, path, length) != 0)
        return false;
    words += length;
    return strstr(words, ": cannot open ") == words || strstr(words, ": cannot create ") == words;
}

/*
 * Objects are never unloaded: a client may be in the middle of one, and a later look at a refused
 * one costs nothing.
 */
static const struct banter_protocol *load(const char *path, char *why, size_t why_size)
{
    if (!is_readable(path, why, why_size))
        return NULL;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *words = dlerror();
        bool is_short = was_short(path, words);
        if (is_short)
            snprintf(why, why_size, "%s cannot be loaded: no memory, or too many open files", path);
        else
            snprintf(why, why_size, "%s", words);
        errno = is_short ? ENOMEM : 0;
        return NULL;
    }
    errno = 0;
    const struct banter_protocol *protocol = find_loaded(handle);
    if (protocol)
        return protocol;
    protocol = dlsym(handle, SYMBOL);
    if (!protocol) {
        snprintf(why, why_size, "%s is not a protocol: it has no symbol " SYMBOL, path);
        return NULL;
    }
    char problem[160];
    if (!registry_check(protocol, size_of_symbol(protocol), problem, sizeof(problem))) {
        snprintf(why, why_size, "%s cannot be used: %s", path, problem);
        return NULL;
    }
    struct loaded *loaded = calloc(1, sizeof(*loaded));
    if (!loaded) {
        snprintf(why, why_size, "%s cannot be loaded: no memory", path);
        errno = ENOMEM;
        return NULL;
    }
    size_t size = protocol->size < sizeof(*protocol) ? protocol->size : sizeof(*protocol);
    memcpy(&loaded->protocol, protocol, size);
    loaded->handle = handle;
    loaded->next = all_loaded;
    all_loaded = loaded;
    return &loaded->protocol;
}

static bool is_object(const char *name)
{
    size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, ".so") == 0;
}

const struct banter_protocol *registry_find(const char *name, const char *directory, char *why,
                                            size_t why_size)
{
    errno = 0;
    if (strchr(name, '/'))
        return load(name, why, why_size);
    if (is_object(name)) {
        char path[4096];
        int length = snprintf(path, sizeof(path), "%s/%s", directory, name);
        if (length > 0 && (size_t)length < sizeof(path))
            return load(path, why, why_size);
        snprintf(why, why_size, "the path of %s is too long", name);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
        if (strcmp(built_in[i]->name, name) == 0)
            return built_in[i];
    snprintf(why, why_size, "there is no built-in protocol %s", name);
    return NULL;
}

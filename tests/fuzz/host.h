/*
 * fuzz/host.h - the host's side of <banter/protocol.h> without any network: what a protocol says
 * goes into a transcript.
 */
#ifndef BANTERD_FUZZ_HOST_H
#define BANTERD_FUZZ_HOST_H

#include "banter/protocol.h"
#include "fuzz.h"
#include "text/report.h"

/* One client, and its listener; `random` is the state of banter_random(), any number. */
struct banter_client {
    const struct banter_protocol *protocol;
    void *settings;
    void *session;
    struct text said; /* since the last look */
    bool closed;
    uint64_t random;
};

struct arena;

/*
 * Configures the protocol, whose one option is a file, with this text, as [listener] would. NULL
 * when the report refuses it; the settings live in the arena.
 */
void *host_configure(const struct banter_protocol *protocol, const char *text, size_t length,
                     struct arena *arena, struct report *report);

/* The path that the report names that file by. */
const char *host_path(void);

void host_open(struct banter_client *client);
void host_hear(struct banter_client *client, const char *line, size_t length);
void host_close(struct banter_client *client);

/* The answer is one line; returns it without its ending, as a string until the next call. */
const char *host_answer(struct banter_client *client);

#endif

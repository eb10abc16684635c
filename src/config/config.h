/*
 * config/config.h - one validated configuration, read from an INI file.
 *
 * A struct config is immutable once loaded, and may then be read by every thread. It and all that
 * it points to live in one arena, and go together. Manual: banterd.ini(5).
 */
#ifndef BANTERD_CONFIG_CONFIG_H
#define BANTERD_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "banter/protocol.h"
#include "text/address.h"
#include "text/report.h"

struct arena;

/* A [listener NAME] section. Durations are milliseconds, sizes bytes, 0 is no limit. */
struct listener_config {
    const char *name;
    unsigned line; /* of the section, in config->path */

    const char *protocol_name; /* as written; a path is made absolute */
    const struct banter_protocol *protocol;
    void *settings; /* the protocol's own options */

    const char *listen; /* as written */
    struct address *addresses;
    size_t address_count;

    int64_t max_clients;
    int64_t max_clients_per_address;
    struct banter_rate connect_rate;
    int64_t idle_timeout;
    int64_t line_timeout;
    int64_t write_timeout;
    int64_t max_line;
    int64_t max_output;
    bool telnet;
};

struct config {
    struct arena *arena;
    atomic_uint references;
    const char *path; /* as the caller named it */

    int64_t workers; /* 0: one a CPU */
    int64_t max_clients;
    int64_t drain_timeout;
    int64_t log_level; /* a position in error, warning, notice, info, debug */
    const char *protocol_path;

    struct listener_config *listeners; /* in the order of the file */
    size_t listener_count;
};

/*
 * Reads and validates a configuration, loading protocols and their files on the way. NULL when
 * there is anything wrong with it; `report` then names everything that is.
 */
struct config *config_load(const char *path, struct report *report);

/* Room for the name of a listener or a protocol, with its NUL. */
#define CONFIG_NAME 64

/*
 * A new configuration has one reference; the last one frees it. Any thread may take and give back;
 * unref(NULL) is fine.
 */
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/*
 * Writes the configuration with all defaults, in a form that config_load() reads back to the same.
 * Returns 0, or -errno when the stream failed.
 */
__attribute__((warn_unused_result)) int config_dump(const struct config *config, FILE *stream);

#endif

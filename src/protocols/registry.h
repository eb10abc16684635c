/*
 * protocols/registry.h - finds protocols by name: the built-in ones, and loadable objects.
 *
 * An object is checked - its symbol, ABI, names, options, sizes - before anything in it is called,
 * and stays loaded for as long as the process lives. Main thread only.
 */
#ifndef BANTERD_PROTOCOLS_REGISTRY_H
#define BANTERD_PROTOCOLS_REGISTRY_H

#include <stddef.h>

#include "banter/protocol.h"

/* The built-in protocols, by name; NULL past the last. */
const struct banter_protocol *registry_built_in(size_t index);

/*
 * The protocol that `name` stands for: a built-in one (echo); an object in `directory` (mine.so);
 * or an object by its path, which has a '/' in it. NULL otherwise, with the reason in `why`, and
 * errno where the file could not be opened or memory was out; 0 elsewhere.
 */
const struct banter_protocol *registry_find(const char *name, const char *directory, char *why,
                                            size_t why_size);

/*
 * Whether the host can work with a protocol, of which `available` bytes may be read; the reason is
 * in `why` where it cannot.
 */
bool registry_check(const struct banter_protocol *protocol, size_t available, char *why,
                    size_t why_size);

#endif

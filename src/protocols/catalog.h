/*
 * protocols/catalog.h - shows people which protocols there are.
 */
#ifndef BANTERD_PROTOCOLS_CATALOG_H
#define BANTERD_PROTOCOLS_CATALOG_H

#include <stdio.h>

#include "banter/protocol.h"

/* What to write behind `protocol =`, the protocol's own name if it is another, summary, options. */
void catalog_print(FILE *stream, const char *name, const struct banter_protocol *protocol);

/* All built-in protocols. */
void catalog_print_built_in(FILE *stream);

/*
 * The loadable protocols of a directory; those that cannot be used are named on `errors` with the
 * reason. A directory that does not exist has none.
 */
void catalog_print_directory(FILE *stream, const char *directory, FILE *errors);

#endif

/*
 * config/setup.h - lets a protocol check its settings: the host's side of configure().
 */
#ifndef BANTERD_CONFIG_SETUP_H
#define BANTERD_CONFIG_SETUP_H

#include "config/section.h"

/* Calls configure() for a listener whose section starts at `line`. Main thread only. */
void setup_run(const struct banter_protocol *protocol, void *settings, const struct reader *reader,
               unsigned line);

#endif

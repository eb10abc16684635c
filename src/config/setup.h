/*
 * config/setup.h - lets a protocol check its settings: the host's side of configure().
 */
#ifndef BANTERD_CONFIG_SETUP_H
#define BANTERD_CONFIG_SETUP_H

#include "config/config.h"
#include "config/section.h"

/* Calls configure() for a listener that has its protocol and settings. Main thread only. */
void setup_run(const struct listener_config *listener, const struct reader *reader);

#endif

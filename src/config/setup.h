/*
 * config/setup.h - runs a protocol's own code while a configuration is read.
 *
 * That is configure(), and whatever an object runs when it is loaded. config_load() waits for both,
 * so a watchdog on another thread may want to know of them. Main thread only, where not said.
 */
#ifndef BANTERD_CONFIG_SETUP_H
#define BANTERD_CONFIG_SETUP_H

#include <stdbool.h>

#include "config/config.h"

struct reader;

/* From here to setup_end() this protocol's code may run, for this listener. */
void setup_begin(const char *listener, const char *protocol);
void setup_end(void);

/* Calls configure() for a listener that has its protocol and settings. */
void setup_run(const struct listener_config *listener, const struct reader *reader);

/* Whose code may be running, cut to fit; false: nobody's. Any thread. */
bool setup_is_running(char listener[CONFIG_NAME], char protocol[CONFIG_NAME]);

#endif

/*
 * config/confirm.h - a second reader of an INI text: iniparser.
 */
#ifndef BANTERD_CONFIG_CONFIRM_H
#define BANTERD_CONFIG_CONFIRM_H

#include <stddef.h>

#include "config/scan.h"
#include "text/report.h"

/*
 * Whether iniparser reads the text of the file `path` as scan() did; where it does not, or cannot,
 * the report says so. Main thread only.
 */
void confirm(const char *path, const char *text, size_t length, const struct ini *ini,
             struct report *report);

#endif

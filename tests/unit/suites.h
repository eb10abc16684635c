/*
 * unit/suites.h - the suites of the unit tests. A row here makes `Suite *NAME_suite(void)` run.
 */
#ifndef BANTERD_UNIT_SUITES_H
#define BANTERD_UNIT_SUITES_H

#include <check.h>

#define UNIT_SUITES(ROW)                                                                           \
    ROW(address)                                                                                   \
    ROW(admission)                                                                                 \
    ROW(arena)                                                                                     \
    ROW(config)                                                                                    \
    ROW(deadlines)                                                                                 \
    ROW(line)                                                                                      \
    ROW(quantity)                                                                                  \
    ROW(rates)                                                                                     \
    ROW(report)                                                                                    \
    ROW(suggest)                                                                                   \
    ROW(telnet)                                                                                    \
    ROW(utf8)

#define DECLARE_SUITE(name) Suite *name##_suite(void);
UNIT_SUITES(DECLARE_SUITE)
#undef DECLARE_SUITE

#endif

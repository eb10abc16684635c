/*
 * unit/main.c - runs the unit tests. Check's own environment variables choose among them:
 * CK_RUN_SUITE=line, CK_RUN_CASE=..., CK_FORK=no for a debugger, CK_VERBOSITY=verbose.
 */
#include <stdlib.h>

#include <check.h>

#include "suites.h"

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    int failed;

#define ADD_SUITE(name) srunner_add_suite(runner, name##_suite());
    UNIT_SUITES(ADD_SUITE)
#undef ADD_SUITE

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * wayward_raw.c - a protocol for the tests: wayward.c, but of bytes, so that it can hang in data().
 */
#define RAW
#include "wayward.c"

/*
 * fuzz/system.h - the system and the memory as a network server must expect them: unwilling.
 *
 * recv(), send(), writev() and epoll_ctl() fail or fall short when they are told to, for libevent
 * as well as for banterd. The clock stands still until it is moved, and timers ring by it.
 * Allocations of banterd and libevent are counted, and fail when told to.
 */
#ifndef BANTERD_FUZZ_SYSTEM_H
#define BANTERD_FUZZ_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call { CALL_RECV, CALL_SEND, CALL_WRITEV, CALL_EPOLL_CTL, CALLS };

/* Once, before libevent is used: it takes its memory from here. */
void system_init(void);

/* From here to system_end() time is ours. */
void system_begin(void);
void system_end(void);

/* Faults happen while the server is at work, not to its clients. */
void system_serve(bool at_work);

/* No more faults; those that did not happen are forgotten. */
void system_heal(void);

/*
 * The next such call does only a byte of its work, comes back for nothing (EAGAIN, EINTR), or fails
 * with one of the errors that it is known for; that alone counts as a failure.
 */
void system_fail(enum call call, uint8_t how);

/* The allocation after so many others fails. */
void system_fail_allocation(unsigned after);

/* Whether a failure that was ordered has happened since system_begin(). */
bool system_has_failed(void);

void system_pass(int64_t milliseconds);

/* How many blocks of memory, and how many descriptors below 64 there are. */
size_t system_blocks(void);
size_t system_descriptors(void);

#endif

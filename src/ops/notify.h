/*
 * ops/notify.h - what the service manager is told: the protocol of sd_notify(3), spoken natively.
 *
 * One datagram a message to the socket that NOTIFY_SOCKET names; without one nobody listens, and
 * nothing is sent. libsystemd would do the same with seven shared objects behind it.
 */
#ifndef BANTERD_OPS_NOTIFY_H
#define BANTERD_OPS_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer messages are cut off: the service manager reads no more than 4096 bytes of one. */
#define NOTIFY_MESSAGE ((size_t)4000)

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment. What is wrong with
 * them is logged as `notify-failed`, and is no reason not to serve. To be called once, before any
 * thread is started.
 */
void notify_start(void);

/* Closes the socket. */
void notify_stop(void);

/* Whether anybody listens. Any thread, as the rest. */
bool notify_enabled(void);

/*
 * Sends one message: assignments such as `READY=1`, each with a newline at its end. Never waits:
 * false where the service manager has not taken it, whose queue may be full. That is logged as
 * `notify-failed` - a full queue only when it has been so for five seconds - and then not again
 * until a message was taken. True where nobody listens.
 */
bool notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Makes a text fit to be a value: control characters, which would end it, become blanks; and bytes
 * that are not UTF-8, or a noncharacter of it, become `?`, since systemd takes no text that has
 * any.
 */
void notify_clean(char *text);

/* Within so many microseconds `WATCHDOG=1` is expected, each time; 0: nobody waits for it. */
uint64_t notify_watchdog(void);

#endif

/*
 * misbehave.c - a protocol for the tests: echoes lines, hangs at `hang`, crashes at `crash`, and at
 * `trespass` makes a system call that the service may not make.
 */
#include <banter/protocol.h>

#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void misbehave_line(struct banter_client *client, void *session, const char *line,
                           size_t length)
{
    (void)session;
    (void)length;
    while (strcmp(line, "hang") == 0)
        pause();
    if (strcmp(line, "crash") == 0)
        *(volatile int *)NULL = 0;
    if (strcmp(line, "trespass") == 0)
        (void)umount("/");
    banter_say(client, line);
}

BANTER_PROTOCOL(misbehave) = {
    BANTER_ABI,
    .name = "misbehave",
    .summary = "echoes, hangs, crashes or trespasses",
    .line = misbehave_line,
};

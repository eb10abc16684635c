/* guess.c - thinks of a number, and lets the client find it. */
#include <banter/protocol.h>

#include <stdlib.h>

static void guess_open(struct banter_client *client, void *session)
{
    *(int *)session = 1 + (int)banter_random(client, 100);
    banter_say(client, "I think of a number from 1 to 100. Which?");
}

static void guess_line(struct banter_client *client, void *session, const char *line, size_t length)
{
    int secret = *(int *)session;
    long guess = strtol(line, NULL, 10);
    (void)length;
    banter_say(client, guess == secret ? "Yes!" : guess < secret ? "Higher." : "Lower.");
    if (guess == secret)
        banter_close(client);
}

BANTER_PROTOCOL(guess) = {
    BANTER_ABI,
    .name = "guess",
    .summary = "thinks of a number, and lets the client find it",
    .session_size = sizeof(int),
    .open = guess_open,
    .line = guess_line,
};

/*
 * net/input.h - the way in: bytes -> telnet filter -> line framer -> protocol.
 *
 * Input is taken only while the client listens: once more output waits than max-output, the rest of
 * the input has to wait too. Runs on the client's worker, inside an event of it.
 */
#ifndef BANTERD_NET_INPUT_H
#define BANTERD_NET_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct banter_client;

/* Hands bytes to the protocol. Returns how many were used: less than all only if they must wait. */
size_t input_take(struct banter_client *client, char *bytes, size_t length);

/* Takes up held input; false when there is none, or the client does not listen. */
bool input_take_held(struct banter_client *client);

/* The client has finished sending: an unfinished line counts as one, then the protocol is told. */
void input_end(struct banter_client *client);

#endif

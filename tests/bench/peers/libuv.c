/*
 * libuv.c - an echo on libuv, the loop under Node.js. It is a peer because it is written for speed:
 * one read buffer for all clients, and an answer that leaves from the read callback.
 *
 * `libuv PORT` echoes bytes as they come, which is the least work an echo can be; `libuv PORT
 * lines` cuts them into lines first, which is the work that a line protocol cannot do without.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <uv.h>

enum { BACKLOG = 4096, READ_SIZE = 64 << 10, LINE_LIMIT = 8 << 10 };

struct client {
    uv_tcp_t tcp;
    uv_write_t request;
    char *unsent; /* what the kernel did not take, while it is being written; else NULL */
    char *tail;   /* a line that has not ended yet; NULL: there is none */
    size_t tail_length;
    bool ended; /* nothing more is read: close when all is written */
};

static bool lines;

/* Both are for the time of one read callback, and so one of each does for all clients. */
static char received[READ_SIZE];
static char gathered[READ_SIZE + LINE_LIMIT];

static void must(const char *what, int status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "libuv: cannot %s: %s\n", what, uv_strerror(status));
    exit(EXIT_FAILURE);
}

static void on_close(uv_handle_t *handle)
{
    struct client *client = handle->data;
    free(client->unsent);
    free(client->tail);
    free(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(received, sizeof(received));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void on_written(uv_write_t *request, int status)
{
    struct client *client = request->handle->data;
    free(client->unsent);
    client->unsent = NULL;
    if (status < 0 || client->ended || uv_read_start(request->handle, on_alloc, on_read) < 0)
        uv_close((uv_handle_t *)&client->tcp, on_close);
}

/*
 * Nothing is read while something is unsent: a client that does not take its answers costs no more
 * memory than those to one read. False: the client is gone.
 */
static bool answer(struct client *client, char *data, size_t length)
{
    uv_stream_t *stream = (uv_stream_t *)&client->tcp;
    uv_buf_t buffer = uv_buf_init(data, (unsigned int)length);
    int written = length > 0 ? uv_try_write(stream, &buffer, 1) : 0;
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0 || (size_t)written == length)
        return written >= 0;

    length -= (size_t)written;
    client->unsent = malloc(length);
    must("keep an answer", client->unsent ? 0 : UV_ENOMEM);
    memcpy(client->unsent, data + written, length);
    buffer = uv_buf_init(client->unsent, (unsigned int)length);
    return uv_read_stop(stream) == 0 &&
           uv_write(&client->request, stream, &buffer, 1, on_written) == 0;
}

/* Puts the lines that are complete into gathered, and keeps the rest. False: one is too long. */
static bool gather(struct client *client, const char *data, size_t length, size_t *used)
{
    const char *end;
    while ((end = memchr(data, '\n', length))) {
        const size_t taken = (size_t)(end - data) + 1;
        if (client->tail_length + taken > LINE_LIMIT)
            return false;
        if (client->tail)
            memcpy(gathered + *used, client->tail, client->tail_length);
        memcpy(gathered + *used + client->tail_length, data, taken);
        *used += client->tail_length + taken;
        free(client->tail);
        client->tail = NULL;
        client->tail_length = 0;
        data += taken;
        length -= taken;
    }
    if (length == 0 || client->tail_length + length > LINE_LIMIT)
        return length == 0;
    char *tail = realloc(client->tail, client->tail_length + length);
    must("keep a line", tail ? 0 : UV_ENOMEM);
    memcpy(tail + client->tail_length, data, length);
    client->tail = tail;
    client->tail_length += length;
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    size_t used = 0;
    bool alive = count >= 0 || count == UV_EOF;

    if (count == UV_EOF) {
        client->ended = true;
        alive = answer(client, client->tail, client->tail_length);
    } else if (count > 0 && lines) {
        client->ended = !gather(client, buffer->base, (size_t)count, &used);
        alive = answer(client, gathered, used);
    } else if (count > 0) {
        alive = answer(client, buffer->base, (size_t)count);
    }
    /* What is unsent goes before an end: on_written sees to it. */
    if (!alive || (client->ended && !client->unsent))
        uv_close((uv_handle_t *)stream, on_close);
}

static void on_connection(uv_stream_t *listener, int status)
{
    must("accept", status);
    struct client *client = calloc(1, sizeof(*client));
    must("keep a client", client ? 0 : UV_ENOMEM);
    must("make a socket", uv_tcp_init(listener->loop, &client->tcp));
    client->tcp.data = client;
    if (uv_accept(listener, (uv_stream_t *)&client->tcp) < 0 ||
        uv_tcp_nodelay(&client->tcp, 1) < 0 ||
        uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read) < 0)
        uv_close((uv_handle_t *)&client->tcp, on_close);
}

int main(int count, char **arguments)
{
    char *end = NULL;
    lines = count == 3 && strcmp(arguments[2], "lines") == 0;
    const unsigned long port = count == 2 || lines ? strtoul(arguments[1], &end, 10) : 0;
    if (port < 1 || port > 65535 || *end != '\0') {
        fputs("usage: libuv PORT [lines]\n", stderr);
        return EX_USAGE;
    }
    must("ignore SIGPIPE", signal(SIGPIPE, SIG_IGN) == SIG_ERR ? UV_EINVAL : 0);

    uv_loop_t loop;
    uv_tcp_t listener;
    struct sockaddr_in address;
    must("make a loop", uv_loop_init(&loop));
    must("make a socket", uv_tcp_init(&loop, &listener));
    must("make an address", uv_ip4_addr("127.0.0.1", (int)port, &address));
    /* uv_tcp_bind sets SO_REUSEADDR, too. */
    must("bind", uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0));
    must("listen", uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection));

    /* With a listener in the loop, this does not return. */
    must("run the loop", uv_run(&loop, UV_RUN_DEFAULT));
    return EXIT_FAILURE;
}

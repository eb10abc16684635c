/* net/limits.c - see limits.h. */
#include "net/limits.h"

#include "config/config.h"
#include "net/client.h"
#include "net/listener.h"
#include "ops/clock.h"

/* How long a client may take to close its side after we have closed ours. */
#define LINGER_MS 2000

/* How long the last output may take to leave where write-timeout is never. */
#define FLUSH_MS 30000

/* About as long as the kernel tries by itself where nobody answers: a limit is for less. */
#define KERNEL_MS 100000

static int64_t after(int64_t since, int64_t limit)
{
    return limit > 0 ? since + limit : DEADLINE_NEVER;
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

static int64_t idle_limit(const struct banter_client *client)
{
    if (client->state != CLIENT_OPEN)
        return DEADLINE_NEVER;
    return after(client->active, client->listener->settings->idle_timeout);
}

/* Goes on while nothing is read: what the client does not take of its output is the reason. */
static int64_t line_limit(const struct banter_client *client)
{
    if (client->state != CLIENT_OPEN || client->line_begun == 0)
        return DEADLINE_NEVER;
    return after(client->line_begun, client->listener->settings->line_timeout);
}

static int64_t write_limit(const struct banter_client *client)
{
    int64_t timeout = client->listener->settings->write_timeout;
    if (client->output_mark == 0)
        return DEADLINE_NEVER;
    if (timeout == 0 && client->state == CLIENT_FLUSHING)
        return client->ending_since + FLUSH_MS;
    return after(client->output_since, timeout);
}

int64_t limits_next(const struct banter_client *client)
{
    if (client->state == CLIENT_LINGERING)
        return client->ending_since + LINGER_MS;
    return earlier(idle_limit(client), earlier(line_limit(client), write_limit(client)));
}

/*
 * What waits now, max-output of it at most, has to reach the client within write-timeout; then the
 * mark moves on. So who reads slowly but steadily is fine, and who takes a byte now and then is
 * not. Delivery counts, since the kernel's buffers may take nothing for long while they drain.
 */
void limits_note_output(struct banter_client *client)
{
    if (stream_pending(&client->stream) == 0) {
        client->output_mark = 0;
    } else if (client->output_mark == 0) {
        uint64_t most =
            stream_delivered(&client->stream) + (uint64_t)client->listener->settings->max_output;
        uint64_t all = client->stream.written;
        client->output_mark = all < most ? all : most;
        client->output_since = clock_now();
    }
}

/*
 * Output that arrives is activity, at the time when it does. Nobody tells when that was: what was
 * on its way at the last look, or is so now, counts as arriving now. What came and went between two
 * looks arrived soon after it was sent, and that was noted.
 */
static void note_progress(struct banter_client *client, int64_t now)
{
    uint64_t delivered = stream_delivered(&client->stream);
    bool on_its_way = delivered < client->stream.written - client->stream.lost;
    if (delivered > client->delivered_seen && (on_its_way || client->output_on_its_way))
        client->active = now;
    client->delivered_seen = delivered;
    client->output_on_its_way = on_its_way;
    if (delivered >= client->output_mark)
        client->output_mark = 0;
}

enum banter_reason limits_exceeded(struct banter_client *client)
{
    int64_t now = clock_now();
    note_progress(client, now);
    if (now >= write_limit(client))
        return BANTER_WRITE_TIMEOUT;
    if (now >= line_limit(client))
        return BANTER_LINE_TIMEOUT;
    if (now >= idle_limit(client))
        return BANTER_IDLE_TIMEOUT;
    return 0;
}

int64_t limits_of_rest(const struct banter_client *client)
{
    int64_t timeout = client->listener->settings->write_timeout;
    return timeout == 0 ? FLUSH_MS : earlier(timeout, KERNEL_MS);
}

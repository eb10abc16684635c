/*
 * fuzz/client.c - a whole client on a socket pair: all of net/ but the acceptor, and a real loop.
 *
 * For every script: what comes back is what the model answers, and all of it unless the script has
 * broken the connection or something failed on the way; a farewell may follow where the server was
 * to end the client. No more output waits than max-output and the answer that went beyond it. After
 * the end nothing is left: no client, no count of one, no descriptor, no memory.
 *
 * Input: the protocol, which allocation of the client's beginning fails (0: none), then steps; each
 * is a byte that chooses it, and what it needs.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/config.h"
#include "config/section.h"
#include "config/setup.h"
#include "fuzz.h"
#include "model.h"
#include "net/client.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/loop.h"
#include "ops/log.h"
#include "system.h"
#include "text/arena.h"

extern const struct banter_protocol banter_protocol_echo, banter_protocol_chargen,
    banter_protocol_knock_knock;

#define MAX_LINE 40
#define MAX_OUTPUT 1024
#define IDLE_TIMEOUT 1500
#define LINE_TIMEOUT 1000
#define WRITE_TIMEOUT 2000
#define CLUE "Boo!"
#define PUNCH_LINE                                                                                 \
    "\xc3\x9c"                                                                                     \
    "ber!"
#define CHARGEN_PATTERN (95 * 74)
#define FOREVER 3600000 /* milliseconds: beyond every limit */

static void line_echo_line(struct banter_client *client, void *session, const char *line,
                           size_t length)
{
    (void)session;
    banter_say_line(client, line, length);
}

static const struct banter_protocol line_echo = {
    BANTER_ABI, .name = "line-echo", .summary = "says each line back", .line = line_echo_line};

/* The listeners, one of them for each input. */
enum kind { ECHO, LINES, TELNET_LINES, JOKES, CHARGEN, KINDS };

static const struct {
    const struct banter_protocol *protocol;
    bool telnet;
    size_t answer; /* the longest, which may go beyond max-output */
} kinds[KINDS] = {
    [ECHO] = {&banter_protocol_echo, false, 1},
    [LINES] = {&line_echo, false, MAX_LINE + 2},
    [TELNET_LINES] = {&line_echo, true, 2 * MAX_LINE + 2},
    [JOKES] = {&banter_protocol_knock_knock, true, 80},
    [CHARGEN] = {&banter_protocol_chargen, false, CHARGEN_PATTERN},
};

static struct {
    struct config config;
    struct listener_config settings[KINDS];
    struct admission *admission;
    struct tally *tally;
} server;

/* One input's conversation. */
struct talk {
    enum kind kind;
    struct loop *loop;
    struct listener *listener;
    int fd;            /* the client's end; -1 once it is closed */
    struct text sent;  /* by the client, as far as the kernel took it */
    struct text heard; /* by the client */
    bool finished;     /* the client has half-closed */
    bool broken;       /* the client has gone without listening to the end */
    bool over;         /* the server has closed its side */
    bool may_be_ended; /* by a limit or a stop */
    int64_t passed;    /* milliseconds */
};

/* --- setting up ---------------------------------------------------------------------------- */

static void configure(struct listener_config *settings)
{
    static char jokes[] = CLUE ": " PUNCH_LINE "\n";
    struct report report = {0};
    struct arena *arena = server.config.arena;
    const struct reader reader = {.path = "banterd.ini", .arena = arena, .report = &report};
    settings->settings = arena_alloc(arena, settings->protocol->settings_size);
    expect(settings->settings, "no memory for settings");
    if (settings->protocol->option_count > 0) {
        const size_t offset = settings->protocol->options[0].offset;
        *(struct banter_file *)(void *)((char *)settings->settings + offset) =
            (struct banter_file){.path = "jokes.txt", .text = jokes, .length = strlen(jokes)};
    }
    setup_run(settings, &reader);
    expect(!report_failed(&report), "%s", report_message(&report, 0));
}

static void set_up(void)
{
    system_init();
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ERROR);
    server.config = (struct config){.references = 1, .max_clients = 10, .arena = arena_new()};
    for (enum kind kind = 0; kind < KINDS; kind++) {
        server.settings[kind] = (struct listener_config){.name = "fuzz",
                                                         .protocol = kinds[kind].protocol,
                                                         .telnet = kinds[kind].telnet,
                                                         .max_clients_per_address = 1,
                                                         .idle_timeout = IDLE_TIMEOUT,
                                                         .line_timeout = LINE_TIMEOUT,
                                                         .write_timeout = WRITE_TIMEOUT,
                                                         .max_line = MAX_LINE,
                                                         .max_output = MAX_OUTPUT};
        configure(&server.settings[kind]);
    }
    server.admission = admission_new();
    server.tally = admission_tally(server.admission, "fuzz");
    expect(server.tally, "no memory for counts");
}

/* Gives the listener one end of a connection with small buffers; returns the other. */
static int connect_client(struct listener *listener)
{
    union peer peer = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    const int small = 1;
    int fds[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0,
           "no socket pair");
    for (int i = 0; i < 2; i++)
        expect(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0, "no option");
    system_serve(true);
    client_start(listener, fds[0], &peer);
    system_serve(false);
    return fds[1];
}

static void on_emptied(struct loop *loop)
{
    (void)loop;
}

/* --- the client ---------------------------------------------------------------------------- */

/* Not by send() and recv(), which fail at times. */
static void say(struct talk *talk, const char *bytes, size_t length)
{
    if (talk->fd < 0 || talk->finished)
        return;
    ssize_t count = write(talk->fd, bytes, length);
    if (count > 0)
        text_add(&talk->sent, bytes, (size_t)count);
}

static void say_again(struct talk *talk, uint8_t byte, size_t length)
{
    char bytes[4096];
    memset(bytes, byte, sizeof(bytes));
    say(talk, bytes, length < sizeof(bytes) ? length : sizeof(bytes));
}

/* Whether there was anything. */
static bool listen_to(struct talk *talk, size_t most)
{
    char bytes[8192];
    if (talk->fd < 0 || talk->over)
        return false;
    ssize_t count = read(talk->fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes));
    if (count > 0)
        text_add(&talk->heard, bytes, (size_t)count);
    else if (count == 0 && most > 0)
        talk->over = true;
    else if (count < 0 && errno != EAGAIN)
        talk->over = talk->broken = true;
    return count > 0;
}

static void half_close(struct talk *talk)
{
    if (talk->fd < 0 || talk->finished)
        return;
    talk->finished = true;
    /* A server that is gone already says ENOTCONN. */
    expect(shutdown(talk->fd, SHUT_WR) == 0 || errno == ENOTCONN, "no half-close");
}

static void hang_up(struct talk *talk)
{
    if (talk->fd < 0)
        return;
    talk->broken |= !talk->over;
    close(talk->fd);
    talk->fd = -1;
}

/* --- the server ---------------------------------------------------------------------------- */

static void check_pending(const struct talk *talk)
{
    const struct banter_client *client = talk->loop->clients;
    size_t most = MAX_OUTPUT + kinds[talk->kind].answer + sizeof("server is stopping\r\n");
    if (client)
        expect(stream_pending(&client->stream) <= most, "%zu bytes of output wait",
               stream_pending(&client->stream));
    expect(talk->loop->out_length == 0, "output is gathered, and nobody sends it");
}

static void turn(struct talk *talk)
{
    system_serve(true);
    expect(event_base_loop(talk->loop->base, EVLOOP_NONBLOCK) >= 0, "the loop has failed");
    system_serve(false);
    check_pending(talk);
}

static void dismiss(struct talk *talk)
{
    talk->may_be_ended = true;
    system_serve(true);
    expect(clients_dismiss(talk->loop, BANTER_DRAIN), "time stands still, and it takes long");
    system_serve(false);
    check_pending(talk);
}

static void pass(struct talk *talk, int64_t milliseconds)
{
    talk->may_be_ended = true;
    talk->passed += milliseconds;
    system_pass(milliseconds);
    turn(talk);
}

/* A second client from the address comes while the first one is there, and is told so. */
static void refuse_another(struct talk *talk)
{
    static const char told[] = "too many clients from your address\r\n";
    char bytes[sizeof(told)];
    if (!talk->loop->clients)
        return;
    int fd = connect_client(talk->listener);
    ssize_t count = read(fd, bytes, sizeof(bytes));
    bool raw = kinds[talk->kind].protocol->flags & BANTER_RAW;
    if (!raw && !system_has_failed() && count > 1) /* not all is sent where sending falls short */
        expect((size_t)count < sizeof(told) && memcmp(bytes, told, (size_t)count) == 0,
               "somebody else is told: %.*s", (int)count, bytes);
    expect(!raw || count == 0, "somebody else is answered");
    close(fd);
}

/* --- the script ---------------------------------------------------------------------------- */

static void take_step(struct talk *talk, struct script *script)
{
    uint8_t step = script_byte(script);
    const char *bytes;
    size_t length;
    switch (step % 14) {
    case 0:
    case 1:
        bytes = script_bytes(script, script_byte(script), &length);
        say(talk, bytes, length);
        break;
    case 2:
        bytes = script_bytes(script, script_byte(script), &length);
        say(talk, bytes, length);
        turn(talk);
        break;
    case 3:
        step = script_byte(script);
        say_again(talk, script_byte(script), 16u * step);
        turn(talk);
        break;
    case 4:
        (void)listen_to(talk, 32u * script_byte(script));
        break;
    case 5:
        (void)listen_to(talk, SIZE_MAX);
        turn(talk);
        break;
    case 6:
        turn(talk);
        break;
    case 7:
        half_close(talk);
        break;
    case 8:
        step = script_byte(script);
        system_fail(step % CALLS, script_byte(script));
        break;
    case 9:
        system_fail_allocation(script_byte(script) % 16);
        break;
    case 10:
        dismiss(talk);
        break;
    case 11:
        pass(talk, 16 * script_byte(script));
        break;
    case 12:
        refuse_another(talk);
        break;
    case 13:
        if (script_byte(script) % 4 == 0)
            hang_up(talk);
        break;
    }
}

/* Everything is said and answered, unless the server stands still: then time passes. */
static void listen_to_the_end(struct talk *talk)
{
    half_close(talk);
    for (int idle = 0; !talk->over && talk->fd >= 0;
         idle = listen_to(talk, SIZE_MAX) ? 0 : idle + 1) {
        turn(talk);
        if (idle >= 4) { /* what arrived meanwhile puts a limit off */
            expect(talk->may_be_ended || system_has_failed(), "there is no answer, and no end");
            pass(talk, FOREVER);
        }
        expect(idle < 8, "no limit ends the client");
    }
}

static void finish(struct talk *talk, bool abort)
{
    system_heal();
    if (talk->kind == CHARGEN)
        hang_up(talk);
    else if (abort)
        talk->may_be_ended = true;
    else
        listen_to_the_end(talk);
    if (abort) {
        expect(clients_abort(talk->loop, BANTER_DRAIN), "time stands still, and it takes long");
        while (listen_to(talk, SIZE_MAX))
            ;
        talk->broken = true;
    }
    hang_up(talk);
    for (int i = 0; i < 4; i++)
        turn(talk);
    expect(!talk->loop->clients || system_has_failed(), "who has hung up is still there");
    for (int i = 0; i < 4 && talk->loop->clients; i++)
        pass(talk, FOREVER);
    expect(!talk->loop->clients, "the client is still there");
}

/* --- what should come back ----------------------------------------------------------------- */

struct answers {
    enum kind kind;
    struct text text;
    struct model_joke joke;
};

static void answer(struct answers *answers, const char *line, size_t length)
{
    static const char iac = '\xff';
    for (size_t i = 0; i < length; i++) {
        text_add(&answers->text, &line[i], 1);
        if (line[i] == iac && kinds[answers->kind].telnet)
            text_add(&answers->text, &iac, 1);
    }
    text_add(&answers->text, "\r\n", 2);
}

static void on_heard(void *owner, enum heard what, const char *bytes, size_t length)
{
    struct answers *answers = owner;
    if (answers->joke.state == MODEL_OVER)
        return;
    switch (what) {
    case HEARD_LINE:
        if (answers->kind == JOKES)
            model_answer(&answers->joke, bytes, length, &answers->text);
        else
            answer(answers, bytes, length);
        break;
    case HEARD_REPLY:
        text_add(&answers->text, bytes, length);
        break;
    case HEARD_ARE_YOU_THERE:
        text_say(&answers->text, "banterd is here");
        break;
    case HEARD_INTERRUPT:
        break;
    case HEARD_TOO_LONG:
        text_say(&answers->text, "line too long");
        break;
    }
}

static struct text expected_answers(const struct talk *talk)
{
    struct answers answers = {.kind = talk->kind, .joke = {.clue = CLUE, .punch_line = PUNCH_LINE}};
    struct model model = {
        .max = MAX_LINE, .telnet = kinds[talk->kind].telnet, .hear = on_heard, .owner = &answers};
    if (talk->kind == ECHO) {
        text_add(&answers.text, talk->sent.bytes, talk->sent.length);
    } else if (talk->kind == CHARGEN) {
        for (size_t i = 0; i < talk->heard.length; i++) {
            size_t line = i / 74 % 95, column = i % 74;
            char byte = (char)(column == 72   ? '\r'
                               : column == 73 ? '\n'
                                              : ' ' + (int)((line + column) % 95));
            text_add(&answers.text, &byte, 1);
        }
    } else {
        if (talk->kind == JOKES)
            text_say(&answers.text, "Knock! Knock!");
        model_take(&model, talk->sent.bytes, talk->sent.length);
        model_end(&model);
    }
    return answers.text;
}

/* Whether it is how a farewell begins; a whole one unless the connection was cut. */
static bool is_farewell(const char *bytes, size_t length, bool whole)
{
    static const char *const farewells[] = {"idle timeout\r\n", "line timeout\r\n",
                                            "server is stopping\r\n", "line too long\r\n"};
    for (size_t i = 0; i < sizeof(farewells) / sizeof(farewells[0]); i++)
        if (length <= strlen(farewells[i]) && memcmp(bytes, farewells[i], length) == 0 &&
            (!whole || length == strlen(farewells[i])))
            return true;
    return false;
}

static void check_answers(const struct talk *talk)
{
    struct text expected = expected_answers(talk);
    const struct text *heard = &talk->heard;
    bool whole = !talk->broken && !system_has_failed() && talk->passed < WRITE_TIMEOUT;
    size_t same = 0;
    while (same < heard->length && same < expected.length &&
           heard->bytes[same] == expected.bytes[same])
        same++;
    bool fine = same == heard->length;
    if (fine && whole && !talk->may_be_ended)
        fine = same == expected.length;
    for (size_t at = 0; !fine && talk->may_be_ended && at <= same; at++)
        fine = is_farewell(heard->bytes + at, heard->length - at, whole);
    expect(fine, "heard %.*s| after %zu bytes, where the model has %.*s|", (int)heard->length,
           heard->bytes, same, (int)expected.length, expected.bytes);
    text_free(&expected);
}

/* --- one input ----------------------------------------------------------------------------- */

static void converse(struct script *script)
{
    static struct loop loop;
    uint8_t kind = script_byte(script);
    uint8_t failing = script_byte(script) % 8;
    struct talk talk = {.kind = kind % KINDS, .loop = &loop};
    loop = (struct loop){.emptied = on_emptied};
    system_begin();
    expect(loop_init(&loop, server.admission) == 0, "no loop");
    loop.random = 1;
    talk.listener = listener_new(&loop, &server.config, &server.settings[talk.kind], server.tally);
    expect(talk.listener, "no memory for a listener");
    if (failing > 0)
        system_fail_allocation(failing - 1u);
    talk.fd = connect_client(talk.listener);
    while (script->left > 0)
        take_step(&talk, script);
    finish(&talk, kind >= 0xf0);
    check_answers(&talk);
    text_free(&talk.sent);
    text_free(&talk.heard);
    listener_unref(talk.listener);
    loop_fini(&loop);
    system_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_up;
    struct script script = {data, size};
    if (!is_up) {
        set_up();
        converse(&(struct script){0}); /* libevent keeps something of its first time */
        is_up = true;
    }
    size_t blocks = system_blocks(), descriptors = system_descriptors();
    converse(&script);
    expect(admission_clients(server.admission) == 0, "a client is still counted");
    expect(server.config.references == 1, "somebody still has the configuration");
    expect(system_blocks() == blocks, "%zd blocks of memory are left",
           (ssize_t)(system_blocks() - blocks));
    expect(system_descriptors() == descriptors, "%zd descriptors are left",
           (ssize_t)(system_descriptors() - descriptors));
    return 0;
}

/*
 * server/server.h - the daemon as a whole: workers, generations, signals, drain.
 *
 * Runs on the main thread. HUP reloads; TERM and INT drain, and at the second time stop.
 */
#ifndef BANTERD_SERVER_SERVER_H
#define BANTERD_SERVER_SERVER_H

struct config;

/* What the command line has said, and no configuration overrules. */
struct server_options {
    const char *path; /* of the configuration, to read it again */
    int log_level;    /* -1: as the configuration says */
};

/*
 * Lets the signals that the server listens to wait until it does. To be called before the
 * configuration is read, so that a HUP that comes early means a reload, and not the end.
 */
void server_block_signals(void);

/*
 * Serves until told to stop. Takes over the reference to the first configuration. Returns the exit
 * status: 0, or EX_OSERR when the system refused something at start-up, which has been reported.
 */
__attribute__((warn_unused_result)) int server_run(struct config *config,
                                                   const struct server_options *options);

#endif

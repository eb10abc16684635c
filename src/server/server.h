/*
 * server/server.h - the daemon as a whole: workers, generations, signals, drain.
 *
 * Runs on the main thread. HUP reloads; TERM and INT drain, and at the second time stop.
 */
#ifndef BANTERD_SERVER_SERVER_H
#define BANTERD_SERVER_SERVER_H

/* What the command line has said, and no configuration overrules. */
struct server_options {
    const char *path; /* of the configuration, to read it again */
    int log_level;    /* -1: as the configuration says */
};

/*
 * Serves until told to stop. Returns the exit status: 0; or, for a start that failed and said why,
 * EX_CONFIG when the configuration is bad, or does not go with the sockets that were passed, and
 * EX_OSERR when the system refused something.
 */
__attribute__((warn_unused_result)) int server_run(const struct server_options *options);

#endif

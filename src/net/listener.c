/* net/listener.c - see listener.h. */
#include "net/listener.h"

#include <stdlib.h>

#include "config/config.h"
#include "net/admission.h"

struct listener *listener_new(struct loop *loop, struct config *config,
                              const struct listener_config *settings, struct tally *tally)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return NULL;
    *listener = (struct listener){.loop = loop,
                                  .config = config_ref(config),
                                  .settings = settings,
                                  .tally = tally,
                                  .name = tally_name(tally),
                                  .references = 1};
    return listener;
}

struct listener *listener_ref(struct listener *listener)
{
    listener->references++;
    return listener;
}

void listener_unref(struct listener *listener)
{
    if (!listener || --listener->references > 0)
        return;
    config_unref(listener->config);
    free(listener);
}

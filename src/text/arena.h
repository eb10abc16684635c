/*
 * text/arena.h - memory that is taken piece by piece and given back all at once.
 *
 * A configuration lives in one arena: whatever was read for it goes when the arena goes, and no
 * part of it needs an owner of its own. An arena belongs to one thread while it is being filled.
 */
#ifndef BANTERD_TEXT_ARENA_H
#define BANTERD_TEXT_ARENA_H

#include <stddef.h>

struct arena;

/* An empty arena, or NULL when memory is out. */
struct arena *arena_new(void);

/* Frees all that was taken from the arena, and the arena; NULL is fine. */
void arena_free(struct arena *arena);

/* `size` zero-filled bytes, aligned for any type, or NULL when memory is out. */
void *arena_alloc(struct arena *arena, size_t size);

/* A NUL-terminated copy of `length` bytes, or NULL when memory is out. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length);

#endif

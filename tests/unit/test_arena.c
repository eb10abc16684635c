/*
 * unit/test_arena.c - memory from an arena is zeroed, aligned, and goes with it. That all of it
 * goes is for the leak checker to see.
 */
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <check.h>

#include "suites.h"
#include "text/arena.h"

START_TEST(pieces_are_zeroed_aligned_and_apart)
{
    struct arena *arena = arena_new();
    unsigned char *pieces[200];

    ck_assert_ptr_nonnull(arena);
    for (size_t size = 0; size < 200; size++) {
        pieces[size] = arena_alloc(arena, size);
        ck_assert_ptr_nonnull(pieces[size]);
        ck_assert_uint_eq((uintptr_t)pieces[size] % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(pieces[size][i], 0);
        memset(pieces[size], (int)size, size);
    }
    for (size_t size = 0; size < 200; size++) {
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(pieces[size][i], size);
    }
    arena_free(arena);
}
END_TEST

START_TEST(copies_are_terminated)
{
    struct arena *arena = arena_new();
    const char *copy;

    ck_assert_ptr_nonnull(arena);
    ck_assert_str_eq(arena_copy(arena, "knock knock", 5), "knock");
    ck_assert_str_eq(arena_copy(arena, NULL, 0), "");
    copy = arena_copy(arena, "a\0b", 3);
    ck_assert(memcmp(copy, "a\0b", 4) == 0);
    arena_free(arena);
}
END_TEST

START_TEST(impossible_sizes_are_out_of_memory)
{
    struct arena *arena = arena_new();

    ck_assert_ptr_nonnull(arena);
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
    ck_assert_ptr_null(arena_copy(arena, "", SIZE_MAX));
    ck_assert_ptr_nonnull(arena_alloc(arena, 1));
    arena_free(arena);
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
    arena_free(NULL);
    arena_free(arena_new());
}
END_TEST

Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tests = tcase_create("arena");

    tcase_add_test(tests, pieces_are_zeroed_aligned_and_apart);
    tcase_add_test(tests, copies_are_terminated);
    tcase_add_test(tests, impossible_sizes_are_out_of_memory);
    tcase_add_test(tests, freeing_nothing_is_fine);
    suite_add_tcase(suite, tests);
    return suite;
}

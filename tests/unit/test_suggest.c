/*
 * unit/test_suggest.c - distances between names, held against the textbook's table.
 */
#include <string.h>

#include <check.h>

#include "suites.h"
#include "text/suggest.h"

static const struct {
    const char *wrong;
    const char *name;
    size_t distance;
} pairs[] = {
    {"", "", 0},
    {"", "a", 1},
    {"a", "", 1},
    {"echo", "echo", 0},
    {"ECHO", "echo", 0},
    {"ehco", "echo", 1},
    {"eco", "echo", 1},
    {"eccho", "echo", 1},
    {"ekho", "echo", 1},
    {"max_clients", "max-clients", 1},
    {"max-client", "max-clients", 1},
    {"maxclients", "max-clients", 1},
    {"idel-timout", "idle-timeout", 2},
    {"time-out-idle", "idle-timeout", 4},
    {"listen", "telnet", 4},
};

START_TEST(distances)
{
    ck_assert_uint_eq(suggest_distance(pairs[_i].wrong, pairs[_i].name, 4), pairs[_i].distance);
    ck_assert_uint_eq(suggest_distance(pairs[_i].name, pairs[_i].wrong, 4), pairs[_i].distance);
}
END_TEST

static size_t smaller(size_t one, size_t other)
{
    return one < other ? one : other;
}

static size_t table_distance(const char *one, const char *other)
{
    size_t table[8][8];
    size_t rows = strlen(one);
    size_t columns = strlen(other);

    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            table[i][j] = table[i - 1][j - 1] + (one[i - 1] != other[j - 1]);
            table[i][j] = smaller(table[i][j], table[i - 1][j] + 1);
            table[i][j] = smaller(table[i][j], table[i][j - 1] + 1);
            if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                table[i][j] = smaller(table[i][j], table[i - 2][j - 2] + 1);
        }
    }
    return table[rows][columns];
}

/* The word with this number among those over a, b and c, up to five letters. */
static void spell(unsigned number, char word[6])
{
    size_t length = 0;

    for (; number > 0; number = (number - 1) / 3)
        word[length++] = "abc"[(number - 1) % 3];
    word[length] = '\0';
}

START_TEST(all_short_words_agree_with_the_table)
{
    const unsigned words = 1 + 3 + 9 + 27 + 81 + 243;

    for (unsigned i = 0; i < words; i++) {
        for (unsigned j = 0; j < words; j++) {
            char one[6];
            char other[6];

            spell(i, one);
            spell(j, other);
            for (size_t limit = 0; limit <= 4; limit++) {
                if (suggest_distance(one, other, limit) !=
                    smaller(limit, table_distance(one, other)))
                    ck_abort_msg("%s and %s, limit %zu", one, other, limit);
            }
        }
    }
}
END_TEST

START_TEST(limits_grow_with_the_name_and_stop)
{
    ck_assert_uint_eq(suggest_limit(""), 1);
    ck_assert_uint_eq(suggest_limit("no"), 1);
    ck_assert_uint_eq(suggest_limit("eco"), 2);
    ck_assert_uint_eq(suggest_limit("listne"), 3);
    ck_assert_uint_eq(suggest_limit("max-clents"), 4);
    ck_assert_uint_eq(suggest_limit("max-clients-per-adress"), 4);
}
END_TEST

Suite *suggest_suite(void)
{
    Suite *suite = suite_create("suggest");
    TCase *tests = tcase_create("suggest");

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, distances, 0, (int)(sizeof(pairs) / sizeof(pairs[0])));
    tcase_add_test(tests, all_short_words_agree_with_the_table);
    tcase_add_test(tests, limits_grow_with_the_name_and_stop);
    suite_add_tcase(suite, tests);
    return suite;
}

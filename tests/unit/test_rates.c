/* How often an address may come: bursts, refilling, and what is forgotten where many come. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "net/rates.h"
#include "suites.h"

static struct rates *rates;
static const struct tally *const one = (const struct tally *)&rates;
static const struct tally *const other = (const struct tally *)(&rates + 1);
static const struct banter_rate three_a_second = {.count = 3, .period = 1000};

/* Some time, with no meaning of its own. */
#define NOW 123456

static void setup(void)
{
    rates = calloc(1, sizeof(*rates));
    ck_assert_ptr_nonnull(rates);
    rates->seed = 4711;
}

static void teardown(void)
{
    free(rates);
}

static struct in6_addr address(uint32_t number)
{
    struct in6_addr made = {.s6_addr = {0}};
    memcpy(made.s6_addr, &number, sizeof(number));
    return made;
}

static bool come(uint32_t from, int64_t now)
{
    struct in6_addr made = address(from);
    return rates_take(rates, one, &made, &three_a_second, now);
}

/* How many of `tries` are let in at that time. */
static int burst(uint32_t from, int tries, int64_t now)
{
    int taken = 0;
    for (int i = 0; i < tries; i++)
        taken += come(from, now);
    return taken;
}

START_TEST(a_burst_is_as_large_as_the_rate)
{
    ck_assert_int_eq(burst(1, 10, NOW), 3);
}
END_TEST

START_TEST(the_bucket_fills_evenly)
{
    ck_assert_int_eq(burst(1, 10, NOW), 3);
    ck_assert_int_eq(burst(1, 10, NOW + 333), 0);
    ck_assert_int_eq(burst(1, 10, NOW + 334), 1);
    ck_assert_int_eq(burst(1, 10, NOW + 334), 0);
    ck_assert_int_eq(burst(1, 10, NOW + 1000), 2);
}
END_TEST

START_TEST(a_full_bucket_does_not_overflow)
{
    ck_assert_int_eq(burst(1, 10, NOW), 3);
    ck_assert_int_eq(burst(1, 10, NOW + 86400000), 3);
}
END_TEST

START_TEST(a_refusal_costs_nothing)
{
    ck_assert_int_eq(burst(1, 3, NOW), 3);
    for (int i = 1; i <= 333; i++)
        ck_assert(!come(1, NOW + i));
    ck_assert(come(1, NOW + 334));
}
END_TEST

START_TEST(who_comes_at_the_rate_is_never_refused)
{
    for (int i = 0; i < 1000; i++)
        ck_assert(come(1, NOW + i * INT64_C(1000) / 3 + 1));
}
END_TEST

START_TEST(addresses_and_listeners_have_their_own)
{
    struct in6_addr first = address(1);
    ck_assert_int_eq(burst(1, 10, NOW), 3);
    ck_assert_int_eq(burst(2, 10, NOW), 3);
    ck_assert(rates_take(rates, other, &first, &three_a_second, NOW));
    ck_assert(!come(1, NOW));
}
END_TEST

/* As by a reload; the bucket is as empty as it was, and fills by the new rate. */
START_TEST(a_new_rate_counts_from_now_on)
{
    static const struct banter_rate one_a_day = {.count = 1, .period = 86400000};
    struct in6_addr first = address(1);
    ck_assert(rates_take(rates, one, &first, &one_a_day, NOW));
    ck_assert(!rates_take(rates, one, &first, &one_a_day, NOW));
    ck_assert_int_eq(burst(1, 10, NOW), 0);
    ck_assert_int_eq(burst(1, 10, NOW + 334), 1);
    ck_assert_int_eq(burst(1, 10, NOW + 2000), 3);
}
END_TEST

START_TEST(fast_and_slow_rates_are_exact)
{
    static const struct banter_rate all[] = {{1, 1000},   {1, 86400000},   {7, 60000},
                                             {999, 1000}, {1000000, 1000}, {1000000, 86400000}};
    struct in6_addr first = address(1);
    int64_t taken = 0;
    while (rates_take(rates, one, &first, &all[_i], NOW))
        taken++;
    ck_assert_int_eq(taken, all[_i].count);
}
END_TEST

/* Half of the addresses that the table has places for: with four to a set, nearly all have one. */
START_TEST(many_addresses_are_limited_at_once)
{
    const uint32_t count = RATE_SETS * RATE_WAYS / 2;
    uint32_t limited = 0;
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(burst(i, 3, NOW), 3);
    for (uint32_t i = 0; i < count; i++)
        limited += !come(i, NOW);
    ck_assert_uint_ge(limited, count * 9 / 10);
}
END_TEST

/* Neighbours in one network are told apart as well: here an IPv4 /16, as it is inside IPv6. */
START_TEST(neighbours_are_limited_at_once)
{
    const int count = 4096;
    int limited = 0;
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < count; i++) {
            struct in6_addr made = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 7}};
            made.s6_addr[14] = (uint8_t)(i / 256);
            made.s6_addr[15] = (uint8_t)i;
            bool taken = rates_take(rates, one, &made, &three_a_second, NOW);
            limited += !taken;
            ck_assert(taken || round == 3);
        }
    ck_assert_int_ge(limited, count * 9 / 10);
}
END_TEST

START_TEST(a_flood_from_everywhere_refuses_nobody_who_comes_once)
{
    for (uint32_t i = 0; i < 4 * RATE_SETS * RATE_WAYS; i++)
        ck_assert(come(i, NOW));
}
END_TEST

/* A new address takes the place of one whose bucket is nearly full, not of the one that floods. */
START_TEST(one_that_floods_keeps_its_place)
{
    int taken = 0;
    for (uint32_t i = 0; i < 4 * RATE_SETS * RATE_WAYS; i++) {
        ck_assert(come(i + 2, NOW));
        taken += come(1, NOW);
    }
    ck_assert_int_eq(taken, 3);
}
END_TEST

Suite *rates_suite(void)
{
    Suite *suite = suite_create("rates");
    TCase *tests = tcase_create("buckets");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_burst_is_as_large_as_the_rate);
    tcase_add_test(tests, the_bucket_fills_evenly);
    tcase_add_test(tests, a_full_bucket_does_not_overflow);
    tcase_add_test(tests, a_refusal_costs_nothing);
    tcase_add_test(tests, who_comes_at_the_rate_is_never_refused);
    tcase_add_test(tests, addresses_and_listeners_have_their_own);
    tcase_add_test(tests, a_new_rate_counts_from_now_on);
    tcase_add_loop_test(tests, fast_and_slow_rates_are_exact, 0, 6);
    tcase_add_test(tests, many_addresses_are_limited_at_once);
    tcase_add_test(tests, neighbours_are_limited_at_once);
    tcase_add_test(tests, a_flood_from_everywhere_refuses_nobody_who_comes_once);
    tcase_add_test(tests, one_that_floods_keeps_its_place);
    suite_add_tcase(suite, tests);
    return suite;
}

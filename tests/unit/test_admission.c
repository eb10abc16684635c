/* Who is let in: the limits of the server, of a listener, of an address. */
#include <arpa/inet.h>
#include <check.h>

#include "config/config.h"
#include "net/admission.h"
#include "suites.h"

static struct admission *admission;
static struct config config;
static struct listener_config listener;
static struct tally *tally;

static void setup(void)
{
    admission = admission_new();
    ck_assert_ptr_nonnull(admission);
    tally = admission_tally(admission, "echo");
    ck_assert_ptr_nonnull(tally);
    config = (struct config){.max_clients = 0};
    listener = (struct listener_config){.name = "echo"};
}

static void teardown(void)
{
    admission_free(admission);
}

static union peer peer_of(const char *text)
{
    union peer peer = {.in6 = {.sin6_family = AF_INET6}};
    if (inet_pton(AF_INET6, text, &peer.in6.sin6_addr) == 1)
        return peer;
    peer = (union peer){.in = {.sin_family = AF_INET}};
    ck_assert_int_eq(inet_pton(AF_INET, text, &peer.in.sin_addr), 1);
    return peer;
}

static enum banter_reason enter(const char *address)
{
    union peer peer = peer_of(address);
    return admission_enter(admission, &config, &listener, tally, &peer);
}

static void leave(const char *address)
{
    union peer peer = peer_of(address);
    admission_leave(admission, &listener, tally, &peer);
}

START_TEST(the_server_has_a_limit)
{
    config.max_clients = 2;
    ck_assert_int_eq(enter("192.0.2.1"), 0);
    ck_assert_int_eq(enter("192.0.2.2"), 0);
    ck_assert_int_eq(enter("192.0.2.3"), BANTER_SERVER_FULL);
    ck_assert_uint_eq(admission_clients(admission), 2);
    leave("192.0.2.1");
    ck_assert_int_eq(enter("192.0.2.3"), 0);
}
END_TEST

START_TEST(a_refusal_by_the_listener_leaves_no_trace)
{
    listener.max_clients = 1;
    ck_assert_int_eq(enter("192.0.2.1"), 0);
    ck_assert_int_eq(enter("192.0.2.1"), BANTER_SERVER_FULL);
    ck_assert_uint_eq(admission_clients(admission), 1);
    leave("192.0.2.1");
    ck_assert_uint_eq(admission_clients(admission), 0);
    ck_assert_int_eq(enter("192.0.2.1"), 0);
}
END_TEST

START_TEST(a_listener_is_counted_by_its_name)
{
    ck_assert_ptr_eq(admission_tally(admission, "echo"), tally);
    ck_assert_ptr_ne(admission_tally(admission, "other"), tally);
}
END_TEST

START_TEST(each_address_has_its_own_limit)
{
    listener.max_clients_per_address = 1;
    ck_assert_int_eq(enter("192.0.2.1"), 0);
    ck_assert_int_eq(enter("192.0.2.1"), BANTER_ADDRESS_LIMIT);
    ck_assert_int_eq(enter("192.0.2.2"), 0);
    ck_assert_uint_eq(admission_clients(admission), 2);
    leave("192.0.2.1");
    ck_assert_int_eq(enter("192.0.2.1"), 0);
    leave("192.0.2.1");
    leave("192.0.2.2");
}
END_TEST

START_TEST(ipv6_counts_by_its_64)
{
    listener.max_clients_per_address = 1;
    ck_assert_int_eq(enter("2001:db8::1"), 0);
    ck_assert_int_eq(enter("2001:db8::ffff:2"), BANTER_ADDRESS_LIMIT);
    ck_assert_int_eq(enter("2001:db8:0:1::1"), 0);
    leave("2001:db8::ffff:3");
    leave("2001:db8:0:1::1");
    ck_assert_uint_eq(admission_clients(admission), 0);
}
END_TEST

START_TEST(ipv4_is_the_same_inside_ipv6)
{
    listener.max_clients_per_address = 1;
    ck_assert_int_eq(enter("::ffff:192.0.2.1"), 0);
    ck_assert_int_eq(enter("192.0.2.1"), BANTER_ADDRESS_LIMIT);
    ck_assert_int_eq(enter("::ffff:192.0.2.2"), 0);
    leave("192.0.2.1");
    leave("192.0.2.2");
}
END_TEST

START_TEST(unix_clients_have_no_address)
{
    union peer peer = {.any = {.sa_family = AF_UNIX}};
    listener.max_clients_per_address = 1;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(admission_enter(admission, &config, &listener, tally, &peer), 0);
    for (int i = 0; i < 3; i++)
        admission_leave(admission, &listener, tally, &peer);
    ck_assert_uint_eq(admission_clients(admission), 0);
}
END_TEST

START_TEST(many_addresses_are_told_apart)
{
    char text[32];
    listener.max_clients_per_address = 1;
    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "10.%d.%d.1", i / 256, i % 256);
        ck_assert_int_eq(enter(text), 0);
    }
    ck_assert_int_eq(enter("10.3.7.1"), BANTER_ADDRESS_LIMIT);
    for (int i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "10.%d.%d.1", i / 256, i % 256);
        leave(text);
    }
    ck_assert_uint_eq(admission_clients(admission), 0);
    ck_assert_int_eq(enter("10.3.7.1"), 0);
    leave("10.3.7.1");
}
END_TEST

Suite *admission_suite(void)
{
    Suite *suite = suite_create("admission");
    TCase *tests = tcase_create("limits");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_server_has_a_limit);
    tcase_add_test(tests, a_refusal_by_the_listener_leaves_no_trace);
    tcase_add_test(tests, a_listener_is_counted_by_its_name);
    tcase_add_test(tests, each_address_has_its_own_limit);
    tcase_add_test(tests, ipv6_counts_by_its_64);
    tcase_add_test(tests, ipv4_is_the_same_inside_ipv6);
    tcase_add_test(tests, unix_clients_have_no_address);
    tcase_add_test(tests, many_addresses_are_told_apart);
    suite_add_tcase(suite, tests);
    return suite;
}

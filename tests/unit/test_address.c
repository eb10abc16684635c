/*
 * unit/test_address.c - addresses as they are written, what is refused and why, and which two
 * cannot be listened on at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <check.h>

#include "suites.h"
#include "text/address.h"

#define COUNT(vectors) ((int)(sizeof(vectors) / sizeof((vectors)[0])))

/* A path of 100 bytes, to fill sun_path with. */
#define PATH_10 "/234567890"
#define PATH_50 PATH_10 PATH_10 PATH_10 PATH_10 PATH_10
#define PATH_100 PATH_50 PATH_50

static struct address parsed(const char *text)
{
    struct address address;
    const char *why = "";
    int error = address_parse(text, &address, &why);

    ck_assert_msg(error == 0, "%s: %s", text, why);
    return address;
}

static const struct {
    const char *text;
    int family;
    unsigned port;
    const char *written; /* NULL: the same text */
} good[] = {
    {"127.0.0.1:4444", AF_INET, 4444, NULL},
    {"0.0.0.0:0", AF_INET, 0, NULL},
    {"255.255.255.255:65535", AF_INET, 65535, NULL},
    {"[::1]:4444", AF_INET6, 4444, NULL},
    {"[::]:1", AF_INET6, 1, NULL},
    {"[2001:DB8:0:0::0001]:7", AF_INET6, 7, "[2001:db8::1]:7"},
    {"[2001:db8:1:2:3:4:192.0.2.1]:7", AF_INET6, 7, "[2001:db8:1:2:3:4:c000:201]:7"},
    {"*:4444", AF_INET6, 4444, NULL},
    {"*:0", AF_INET6, 0, NULL},
    {"unix:/run/banterd/kk.sock", AF_UNIX, 0, NULL},
    {"unix:/with space:and,more]", AF_UNIX, 0, NULL},
    {"unix:" PATH_100 "1234567", AF_UNIX, 0, NULL},
};

START_TEST(is_read_and_written_back)
{
    struct address address = parsed(good[_i].text);
    const char *expected = good[_i].written ? good[_i].written : good[_i].text;
    struct address again;
    char text[ADDRESS_TEXT];

    ck_assert_int_eq(address.socket.any.sa_family, good[_i].family);
    ck_assert_uint_eq(address_port(&address), good[_i].port);
    ck_assert(address.both == (good[_i].text[0] == '*'));
    address_format(&address, text);
    ck_assert_str_eq(text, expected);
    again = parsed(text);
    ck_assert(address_equal(&address, &again));
    ck_assert_uint_eq(address.length, again.length);
}
END_TEST

/* Interface 1 is the loopback, whatever its name. */
START_TEST(link_local_addresses_have_an_interface)
{
    char name[IF_NAMESIZE];
    char text[ADDRESS_TEXT];
    char written[ADDRESS_TEXT];
    struct address by_name;
    struct address by_index = parsed("[fe80::1%1]:4444");

    ck_assert_ptr_nonnull(if_indextoname(1, name));
    snprintf(text, sizeof(text), "[fe80::1%%%s]:4444", name);
    by_name = parsed(text);
    ck_assert_uint_eq(by_name.socket.in6.sin6_scope_id, 1);
    ck_assert(address_equal(&by_name, &by_index));
    address_format(&by_index, written);
    ck_assert_str_eq(written, text);

    by_index = parsed("[fe80::1%4294967295]:4444");
    ck_assert(!address_equal(&by_name, &by_index));
    address_format(&by_index, written);
    ck_assert_str_eq(written, "[fe80::1%4294967295]:4444");
}
END_TEST

#define NEEDS_PORT "needs a port, as in 127.0.0.1:4444"
#define NEEDS_PORT6 "needs a port, as in [::1]:4444"
#define NEEDS_ADDRESS "needs an address before the port, as in 127.0.0.1:4444 or *:4444"
#define NEEDS_BRACKETS "an IPv6 address is written in brackets, as in [::1]:4444"
#define NO_NAMES "host names are not looked up: write a numeric address"
#define BAD_PORT "the port is a number from 0 to 65535"
#define BAD_IPV4 "an IPv4 address has four numbers from 0 to 255"
#define BAD_IPV6 "the brackets hold no IPv6 address"
#define NO_INTERFACE "there is no such interface"
#define NEEDS_INTERFACE "a link-local address needs an interface, as in [fe80::1%eth0]:7"
#define NEEDS_PATH "needs an absolute path, as in unix:/run/banterd/echo.sock"
#define NEEDS_UNIX "a unix socket is written with unix: before its path"

static const struct {
    const char *text;
    const char *why;
} bad[] = {
    {"", NEEDS_PORT},
    {"127.0.0.1", NEEDS_PORT},
    {"localhost", NEEDS_PORT},
    {"*", NEEDS_PORT},
    {"4444", NEEDS_ADDRESS},
    {":4444", NEEDS_ADDRESS},
    {"localhost:4444", NO_NAMES},
    {"127.0.0.1.example:4444", NO_NAMES},
    {"0x7f.0.0.1:4444", NO_NAMES},
    {" 127.0.0.1:4444", NO_NAMES},
    {"**:4444", NO_NAMES},
    {"127.0.0.1%lo:4444", NO_NAMES},
    {"Unix:/run/x:4444", NEEDS_BRACKETS},
    {"127.1:4444", BAD_IPV4},
    {"127.0.0.256:4444", BAD_IPV4},
    {"127.0.0.1.:4444", BAD_IPV4},
    {"2130706433:4444", BAD_IPV4},
    {"127.0.0.1:", BAD_PORT},
    {"127.0.0.1:65536", BAD_PORT},
    {"127.0.0.1:-1", BAD_PORT},
    {"127.0.0.1:+7", BAD_PORT},
    {"127.0.0.1:007", BAD_PORT},
    {"127.0.0.1:0x7", BAD_PORT},
    {"127.0.0.1:7 ", BAD_PORT},
    {"127.0.0.1:echo", BAD_PORT},
    {"127.0.0.1:99999999999999999999", BAD_PORT},
    {"[::1]:65536", BAD_PORT},
    {"*:", BAD_PORT},
    {"*:*", BAD_PORT},
    {"::1:4444", NEEDS_BRACKETS},
    {"::", NEEDS_BRACKETS},
    {"fe80::1%eth0:4444", NEEDS_BRACKETS},
    {"[::1", "the closing bracket is missing"},
    {"[::1:4444", "the closing bracket is missing"},
    {"[::1]", NEEDS_PORT6},
    {"[::1]4444", NEEDS_PORT6},
    {"[]:4444", BAD_IPV6},
    {"[127.0.0.1]:4444", BAD_IPV6},
    {"[*]:4444", BAD_IPV6},
    {"[::g]:4444", BAD_IPV6},
    {"[ ::1]:4444", BAD_IPV6},
    {"[1:2:3:4:5:6:7:8:9]:4444", BAD_IPV6},
    {"[%lo]:4444", BAD_IPV6},
    {"[" PATH_100 "]:4444", BAD_IPV6},
    {"[::ffff:127.0.0.1]:4444", "an IPv4 address is written without ::ffff: and brackets"},
    {"[fe80::1]:4444", NEEDS_INTERFACE},
    {"[::1%1]:4444", "only a link-local address has an interface"},
    {"[fe80::1%]:4444", NO_INTERFACE},
    {"[fe80::1%0]:4444", NO_INTERFACE},
    {"[fe80::1%no-such-if]:4444", NO_INTERFACE},
    {"[fe80::1%4294967297]:4444", NO_INTERFACE},
    {"[fe80::1%" PATH_100 "]:4444", NO_INTERFACE},
    {"unix:", NEEDS_PATH},
    {"unix:kk.sock", NEEDS_PATH},
    {"unix:@abstract", NEEDS_PATH},
    {"/run/banterd/kk.sock", NEEDS_UNIX},
    {"/run/banterd/kk.sock:1", NEEDS_UNIX},
    {"unix:" PATH_100 "12345678", "the path of a unix socket has at most 107 bytes"},
};

START_TEST(is_refused_with_the_reason)
{
    struct address address;
    const char *why = "";

    ck_assert_int_eq(address_parse(bad[_i].text, &address, &why), -EINVAL);
    ck_assert_msg(strcmp(why, bad[_i].why) == 0, "%s: %s", bad[_i].text, why);
}
END_TEST

static const struct {
    const char *one;
    const char *other;
    bool equal;
    bool overlaps;
} pairs[] = {
    {"127.0.0.1:7", "127.0.0.1:7", true, true},
    {"127.0.0.1:7", "127.0.0.1:8", false, false},
    {"127.0.0.1:7", "127.0.0.2:7", false, false},
    {"127.0.0.1:0", "127.0.0.1:0", true, false},
    {"*:0", "*:0", true, false},
    {"*:0", "127.0.0.1:7", false, false},
    {"0.0.0.0:7", "127.0.0.1:7", false, true},
    {"0.0.0.0:7", "127.0.0.1:8", false, false},
    {"0.0.0.0:7", "[::1]:7", false, false},
    {"0.0.0.0:7", "[::]:7", false, false},
    {"[::1]:7", "[0:0::0:1]:7", true, true},
    {"[::]:7", "[::1]:7", false, true},
    {"[::]:7", "127.0.0.1:7", false, false},
    {"[fe80::1%1]:7", "[fe80::1%2]:7", false, false},
    {"[::]:7", "[fe80::1%2]:7", false, true},
    {"*:7", "*:7", true, true},
    {"*:7", "[::]:7", false, true},
    {"*:7", "0.0.0.0:7", false, true},
    {"*:7", "127.0.0.1:7", false, true},
    {"*:7", "[::1]:7", false, true},
    {"*:7", "*:8", false, false},
    {"*:7", "unix:/a", false, false},
    {"*:0", "unix:/a", false, false},
    {"127.0.0.1:0", "unix:/a", false, false},
    {"unix:/a", "unix:/a", true, true},
    {"unix:/a", "unix:/ab", false, false},
};

START_TEST(equal_and_overlapping)
{
    struct address one = parsed(pairs[_i].one);
    struct address other = parsed(pairs[_i].other);

    ck_assert(address_equal(&one, &other) == pairs[_i].equal);
    ck_assert(address_equal(&other, &one) == pairs[_i].equal);
    ck_assert(address_overlaps(&one, &other) == pairs[_i].overlaps);
    ck_assert(address_overlaps(&other, &one) == pairs[_i].overlaps);
}
END_TEST

START_TEST(a_mapped_peer_is_written_as_ipv4)
{
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6, .sin6_port = htons(4444)};
    char text[ADDRESS_TEXT];

    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &peer.sin6_addr), 1);
    address_format_socket((const struct sockaddr *)&peer, sizeof(peer), text);
    ck_assert_str_eq(text, "192.0.2.1:4444");
}
END_TEST

/* Names of unix sockets as the kernel gives them: by length, and with a NUL only if there is room.
 */
START_TEST(unix_peers)
{
    struct sockaddr_un peer = {.sun_family = AF_UNIX};
    const struct sockaddr *socket = (const struct sockaddr *)&peer;
    const socklen_t start = offsetof(struct sockaddr_un, sun_path);
    char text[ADDRESS_TEXT];

    address_format_socket(socket, start, text);
    ck_assert_str_eq(text, "unix:");

    memset(peer.sun_path, 'x', sizeof(peer.sun_path));
    peer.sun_path[0] = '/';
    address_format_socket(socket, sizeof(peer), text);
    ck_assert_uint_eq(strlen(text), strlen("unix:") + sizeof(peer.sun_path));

    address_format_socket(socket, start + 3, text);
    ck_assert_str_eq(text, "unix:/xx");

    peer.sun_path[0] = '\0';
    address_format_socket(socket, start + 4, text);
    ck_assert_str_eq(text, "unix:@xxx");
}
END_TEST

START_TEST(other_families_are_unknown)
{
    struct sockaddr_storage peer = {.ss_family = AF_NETLINK};
    char text[ADDRESS_TEXT];

    address_format_socket((const struct sockaddr *)&peer, sizeof(peer), text);
    ck_assert_str_eq(text, "unknown");
    address_format_socket((const struct sockaddr *)&peer, 0, text);
    ck_assert_str_eq(text, "unknown");
}
END_TEST

Suite *address_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *parse = tcase_create("parse");
    TCase *compare = tcase_create("compare");
    TCase *format = tcase_create("format");

    tcase_add_loop_test(parse, is_read_and_written_back, 0, COUNT(good));
    tcase_add_loop_test(parse, is_refused_with_the_reason, 0, COUNT(bad));
    tcase_add_test(parse, link_local_addresses_have_an_interface);
    suite_add_tcase(suite, parse);

    tcase_add_loop_test(compare, equal_and_overlapping, 0, COUNT(pairs));
    suite_add_tcase(suite, compare);

    tcase_add_test(format, a_mapped_peer_is_written_as_ipv4);
    tcase_add_test(format, unix_peers);
    tcase_add_test(format, other_families_are_unknown);
    suite_add_tcase(suite, format);
    return suite;
}

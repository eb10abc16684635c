/*
 * fuzz/quantities.c - numbers, durations, sizes, rates, truth and addresses as people write them.
 *
 * For every text: what is accepted is written in its plain form, which is no longer, reads back to
 * the same, and has the value that plain arithmetic gives; what is refused says why, and leaves the
 * value alone. Addresses are the same when they are written the same, collide both ways or not at
 * all, and any bytes that a kernel may give as an address can be written.
 *
 * Input: which kind, and the text; for addresses two, a newline between.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "text/address.h"
#include "text/quantity.h"

#define UNTOUCHED INT64_C(-77)

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {0}};
static const struct unit durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

/* 0 and the value, or what a parser is to return. */
static int plain_value(const char *text, const struct unit *unit, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    __extension__ unsigned __int128 sum = 0;
    if (digits == 0 || (*text == '0' && digits > 1))
        return -EINVAL;
    while (unit->name && strcmp(unit->name, text + digits) != 0)
        unit++;
    if (!unit->name)
        return -EINVAL;
    for (size_t i = 0; i < digits && sum <= INT64_MAX; i++)
        sum = 10 * sum + (unsigned)(text[i] - '0');
    sum *= (uint64_t)unit->factor;
    if (sum > INT64_MAX)
        return -ERANGE;
    *value = (int64_t)sum;
    return 0;
}

static void check_quantity(const char *text, int (*parse)(const char *, int64_t *),
                           void (*format)(int64_t, char[QUANTITY_TEXT]), const struct unit *units)
{
    int64_t value = UNTOUCHED, expected = UNTOUCHED, again = UNTOUCHED;
    char written[QUANTITY_TEXT];
    int result = parse(text, &value);
    /* Never is 0, whatever the unit. */
    int plain = units == durations && strcmp(text, "0") == 0
                    ? plain_value(text, no_units, &expected)
                    : plain_value(text, units, &expected);
    expect(result == plain, "'%s': %d, not %d", text, result, plain);
    expect(value == expected, "'%s': %lld, not %lld", text, (long long)value, (long long)expected);
    if (result != 0)
        return;
    format(value, written);
    expect(strlen(written) <= strlen(text), "'%s' is written '%s'", text, written);
    expect(parse(written, &again) == 0 && again == value, "'%s' reads back as another", written);
}

static void number_format(int64_t number, char text[QUANTITY_TEXT])
{
    snprintf(text, QUANTITY_TEXT, "%lld", (long long)number);
}

/* Any value can be written, and is read back. */
static void check_value(const uint8_t *data, size_t size)
{
    char written[QUANTITY_TEXT];
    int64_t value = 0, again = UNTOUCHED;
    memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
    value &= INT64_MAX;
    duration_format(value, written);
    expect(duration_parse(written, &again) == 0 && again == value, "duration %s", written);
    size_format(value, written);
    expect(size_parse(written, &again) == 0 && again == value, "size %s", written);
}

static void check_rate(const char *text)
{
    const char *slash = strchr(text, '/');
    const struct unit *unit = durations + 1; /* none is by the millisecond */
    int64_t count = UNTOUCHED, period = UNTOUCHED, expected = UNTOUCHED, again, period_again;
    char digits[64], written[QUANTITY_TEXT];
    int result = rate_parse(text, &count, &period), plain = -EINVAL;
    while (slash && unit->name && strcmp(unit->name, slash + 1) != 0)
        unit++;
    if (strcmp(text, "0") == 0) {
        plain = 0;
        expected = 0;
    } else if (slash && unit->name && slash - text < (ptrdiff_t)sizeof(digits)) {
        snprintf(digits, sizeof(digits), "%.*s", (int)(slash - text), text);
        plain = plain_value(digits, no_units, &expected);
        if (expected == 0)
            plain = -EINVAL;
    } else if (slash && slash - text >= (ptrdiff_t)sizeof(digits)) {
        return;
    }
    expect(result == plain, "'%s': %d, not %d", text, result, plain);
    if (result != 0) {
        expect(count == UNTOUCHED && period == UNTOUCHED, "'%s' is refused, and set", text);
        return;
    }
    expect(count == expected, "'%s': %lld", text, (long long)count);
    expect(period == (count == 0 ? 0 : unit->factor), "'%s': in %lld", text, (long long)period);
    rate_format(count, period, written);
    expect(rate_parse(written, &again, &period_again) == 0 && again == count &&
               period_again == period && strcmp(written, text) == 0,
           "'%s' is written '%s'", text, written);
}

static void check_truth(const char *text)
{
    bool yes = !strcasecmp(text, "yes") || !strcasecmp(text, "true") || !strcasecmp(text, "on");
    bool no = !strcasecmp(text, "no") || !strcasecmp(text, "false") || !strcasecmp(text, "off");
    bool value = !yes;
    int result = boolean_parse(text, &value);
    expect(result == (yes || no ? 0 : -EINVAL), "'%s': %d", text, result);
    expect(result != 0 || value == yes, "'%s' is taken for its contrary", text);
}

/* Whether the text is an address, which is then written in its plain form. */
static bool check_address(const char *text, struct address *address, char written[ADDRESS_TEXT])
{
    struct address again;
    const char *why = NULL;
    int64_t port;
    int result = address_parse(text, address, &why);
    if (result != 0) {
        expect(result == -EINVAL && why && *why, "'%s' is refused without a reason", text);
        return false;
    }
    address_format(address, written);
    expect(address_parse(written, &again, &why) == 0, "'%s' as '%s': %s", text, written, why);
    expect(address_equal(address, &again), "'%s' reads back as another", written);
    if (address->socket.any.sa_family == AF_UNIX)
        expect(strcmp(text, written) == 0, "'%s' is written '%s'", text, written);
    else
        expect(number_parse(strrchr(text, ':') + 1, &port) == 0 && port == address_port(address),
               "'%s' has port %u", text, address_port(address));
    return true;
}

static void check_addresses(char *text)
{
    char *other_text = strchr(text, '\n');
    struct address one, other;
    char written[ADDRESS_TEXT], other_written[ADDRESS_TEXT];
    if (other_text)
        *other_text++ = '\0';
    if (!check_address(text, &one, written) || !other_text ||
        !check_address(other_text, &other, other_written))
        return;
    bool equal = strcmp(written, other_written) == 0;
    bool overlap = address_overlaps(&one, &other);
    expect(address_equal(&one, &other) == equal, "%s and %s", written, other_written);
    expect(address_overlaps(&other, &one) == overlap, "%s and %s", written, other_written);
    if (equal)
        expect(overlap == (address_port(&one) != 0 || one.socket.any.sa_family == AF_UNIX),
               "%s beside itself", written);
    else if (one.socket.any.sa_family != AF_UNIX)
        expect(!overlap || address_port(&one) == address_port(&other), "%s beside %s", written,
               other_written);
}

static void check_kernel_address(const uint8_t *data, size_t size)
{
    struct address address = {.length = sizeof(address.socket)};
    char written[ADDRESS_TEXT];
    if (size < sizeof(sa_family_t))
        return;
    if (size < address.length)
        address.length = (socklen_t)size;
    memcpy(&address.socket, data, address.length);
    memset(written, 'x', sizeof(written));
    address_format_socket(&address.socket.any, address.length, written);
    expect(memchr(written, '\0', sizeof(written)) && *written, "an address is not written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    uint8_t kind = script_byte(&script);
    size_t length;
    const char *bytes = script_bytes(&script, SIZE_MAX, &length);
    char *text = fuzz_copy(bytes, length);
    switch (kind % 8) {
    case 0:
        check_quantity(text, number_parse, number_format, no_units);
        break;
    case 1:
        check_quantity(text, duration_parse, duration_format, durations);
        break;
    case 2:
        check_quantity(text, size_parse, size_format, sizes);
        break;
    case 3:
        check_value((const uint8_t *)text, length);
        break;
    case 4:
        check_truth(text);
        break;
    case 5:
        check_addresses(text);
        break;
    case 6:
        check_kernel_address((const uint8_t *)text, length);
        break;
    case 7:
        check_rate(text);
        break;
    }
    free(text);
    return 0;
}

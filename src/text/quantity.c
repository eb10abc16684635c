/*
 * text/quantity.c - reads and writes numbers, durations, sizes, rates and truth.
 *
 * Written out by hand because strtoll() is too kind: it takes blanks, signs and leading zeros.
 * Stateless; any thread.
 */
#include "text/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* The largest first, so that the first that divides a value writes it shortest; 1 ends a table. */
static const struct unit duration_units[] = {
    {"d", 24 * 60 * 60 * 1000}, {"h", 60 * 60 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1},
};

static const struct unit size_units[] = {
    {"G", 1024 * 1024 * 1024},
    {"M", 1024 * 1024},
    {"K", 1024},
    {"", 1},
};

/*
 * The digits at the start of `text`; *rest is what follows them. The rest is found even where the
 * number is too large, so that rubbish is called rubbish however long it is.
 */
static int digits_parse(const char *text, int64_t *number, const char **rest)
{
    const char *digit = text;
    int64_t value = 0;
    bool overflow = false;

    for (; *digit >= '0' && *digit <= '9'; digit++) {
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, *digit - '0', &value);
    }
    if (digit == text || (*text == '0' && digit > text + 1))
        return -EINVAL;
    *rest = digit;
    *number = value;
    return overflow ? -ERANGE : 0;
}

static const struct unit *unit_find(const struct unit *unit, const char *name)
{
    for (;; unit++) {
        if (strcmp(unit->name, name) == 0)
            return unit;
        if (unit->factor == 1)
            return NULL;
    }
}

static int scaled_parse(const char *text, const struct unit *units, int64_t *value)
{
    const char *rest;
    int64_t number;
    int error = digits_parse(text, &number, &rest);
    const struct unit *unit;

    if (error == -EINVAL)
        return error;
    unit = unit_find(units, rest);
    if (!unit)
        return -EINVAL;
    if (error != 0 || __builtin_mul_overflow(number, unit->factor, &number))
        return -ERANGE;
    *value = number;
    return 0;
}

static void scaled_format(int64_t value, const struct unit *unit, char text[QUANTITY_TEXT])
{
    while (value % unit->factor != 0)
        unit++;
    snprintf(text, QUANTITY_TEXT, "%" PRId64 "%s", value / unit->factor, unit->name);
}

int number_parse(const char *text, int64_t *number)
{
    const char *rest;
    int64_t value;
    int error = digits_parse(text, &value, &rest);

    if (error == -EINVAL || *rest != '\0')
        return -EINVAL;
    if (error == 0)
        *number = value;
    return error;
}

int duration_parse(const char *text, int64_t *milliseconds)
{
    if (strcmp(text, "0") == 0) {
        *milliseconds = 0;
        return 0;
    }
    return scaled_parse(text, duration_units, milliseconds);
}

int size_parse(const char *text, int64_t *bytes)
{
    return scaled_parse(text, size_units, bytes);
}

int rate_parse(const char *text, int64_t *count, int64_t *period)
{
    const struct unit *unit;
    const char *rest;
    int64_t number;
    int error;

    if (strcmp(text, "0") == 0) {
        *count = *period = 0;
        return 0;
    }
    error = digits_parse(text, &number, &rest);
    if (error == -EINVAL || *rest != '/')
        return -EINVAL;
    unit = unit_find(duration_units, rest + 1);
    if (!unit || unit->factor == 1)
        return -EINVAL;
    if (error != 0)
        return error;
    if (number == 0)
        return -EINVAL;
    *count = number;
    *period = unit->factor;
    return 0;
}

int boolean_parse(const char *text, bool *value)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"yes", true}, {"true", true},   {"on", true},
        {"no", false}, {"false", false}, {"off", false},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i].word) == 0) {
            *value = words[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

void duration_format(int64_t milliseconds, char text[QUANTITY_TEXT])
{
    if (milliseconds == 0)
        memcpy(text, "0", sizeof("0"));
    else
        scaled_format(milliseconds, duration_units, text);
}

void size_format(int64_t bytes, char text[QUANTITY_TEXT])
{
    if (bytes == 0)
        memcpy(text, "0", sizeof("0"));
    else
        scaled_format(bytes, size_units, text);
}

void rate_format(int64_t count, int64_t period, char text[QUANTITY_TEXT])
{
    const struct unit *unit = duration_units;

    if (count == 0) {
        memcpy(text, "0", sizeof("0"));
        return;
    }
    while (unit->factor > period)
        unit++;
    snprintf(text, QUANTITY_TEXT, "%" PRId64 "/%s", count, unit->name);
}

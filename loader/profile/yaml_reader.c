#include "loader/profile/yaml_reader.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_CHARS = 40, MAX_KEYS = 32 };

bool yaml_reader_fault(const struct yaml_reader *r, enum sheaf_status status, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(r->err, status, "%s, line %zu: %s", r->path, r->event.start_mark.line + 1,
                     text);
}

bool yaml_reader_open(struct yaml_reader *r, struct arena *a, const char *path, const uint8_t *data,
                      size_t size, struct error *err)
{
    *r = (struct yaml_reader){.path = path, .arena = a, .err = err};
    if (!yaml_parser_initialize(&r->parser))
        return error_set(err, SHEAF_ERROR_MEMORY, "%s: no memory to read it", path);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, data, size);
    return yaml_reader_expect(r, YAML_STREAM_START_EVENT, "text");
}

void yaml_reader_close(struct yaml_reader *r)
{
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

static bool syntax_fault(struct yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    size_t line = p->problem_mark.line;
    const uint8_t *text = p->input.string.start;
    /* Text that is no UTF-8 is known by its offset. */
    if (p->error == YAML_READER_ERROR)
        for (size_t i = line = 0; text + i < p->input.string.end && i < p->problem_offset; i++)
            line += text[i] == '\n';
    return error_set(r->err, SHEAF_ERROR_FORMAT, "%s, line %zu: this is no valid YAML: %s", r->path,
                     line + 1, p->problem ? p->problem : "it cannot be parsed");
}

bool yaml_reader_next(struct yaml_reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return syntax_fault(r);
    const yaml_event_t *e = &r->event;
    if (e->type == YAML_ALIAS_EVENT)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "a profile has no aliases");
    bool marked = (e->type == YAML_SCALAR_EVENT && (e->data.scalar.anchor || e->data.scalar.tag)) ||
                  (e->type == YAML_SEQUENCE_START_EVENT &&
                   (e->data.sequence_start.anchor || e->data.sequence_start.tag)) ||
                  (e->type == YAML_MAPPING_START_EVENT &&
                   (e->data.mapping_start.anchor || e->data.mapping_start.tag));
    if (marked)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "a profile has no anchors and no tags");
    return true;
}

bool yaml_reader_is(const struct yaml_reader *r, yaml_event_type_t type)
{
    return r->event.type == type;
}

bool yaml_reader_expect(struct yaml_reader *r, yaml_event_type_t type, const char *what)
{
    if (!yaml_reader_next(r))
        return false;
    if (r->event.type == type)
        return true;
    return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s is missing here", what);
}

bool yaml_reader_document_end(struct yaml_reader *r)
{
    if (!yaml_reader_expect(r, YAML_DOCUMENT_END_EVENT, "the end of the document"))
        return false;
    if (r->event.data.document_end.implicit)
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT,
                                 "the line '...' that ends a profile is missing: the file is cut "
                                 "short");
    return true;
}

static bool must_be(const struct yaml_reader *r, const char *what)
{
    if (!yaml_reader_is(r, YAML_SCALAR_EVENT))
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s must be %s", r->key, what);
    const char *text = (const char *)r->event.data.scalar.value;
    return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s must be %s, not '%.*s'%s", r->key, what,
                             SHOWN_CHARS, text, strlen(text) > SHOWN_CHARS ? "..." : "");
}

static size_t find_key(const struct yaml_key *keys, size_t n, const char *text)
{
    size_t i = 0;
    while (i < n && strcmp(keys[i].name, text) != 0)
        i++;
    return i;
}

bool yaml_reader_mapping(struct yaml_reader *r, const char *what, const struct yaml_key *keys,
                         size_t n_keys, void *target)
{
    bool seen[MAX_KEYS] = {false};
    if (!yaml_reader_is(r, YAML_MAPPING_START_EVENT))
        return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s must be a mapping of keys to values",
                                 what);
    yaml_mark_t start = r->event.start_mark;
    for (;;) {
        if (!yaml_reader_next(r))
            return false;
        if (yaml_reader_is(r, YAML_MAPPING_END_EVENT))
            break;
        if (!yaml_reader_is(r, YAML_SCALAR_EVENT))
            return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "a key of %s must be a word", what);
        const char *text = (const char *)r->event.data.scalar.value;
        size_t k = find_key(keys, n_keys, text);
        if (k == n_keys)
            return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s has no key '%.*s'", what,
                                     SHOWN_CHARS, text);
        if (seen[k])
            return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s has the key %s twice", what,
                                     keys[k].name);
        seen[k] = true;
        if (!yaml_reader_next(r))
            return false;
        r->key = keys[k].name;
        if (!keys[k].read(r, (char *)target + keys[k].field))
            return false;
    }
    /* What is wrong with the whole is said of its first line. */
    r->event.start_mark = start;
    for (size_t k = 0; k < n_keys; k++)
        if (!seen[k])
            return yaml_reader_fault(r, SHEAF_ERROR_FORMAT, "%s lacks the key %s", what,
                                     keys[k].name);
    return true;
}

bool yaml_reader_sequence(struct yaml_reader *r, bool (*read)(struct yaml_reader *r, void *target),
                          void *target)
{
    if (!yaml_reader_is(r, YAML_SEQUENCE_START_EVENT))
        return must_be(r, "a list");
    for (;;) {
        if (!yaml_reader_next(r))
            return false;
        if (yaml_reader_is(r, YAML_SEQUENCE_END_EVENT))
            return true;
        if (!read(r, target))
            return false;
    }
}

bool yaml_reader_skip(struct yaml_reader *r, void *ignored)
{
    (void)ignored;
    if (!yaml_reader_is(r, YAML_SCALAR_EVENT) ||
        strlen((const char *)r->event.data.scalar.value) != r->event.data.scalar.length)
        return must_be(r, "text");
    return true;
}

bool yaml_reader_text(struct yaml_reader *r, void *out_string)
{
    if (!yaml_reader_skip(r, NULL))
        return false;
    *(const char **)out_string = arena_strdup(r->arena, (char *)r->event.data.scalar.value);
    return true;
}

/* Scalars in quotes are text; NULL where the current event is no plain one. */
static const char *plain_text(const struct yaml_reader *r)
{
    if (!yaml_reader_is(r, YAML_SCALAR_EVENT) ||
        r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return NULL;
    return (const char *)r->event.data.scalar.value;
}

/* Digits of the base and nothing else. */
static bool parse_unsigned(const char *text, int base, uint64_t *out)
{
    size_t n = strlen(text);
    if (n == 0 || strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789") != n)
        return false;
    errno = 0;
    unsigned long long v = strtoull(text, NULL, base);
    *out = v;
    return errno == 0;
}

bool yaml_reader_count(struct yaml_reader *r, void *out_uint64)
{
    const char *text = plain_text(r);
    if (!text || !parse_unsigned(text, 10, out_uint64))
        return must_be(r, "a whole number of 0 to 2^64 - 1");
    return true;
}

bool yaml_reader_hex(struct yaml_reader *r, void *out_uint64)
{
    const char *text = plain_text(r);
    if (!text || strncmp(text, "0x", 2) != 0 || !parse_unsigned(text + 2, 16, out_uint64))
        return must_be(r, "0x and up to 16 hexadecimal digits");
    return true;
}

bool yaml_reader_int(struct yaml_reader *r, int64_t low, int64_t high, int64_t *out_value)
{
    char what[80];
    const char *text = plain_text(r);
    uint64_t v;
    bool negative = text && text[0] == '-';
    if (text && parse_unsigned(text + negative, 10, &v) && v <= INT64_MAX) {
        int64_t value = negative ? -(int64_t)v : (int64_t)v;
        if (value >= low && value <= high) {
            *out_value = value;
            return true;
        }
    }
    snprintf(what, sizeof what, "a whole number of %lld to %lld", (long long)low, (long long)high);
    return must_be(r, what);
}

static bool is_decimal(const char *text)
{
    size_t n = text ? strlen(text) : 0;
    return n && strspn(text, "0123456789+-.eE") == n;
}

bool yaml_reader_float(struct yaml_reader *r, void *out_float)
{
    const char *text = plain_text(r);
    char *end = NULL;
    float v = is_decimal(text) ? strtof(text, &end) : NAN;
    if (!end || *end || !isfinite(v))
        return must_be(r, "a finite number in the range of 32-bit floats");
    *(float *)out_float = v;
    return true;
}

bool yaml_reader_double(struct yaml_reader *r, void *out_double)
{
    const char *text = plain_text(r);
    char *end = NULL;
    double v = is_decimal(text) ? strtod(text, &end) : NAN;
    if (!end || *end || !isfinite(v))
        return must_be(r, "a finite number");
    *(double *)out_double = v;
    return true;
}

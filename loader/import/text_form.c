/*
 * Text form → wire format.  What is in the message is checked by the reader of the wire format,
 * which both forms go through; here only the text is.
 */
#include "loader/import/text_form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader/import/wire.h"

struct scan {
    struct arena *arena;
    const ProtobufCMessageDescriptor *unread;
    const char *at, *end;
    size_t line;
    const char *fault;
};

static bool fault(struct scan *s, const char *what)
{
    if (!s->fault)
        s->fault = what;
    return false;
}

/* ---- wire format ---- */

static void put_varint(struct strbuf *b, uint64_t v)
{
    do {
        char byte = (char)((v & 0x7f) | (v >= 0x80 ? 0x80 : 0));
        strbuf_addn(b, &byte, 1);
        v >>= 7;
    } while (v);
}

static void put_fixed(struct strbuf *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        char byte = (char)(v >> (8 * i) & 0xff);
        strbuf_addn(b, &byte, 1);
    }
}

static void put_tag(struct strbuf *b, const ProtobufCFieldDescriptor *f, enum wire_type type)
{
    put_varint(b, (uint64_t)f->id << 3 | (uint64_t)type);
}

static void put_bytes(struct strbuf *b, const ProtobufCFieldDescriptor *f, const struct strbuf *of)
{
    put_tag(b, f, WIRE_BYTES);
    put_varint(b, of->len);
    strbuf_addn(b, strbuf_text(of), of->len);
}

/* ---- characters ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '+';
}

/* To the next character that means something; 0 at the end. */
static char peek(struct scan *s)
{
    while (s->at < s->end && (is_blank(*s->at) || *s->at == '#')) {
        if (*s->at == '#') {
            while (s->at < s->end && *s->at != '\n')
                s->at++;
            continue;
        }
        s->line += *s->at == '\n';
        s->at++;
    }
    return s->at < s->end ? *s->at : '\0';
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c)
        return false;
    s->at++;
    return true;
}

/* A name or a number; "" where there is none. */
static const char *take_word(struct scan *s)
{
    peek(s);
    const char *start = s->at;
    while (s->at < s->end && is_word(*s->at))
        s->at++;
    return arena_strndup(s->arena, start, (size_t)(s->at - start));
}

/* ---- strings ---- */

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 16;
}

/* The number after a backslash: up to `most` digits of the base. */
static char escaped_number(struct scan *s, int base, int most)
{
    int v = 0;
    for (int n = 0; n < most && s->at < s->end && digit_of(*s->at) < base; n++)
        v = v * base + digit_of(*s->at++);
    return (char)(v & 0xff);
}

static bool escape(struct scan *s, struct strbuf *out)
{
    static const char letters[] = "abfnrtv\\'\"?", values[] = "\a\b\f\n\r\t\v\\'\"?";
    if (s->at == s->end)
        return fault(s, "a text has no end");
    const char *known = strchr(letters, *s->at);
    char c;
    if (*s->at >= '0' && *s->at <= '7') {
        c = escaped_number(s, 8, 3);
    } else if (*s->at == 'x' || *s->at == 'X') {
        s->at++;
        c = escaped_number(s, 16, 2);
    } else if (*s->at && known) {
        c = values[known - letters];
        s->at++;
    } else {
        return fault(s, "a text has a backslash before a letter that means nothing");
    }
    strbuf_addn(out, &c, 1);
    return true;
}

/* Texts that stand one behind the other are one. */
static bool take_text(struct scan *s, struct strbuf *out)
{
    for (char quote; (quote = peek(s)) == '"' || quote == '\'';) {
        s->at++;
        while (s->at < s->end && *s->at != quote && *s->at != '\n') {
            if (*s->at == '\\') {
                s->at++;
                if (!escape(s, out))
                    return false;
                continue;
            }
            strbuf_addn(out, s->at++, 1);
        }
        if (s->at == s->end || *s->at != quote)
            return fault(s, "a text has no end");
        s->at++;
    }
    return true;
}

/* ---- values ---- */

static bool to_float(struct scan *s, const char *word, double *out)
{
    char *end;
    *out = strtod(word, &end);
    if (end != word && (*end == 'f' || *end == 'F'))
        end++;
    return (end != word && !*end) || fault(s, "a number is not one");
}

static bool to_int(struct scan *s, const char *word, bool is_signed, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = is_signed ? (uint64_t)strtoll(word, &end, 0) : strtoull(word, &end, 0);
    if (end == word || *end || (!is_signed && *word == '-'))
        return fault(s, "a whole number is not one");
    return errno != ERANGE || fault(s, "a number is too large");
}

static bool to_bool(struct scan *s, const char *word, uint64_t *out)
{
    bool yes =
        !strcmp(word, "true") || !strcmp(word, "True") || !strcmp(word, "t") || !strcmp(word, "1");
    bool no = !strcmp(word, "false") || !strcmp(word, "False") || !strcmp(word, "f") ||
              !strcmp(word, "0");
    *out = yes;
    return yes || no || fault(s, "a value is neither true nor false");
}

static bool to_enum(struct scan *s, const char *word, const ProtobufCEnumDescriptor *desc,
                    uint64_t *out)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value_by_name(desc, word);
    if (v) {
        *out = (uint64_t)(int64_t)v->value;
        return true;
    }
    if (digit_of(*word) >= 10 && *word != '-')
        return fault(s, "a name stands for no value that is known");
    return to_int(s, word, true, out);
}

static uint64_t bits_of_float(double v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static uint64_t bits_of_double(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* A number, name or truth value.  Types that no message here has are not read. */
static bool scalar(struct scan *s, const ProtobufCFieldDescriptor *f, struct strbuf *out)
{
    const char *word = take_word(s);
    uint64_t v = 0;
    double number = 0;
    switch (f->type) {
    case PROTOBUF_C_TYPE_FLOAT:
        if (!to_float(s, word, &number))
            return false;
        put_tag(out, f, WIRE_FIXED32);
        put_fixed(out, bits_of_float(number), 4);
        return true;
    case PROTOBUF_C_TYPE_DOUBLE:
        if (!to_float(s, word, &number))
            return false;
        put_tag(out, f, WIRE_FIXED64);
        put_fixed(out, bits_of_double(number), 8);
        return true;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_INT64:
        if (!to_int(s, word, true, &v))
            return false;
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
        if (!to_int(s, word, false, &v))
            return false;
        break;
    case PROTOBUF_C_TYPE_BOOL:
        if (!to_bool(s, word, &v))
            return false;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        if (!to_enum(s, word, f->descriptor, &v))
            return false;
        break;
    default:
        return fault(s, "a field holds a text or a message, not a number");
    }
    put_tag(out, f, WIRE_VARINT);
    put_varint(out, v);
    return true;
}

/* ---- messages ---- */

static bool fields(struct scan *s, const ProtobufCMessageDescriptor *desc, char closing, int depth,
                   struct strbuf *out);

static bool message(struct scan *s, const ProtobufCFieldDescriptor *f, int depth,
                    struct strbuf *out)
{
    char closing = *s->at++ == '{' ? '}' : '>';
    struct strbuf inner;
    strbuf_init(&inner, s->arena);
    const ProtobufCMessageDescriptor *desc = NULL;
    if (f)
        desc = f->type == PROTOBUF_C_TYPE_BYTES ? s->unread : f->descriptor;
    if (f && (!desc || f->type == PROTOBUF_C_TYPE_ENUM))
        return fault(s, "a field holds no message");
    if (!fields(s, desc, closing, depth + 1, &inner))
        return false;
    if (f)
        put_bytes(out, f, &inner);
    return true;
}

/* f NULL: a field that is left out. */
static bool value(struct scan *s, const ProtobufCFieldDescriptor *f, int depth, struct strbuf *out)
{
    char c = peek(s);
    if (c == '{' || c == '<')
        return message(s, f, depth, out);
    if (c != '"' && c != '\'') {
        if (!is_word(c))
            return fault(s, "a field has no value");
        return f ? scalar(s, f, out) : take_word(s) != NULL;
    }
    struct strbuf text;
    strbuf_init(&text, s->arena);
    if (!take_text(s, &text))
        return false;
    if (!f)
        return true;
    if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES)
        return fault(s, "a field holds no text");
    put_bytes(out, f, &text);
    return true;
}

static bool list(struct scan *s, const ProtobufCFieldDescriptor *f, int depth, struct strbuf *out)
{
    if (f && f->label != PROTOBUF_C_LABEL_REPEATED)
        return fault(s, "a field holds no list");
    if (take(s, ']'))
        return true;
    do
        if (!value(s, f, depth, out))
            return false;
    while (take(s, ','));
    return take(s, ']') || fault(s, "a list has no end");
}

static bool field(struct scan *s, const ProtobufCMessageDescriptor *desc, int depth,
                  struct strbuf *out)
{
    const char *name = take_word(s);
    if (!*name)
        return fault(s, "a field has no name");
    const ProtobufCFieldDescriptor *f =
        desc ? protobuf_c_message_descriptor_get_field_by_name(desc, name) : NULL;
    bool colon = take(s, ':');
    char c = peek(s);
    if (!colon && c != '{' && c != '<')
        return fault(s, "a colon is missing between a field's name and its value");
    if (!(take(s, '[') ? list(s, f, depth, out) : value(s, f, depth, out)))
        return false;
    if (!take(s, ','))
        take(s, ';');
    return true;
}

/* Up to the closing character; 0: the end of the text. */
static bool fields(struct scan *s, const ProtobufCMessageDescriptor *desc, char closing, int depth,
                   struct strbuf *out)
{
    if (depth > WIRE_MAX_DEPTH)
        return fault(s, "messages are nested too deeply");
    for (;;) {
        char c = peek(s);
        if (s->at == s->end)
            return !closing || fault(s, "it ends inside a message");
        if (closing && c == closing) {
            s->at++;
            return true;
        }
        if (!field(s, desc, depth, out))
            return false;
    }
}

bool text_form_to_wire(const ProtobufCMessageDescriptor *desc,
                       const ProtobufCMessageDescriptor *unread, struct arena *a, const char *text,
                       size_t size, struct strbuf *out, struct text_fault *out_fault)
{
    struct scan s = {.arena = a, .unread = unread, .at = text, .end = text + size, .line = 1};
    if (fields(&s, desc, '\0', 0, out))
        return true;
    out_fault->what = s.fault;
    out_fault->line = s.line;
    return false;
}

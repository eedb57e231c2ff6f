#include "ir/kernel_token.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool ktoken_failed(const struct ktokens *t)
{
    return t->err->status != SHEAF_OK;
}

void ktoken_fail(struct ktokens *t, const char *what)
{
    error_set(t->err, SHEAF_ERROR_FORMAT, "kernel text, line %d: %s", t->line, what);
}

static void skip_space(struct ktokens *t)
{
    for (;; t->at++) {
        if (*t->at == '\n')
            t->line++;
        else if (*t->at == '#')
            while (t->at[1] && t->at[1] != '\n')
                t->at++;
        else if (!isspace((unsigned char)*t->at))
            return;
    }
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

bool ktoken_peek(struct ktokens *t, const char *token)
{
    skip_space(t);
    size_t n = strlen(token);
    if (ktoken_failed(t) || strncmp(t->at, token, n) != 0)
        return false;
    return !is_word_char(token[n - 1]) || !is_word_char(t->at[n]);
}

bool ktoken_accept(struct ktokens *t, const char *token)
{
    if (!ktoken_peek(t, token))
        return false;
    t->at += strlen(token);
    return true;
}

void ktoken_expect_end(struct ktokens *t)
{
    skip_space(t);
    if (!ktoken_failed(t) && *t->at)
        ktoken_fail(t, "text after the kernel");
}

void ktoken_expect(struct ktokens *t, const char *token)
{
    if (ktoken_failed(t) || ktoken_accept(t, token))
        return;
    error_set(t->err, SHEAF_ERROR_FORMAT, "kernel text, line %d: expected '%s'", t->line, token);
}

const char *ktoken_word(struct ktokens *t)
{
    skip_space(t);
    size_t n = 0;
    while (is_word_char(t->at[n]))
        n++;
    const char *w = arena_strndup(t->arena, t->at, ktoken_failed(t) ? 0 : n);
    t->at += n;
    return w;
}

int ktoken_one_of(struct ktokens *t, const char *const *names, int n, const char *what)
{
    const char *w = ktoken_word(t);
    for (int i = 0; i < n; i++)
        if (strcmp(w, names[i]) == 0)
            return i;
    ktoken_fail(t, what);
    return 0;
}

int64_t ktoken_integer(struct ktokens *t)
{
    skip_space(t);
    char *end;
    errno = 0;
    bool negative = *t->at == '-';
    uint64_t u = strtoull(t->at + negative, &end, 10);
    if (end == t->at + negative || !isdigit((unsigned char)t->at[negative]) || errno)
        ktoken_fail(t, "expected an integer");
    else
        t->at = end;
    return (int64_t)(negative ? 0 - u : u);
}

int ktoken_small(struct ktokens *t, int64_t max, const char *what)
{
    int64_t v = ktoken_integer(t);
    if (v >= 0 && v <= max)
        return (int)v;
    ktoken_fail(t, what);
    return 0;
}

enum dtype ktoken_type(struct ktokens *t)
{
    enum dtype type = dtype_parse(ktoken_word(t));
    if (type == DTYPE_NONE)
        ktoken_fail(t, "expected an element type");
    return type;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *ktoken_quoted(struct ktokens *t)
{
    struct strbuf s;
    strbuf_init(&s, t->arena);
    ktoken_expect(t, "\"");
    while (!ktoken_failed(t) && *t->at != '"') {
        char c = *t->at;
        t->at += c != '\0'; /* never past the end of the text */
        if (c == '\0' || c == '\n') {
            ktoken_fail(t, "a name without its closing quote");
        } else if (c == '\\' && *t->at == 'x') {
            int hi = hex_digit(t->at[1]), lo = hi < 0 ? -1 : hex_digit(t->at[2]);
            if (lo < 0 || hi * 16 + lo == 0)
                ktoken_fail(t, "a malformed escape in a name");
            c = (char)(hi * 16 + lo);
            t->at += lo < 0 ? 0 : 3;
            strbuf_addn(&s, &c, 1);
        } else {
            if (c == '\\' && *t->at)
                c = *t->at++;
            strbuf_addn(&s, &c, 1);
        }
    }
    ktoken_expect(t, "\"");
    return strbuf_text(&s);
}

bool ktoken_is_literal(struct ktokens *t)
{
    skip_space(t);
    return *t->at == '-' || isdigit((unsigned char)*t->at) || ktoken_peek(t, "true") ||
           ktoken_peek(t, "false") || ktoken_peek(t, "inf") || ktoken_peek(t, "nan");
}

enum dtype ktoken_literal(struct ktokens *t, union kscalar *out)
{
    skip_space(t);
    out->i = 0;
    if (ktoken_accept(t, "true") || ktoken_accept(t, "false")) {
        out->i = t->at[-2] == 'u';
        return DTYPE_BOOL;
    }
    const char *start = t->at;
    size_t n = *start == '-';
    bool is_float = !isdigit((unsigned char)start[n]);
    if (is_float && strncmp(start + n, "inf", 3) != 0 && strncmp(start + n, "nan", 3) != 0) {
        ktoken_fail(t, "expected a value");
        return DTYPE_NONE;
    }
    if (is_float)
        n += 3;
    while (isdigit((unsigned char)start[n]) || (start[n] && strchr(".e", start[n])) ||
           ((start[n] == '-' || start[n] == '+') && start[n - 1] == 'e')) {
        is_float |= !isdigit((unsigned char)start[n]);
        n++;
    }
    const char *text = arena_strndup(t->arena, start, n);
    char *end;
    errno = 0;
    if (is_float)
        out->f = strtod(text, &end);
    else
        out->i = ktoken_integer(t);
    if (is_float && (*end || end == text))
        ktoken_fail(t, "expected a value");
    if (is_float && !ktoken_failed(t))
        t->at = start + n;
    enum dtype type = is_float ? DTYPE_F32 : DTYPE_I64;
    if (ktoken_accept(t, ":"))
        type = ktoken_type(t);
    if (ktoken_failed(t))
        return type;
    if (dtype_is_float(type) != is_float) {
        ktoken_fail(t, "a literal that does not fit its type");
        return type;
    }
    bool exact = is_float ? isnan(out->f) || kscalar_round(type, out->f) == out->f
                          : kscalar_wrap(type, out->i) == out->i &&
                                (out->i >= 0 || (*start == '-') == (type != DTYPE_U64));
    if (is_float && !exact)
        out->f = kscalar_round(type, out->f); /* decimals are the shortest, not the exact ones */
    else if (!exact)
        ktoken_fail(t, "a literal that does not fit its type");
    return type;
}

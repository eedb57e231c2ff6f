#include "ir/strbuf.h"

#include <stdio.h>
#include <string.h>

void strbuf_init(struct strbuf *b, struct arena *arena)
{
    b->arena = arena;
    b->text = NULL;
    b->len = b->cap = 0;
}

static void strbuf_reserve(struct strbuf *b, size_t more)
{
    if (b->len + more + 1 <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->len + more + 1)
        cap *= 2;
    char *text = arena_alloc(b->arena, cap);
    if (b->len)
        memcpy(text, b->text, b->len);
    b->text = text;
    b->cap = cap;
}

void strbuf_addn(struct strbuf *b, const char *s, size_t n)
{
    strbuf_reserve(b, n);
    memcpy(b->text + b->len, s, n);
    b->len += n;
    b->text[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const char *s)
{
    strbuf_addn(b, s, strlen(s));
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n > 0) {
        strbuf_reserve(b, (size_t)n);
        vsnprintf(b->text + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->text ? b->text : "";
}

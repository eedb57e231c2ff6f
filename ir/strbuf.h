/*
 * strbuf.h: a growing string in an arena, for text forms and generated files.
 */
#ifndef SHEAF_IR_STRBUF_H
#define SHEAF_IR_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

#include "ir/arena.h"

struct strbuf {
    struct arena *arena;
    char *text; /* always terminated once anything was added; NULL before */
    size_t len, cap;
};

void strbuf_init(struct strbuf *b, struct arena *arena);
void strbuf_add(struct strbuf *b, const char *s);
void strbuf_addn(struct strbuf *b, const char *s, size_t n);
void strbuf_printf(struct strbuf *b, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
const char *strbuf_text(const struct strbuf *b); /* "" where nothing was added */

#endif

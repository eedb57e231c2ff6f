/*
 * fixture.h: an arena and an error, new for each test that has `setup` and `teardown`, and what
 * most tests of the compile side say about graphs with them.
 */
#ifndef SHEAF_TESTS_FIXTURE_H
#define SHEAF_TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/graph.h"

static struct arena arena;
static struct error err;

static inline int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    error_init(&err);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* The graph in text form; without a graph the test fails with what `err` says. */
static inline const char *text_of(const struct graph *g)
{
    struct strbuf text;
    if (!g)
        fail_msg("%s", err.text);
    strbuf_init(&text, &arena);
    graph_print(g, &text);
    return strbuf_text(&text);
}

#endif

#include "tests/support/contractions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/assemble.h"

const char *const BYTES[N_BYTES][2] = {{"u8", "i8"}, {"i8", "i8"}, {"i8", "u8"}, {"u8", "u8"}};

const struct conv CONVS[N_CONVS] = {
    {.c = 64, .h = 9, .w = 10, .o = 48, .window = 3, .pad = 1, .block = 64},
    {.c = 64, .h = 9, .w = 10, .o = 48, .window = 3, .pad = 1, .pad_value = 77, .block = 64},
    {.c = 24, .h = 9, .w = 10, .o = 20, .window = 3, .stride = 2, .pad = 1, .block = 32},
    {.c = 24,
     .h = 9,
     .w = 10,
     .o = 20,
     .window = 3,
     .stride = 2,
     .pad = 1,
     .pad_value = 1,
     .block = 32},
    {.c = 3, .h = 17, .w = 19, .o = 33, .window = 7, .stride = 2, .pad = 3, .pad_value = 114},
    {.c = 3, .h = 17, .w = 19, .o = 33, .window = 7, .stride = 2, .pad = 3},
    {.c = 3, .h = 17, .w = 19, .o = 4, .window = 7, .stride = 2, .pad = 3, .block = 4},
    {.c = 5, .h = 7, .w = 7, .o = 16, .window = 3, .pad = 1, .pad_value = 9, .block = 8},
    {.c = 6,
     .h = 7,
     .w = 7,
     .o = 9,
     .window = 5,
     .pad = 4,
     .pad_value = 9,
     .dilation = 2,
     .block = 8},
    {.c = 6, .h = 7, .w = 7, .o = 9, .window = 5, .pad = 4, .dilation = 2},
    {.c = 8, .h = 7, .w = 7, .o = 16, .window = 3},
    {.c = 10, .h = 6, .w = 5, .o = 24, .window = 3, .pad = 1, .block = 2},
    {.c = 80, .h = 7, .w = 8, .o = 24, .window = 1, .stride = 2, .block = 64},
    {.c = 70, .h = 7, .w = 7, .o = 40, .window = 1, .block = 64},
    {.c = 4, .h = 5, .w = 5, .o = 9, .window = 1},
    {.c = 64, .h = 5, .w = 5, .o = 160, .window = 1, .block = 64},
    {.c = 32, .h = 7, .w = 7, .o = 64, .window = 3, .pad = 1, .group = 4, .block = 32},
    {.c = 36,
     .h = 7,
     .w = 7,
     .o = 60,
     .window = 3,
     .pad = 1,
     .pad_value = 3,
     .group = 6,
     .block = 64},
    {.c = 16,
     .h = 7,
     .w = 7,
     .o = 16,
     .window = 3,
     .pad = 1,
     .pad_value = 3,
     .group = 16,
     .block = 16},
    {.c = 2, .h = 5, .w = 5, .o = 3, .window = 3, .pad = 1, .pad_value = 3},
    {.c = 16, .h = 5, .w = 7, .o = 21, .window = 3, .pad = 1, .pad_value = 5, .block = 16},
    {.c = 2, .h = 9, .w = 21, .o = 8, .window = 9, .stride = 2, .pad = 4},
};

static struct conv completed(const struct conv *from)
{
    struct conv c = *from;
    c.stride = c.stride ? c.stride : 1;
    c.dilation = c.dilation ? c.dilation : 1;
    c.group = c.group ? c.group : 1;
    return c;
}

/* x `factor` + offset, as an index map has it. */
static const char *scaled(struct arena *a, int factor, const char *x)
{
    return factor == 1 ? x : arena_printf(a, "%d*%s", factor, x);
}

static const char *literal(struct arena *a, int value, const char *type)
{
    return type[0] == 'f' || type[0] == 'b' ? arena_printf(a, "%d.0:%s", value, type)
                                            : arena_printf(a, "%d:%s", value, type);
}

/* The fixed-point form of requantization with a residual, as `rescale` lowers it. */
static const char REQUANTIZE[] = "      %16 = load @2[%11]\n"
                                 "      %17 = add %9, %16\n"
                                 "      %18 = cast i64 %17\n"
                                 "      %19 = load @3[%11]\n"
                                 "      %20 = cast i64 %19\n"
                                 "      %21 = mul %18, %20\n"
                                 "      %22 = load @4[%1, %11, %4, %5]\n"
                                 "      %23 = cast i32 %22\n"
                                 "      %24 = sub %23, 7:i32\n"
                                 "      %25 = cast i64 %24\n"
                                 "      %26 = mul %25, -1234567890:i64\n"
                                 "      %27 = add %21, %26\n"
                                 "      %28 = add %27, 549755813888\n"
                                 "      %29 = shr %28, 40\n"
                                 "      %30 = cast i32 %29\n"
                                 "      %31 = add %30, 3:i32\n"
                                 "      %32 = max %31, 0:i32\n"
                                 "      %33 = min %32, 255:i32\n"
                                 "      %34 = cast u8 %33\n"
                                 "      %35 = max %34, 3:u8\n"
                                 "      store @5[%1, %11, %4, %5] = %35\n";

const char *conv_text(struct arena *a, const struct conv *from, const char *x_type,
                      const char *w_type, const char *acc, enum contraction_result result)
{
    struct conv c = completed(from);
    int reach = c.dilation * (c.window - 1);
    int oh = (c.h + 2 * c.pad - reach - 1) / c.stride + 1;
    int ow = (c.w + 2 * c.pad - reach - 1) / c.stride + 1;
    const char *layout = c.block == CHANNELS_LAST ? "acdb"
                         : c.block                ? arena_printf(a, "abcd%db", c.block)
                                                  : "plain";
    struct strbuf t;
    strbuf_init(&t, a);
    strbuf_printf(&t, "kernel \"t\" {\n  in @0 \"x\": %s[1,%d,%d,%d] %s\n", x_type, c.c, c.h, c.w,
                  layout);
    strbuf_printf(&t, "  in @1 \"w\": %s[%d,%d,%d,%d] plain = {...}\n", w_type, c.o, c.c / c.group,
                  c.window, c.window);
    if (result == REQUANTIZED)
        strbuf_printf(&t,
                      "  in @2 \"b\": i32[%d] plain\n  in @3 \"m\": i32[%d] plain\n"
                      "  in @4 \"r\": u8[1,%d,%d,%d] %s\n",
                      c.o, c.o, c.o, oh, ow, layout);
    strbuf_printf(&t, "  out @%d \"y\": %s[1,%d,%d,%d] %s\n", result == REQUANTIZED ? 5 : 2,
                  result == REQUANTIZED ? "u8" : acc, c.o, oh, ow, layout);
    strbuf_printf(&t,
                  "  contract %%0 %s (m %%1 < 1, batch %%2 < %d, n %%3 < %d, m %%4 < %d, m %%5 < "
                  "%d, k %%6 < %d, k %%7 < %d, k %%8 < %d) {\n",
                  acc, c.group, c.o / c.group, oh, ow, c.c / c.group, c.window, c.window);
    strbuf_printf(&t, "    a @0[%%1, %%6 + %s, %s + %s - %d, %s + %s - %d]",
                  scaled(a, c.c / c.group, "%2"), scaled(a, c.stride, "%4"),
                  scaled(a, c.dilation, "%7"), c.pad, scaled(a, c.stride, "%5"),
                  scaled(a, c.dilation, "%8"), c.pad);
    /* Unsigned padding has its top bit set. */
    int top = c.pad_value && !strcmp(x_type, "u8") ? 128 : 0;
    if (c.pad)
        strbuf_printf(&t, " pad %s", literal(a, c.pad_value + top, x_type));
    strbuf_printf(&t, "\n    b @1[%%3 + %s, %%6, %%7, %%8]\n    epilogue (%%9) {\n",
                  scaled(a, c.o / c.group, "%2"));
    strbuf_printf(&t, "      %%10 = mul %%2, %d\n      %%11 = add %%10, %%3\n", c.o / c.group);
    strbuf_add(&t, result == REQUANTIZED ? REQUANTIZE : "      store @2[%1, %11, %4, %5] = %9\n");
    strbuf_add(&t, "    }\n  }\n}\n");
    return strbuf_text(&t);
}

const struct product PRODUCTS[N_PRODUCTS] = {
    {.m = 1, .k = 64, .n = 32, .constant = true},  {.m = 5, .k = 30, .n = 17, .constant = true},
    {.m = 7, .k = 3, .n = 8, .constant = true},    {.m = 13, .k = 129, .n = 100, .constant = true},
    {.m = 4, .k = 1, .n = 16, .constant = true},   {.m = 3, .k = 9, .n = 4, .constant = true},
    {.m = 5, .k = 16, .n = 32, .constant = false}, {.m = 5, .k = 16, .n = 7, .constant = false},
    {.m = 2, .k = 24, .n = 20, .constant = true},  {.m = 9, .k = 40, .n = 6, .constant = true},
};

const struct product WEIGHTS_ONLY[N_WEIGHTS_ONLY] = {
    {.m = 1, .k = 64, .n = 32, .constant = true, .scale = 1},
    {.m = 5, .k = 32, .n = 17, .constant = true, .scale = 16},
    {.m = 3, .k = 96, .n = 100, .constant = true, .scale = 32},
    {.m = 2, .k = 35, .n = 9, .constant = true, .scale = 1},
};

const struct product TILED[N_TILED] = {
    {.m = 64, .k = 64, .n = 64, .constant = true},
    {.m = 130, .k = 100, .n = 70, .constant = true},
    {.m = 1, .k = 512, .n = 200, .constant = true},
    {.m = 129, .k = 33, .n = 65, .constant = true},
    {.m = 63, .k = 257, .n = 127, .constant = true},
    {.m = 65, .k = 31, .n = 129, .constant = false},
    {.m = 2, .k = 1000, .n = 3, .constant = false},
};

const struct batched BATCHED[N_BATCHED] = {
    {.i = 1, .j = 2, .m = 33, .k = 64, .n = 33, .transposed = true},
    {.i = 2, .j = 3, .m = 17, .k = 20, .n = 40},
    {.i = 2, .j = 1, .m = 1, .k = 7, .n = 65, .transposed = true},
    {.i = 1, .j = 3, .m = 70, .k = 70, .n = 8, .scaled = true},
    {.i = 3, .j = 2, .m = 5, .k = 130, .n = 9, .transposed = true, .scaled = true},
    {.i = 1, .j = 2, .m = 16, .k = 32, .n = 48, .strided = true},
    {.i = 2, .j = 2, .m = 19, .k = 16, .n = 24, .transposed = true, .strided = true},
};

const struct batched ACROSS[N_ACROSS] = {
    {.i = 1, .j = 2, .m = 40, .k = 70, .n = 48},
    {.i = 2, .j = 1, .m = 33, .k = 64, .n = 80, .interleaved = true},
    {.i = 1, .j = 2, .m = 128, .k = 96, .n = 64, .turned = true},
    {.i = 1, .j = 1, .m = 48, .k = 129, .n = 80, .turned = true},
    {.i = 1, .j = 2, .m = 16, .k = 130, .n = 64, .turned = true, .strided = true},
    {.i = 1, .j = 3, .m = 16, .k = 64, .n = 32, .turned = true, .interleaved = true},
    {.i = 1, .j = 1, .m = 1024, .k = 40, .n = 512, .turned = true},
    {.i = 1, .j = 1, .m = 1024, .k = 33, .n = 1040, .turned = true},
    {.i = 1, .j = 1, .m = 2048, .k = 34, .n = 1024, .turned = true},
};

const char *batched_text(struct arena *a, const struct batched *b, const char *type,
                         const char *acc)
{
    struct strbuf t;
    int step = b->strided ? 2 : 1;
    const char *layout = b->interleaved ? "acbd" : "plain";
    strbuf_init(&t, a);
    strbuf_printf(&t, "kernel \"t\" {\n  in @0 \"a\": %s[%d,%d,%d,%d] %s\n", type, b->i, b->j,
                  b->turned ? b->k : b->m, b->turned ? b->m : b->k, layout);
    strbuf_printf(&t, "  in @1 \"b\": %s[%d,%d,%d,%d] %s\n", type, b->i, b->j,
                  b->transposed ? b->n : step * b->k, b->transposed ? step * b->k : b->n, layout);
    strbuf_printf(&t, "  in @2 \"c\": %s[%d] plain\n", acc, b->n);
    strbuf_printf(&t, "  out @3 \"y\": %s[%d,%d,%d,%d] plain\n", type, b->i, b->j, b->m, b->n);
    strbuf_printf(
        &t,
        "  contract %%0 %s (batch %%1 < %d, batch %%2 < %d, m %%3 < %d, n %%4 < %d, k %%5 "
        "< %d) {\n    a @0[%%1, %%2, %s]",
        acc, b->i, b->j, b->m, b->n, b->k, b->turned ? "%5, %3" : "%3, %5");
    if (b->scaled)
        strbuf_printf(&t,
                      " prologue (%%10) {\n      %%11 = cast %s %%10\n      %%12 = mul %%11, %s\n"
                      "      yield %%12\n    }",
                      acc, literal(a, 2, acc));
    const char *k = scaled(a, step, "%5");
    strbuf_printf(&t, "\n    b @1[%%1, %%2, %s, %s]\n    epilogue (%%6) {\n",
                  b->transposed ? "%4" : k, b->transposed ? k : "%4");
    strbuf_add(&t, "      %7 = load @2[%4]\n      %8 = add %6, %7\n");
    if (!strcmp(type, acc))
        strbuf_add(&t, "      store @3[%1, %2, %3, %4] = %8\n");
    else
        strbuf_printf(&t, "      %%9 = cast %s %%8\n      store @3[%%1, %%2, %%3, %%4] = %%9\n",
                      type);
    strbuf_add(&t, "    }\n  }\n}\n");
    return strbuf_text(&t);
}

const char *product_text(struct arena *a, const struct product *p, const char *a_type,
                         const char *b_type, const char *acc)
{
    struct strbuf t;
    strbuf_init(&t, a);
    strbuf_printf(&t, "kernel \"t\" {\n  in @0 \"a\": %s[%d,%d] plain\n", a_type, p->m, p->k);
    strbuf_printf(&t, "  in @1 \"b\": %s[%d,%d] plain%s\n", b_type, p->k, p->n,
                  p->constant ? " = {...}" : "");
    if (p->scale == 1)
        strbuf_printf(&t, "  in @2 \"s\": f32[%d] plain\n", p->n);
    else if (p->scale)
        strbuf_printf(&t, "  in @2 \"s\": f32[%d,%d] plain\n", p->k / p->scale, p->n);
    strbuf_printf(&t, "  out @%d \"y\": %s[%d,%d] plain\n", p->scale ? 3 : 2, acc, p->m, p->n);
    strbuf_printf(&t, "  contract %%0 %s (m %%1 < %d, n %%2 < %d, k %%3 < %d) {\n", acc, p->m, p->n,
                  p->k);
    strbuf_add(&t, "    a @0[%1, %3]\n    b @1[%3, %2]");
    if (p->scale == 1)
        strbuf_add(&t, " prologue (%5) {\n      %6 = load @2[%2]\n");
    else if (p->scale)
        strbuf_printf(&t,
                      " prologue (%%5) {\n      %%7 = div %%3, %d\n      %%6 = load @2[%%7, %%2]\n",
                      p->scale);
    if (p->scale)
        strbuf_add(&t, "      %8 = cast f32 %5\n      %9 = mul %8, %6\n      yield %9\n    }");
    strbuf_printf(&t, "\n    epilogue (%%4) {\n      store @%d[%%1, %%2] = %%4\n    }\n  }\n}\n",
                  p->scale ? 3 : 2);
    return strbuf_text(&t);
}

/* What is not a number in any arithmetic, where the layout has no element. */
static void spoil_padding(struct arena *a, const struct pbuf *b, struct tensor *t)
{
    bool *is_element = arena_alloc(a, (size_t)t->dims[0]);
    memset(is_element, 0, (size_t)t->dims[0]);
    int64_t idx[MAX_RANK] = {0};
    for (int d = 0; d >= 0;) {
        is_element[layout_offset(&b->layout, b->dims, idx)] = true;
        for (d = b->rank - 1; d >= 0 && ++idx[d] == b->dims[d]; d--)
            idx[d] = 0;
    }
    for (int64_t k = 0; k < t->dims[0]; k++)
        if (!is_element[k])
            tensor_set(t, k, NAN);
}

void contraction_fill(struct compiled *c)
{
    uint64_t state = 1;
    for (size_t i = 0; i < c->program->n_bufs; i++) {
        const struct pbuf *b = &c->program->bufs[i];
        if (b->role != SHEAF_ROLE_INPUT)
            continue;
        struct tensor t = {
            .dtype = b->dtype, .rank = 1, .data = pipeline_run_input(&c->run, (int)i)};
        t.dims[0] = layout_elems(&b->layout, b->dims);
        for (int64_t k = 0; k < t.dims[0]; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            if (dtype_is_float(b->dtype))
                tensor_set(&t, k, (double)(state >> 40) / (1 << 22) - 2.0);
            else
                tensor_set_int(&t, k,
                               dtype_int_min(b->dtype) +
                                   (int64_t)(state >> 32) % ((int64_t)1 << dtype_bits(b->dtype)));
        }
        if (dtype_is_float(b->dtype))
            spoil_padding(&c->arena, b, &t);
    }
}

void contraction_check(const char *text, const char *target)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    bool ok = compiled_open_kernel(&c, text, target, &err);
    struct strbuf report;
    strbuf_init(&report, &c.arena);
    if (ok) {
        contraction_fill(&c);
        ok = pipeline_run_verify(&c.run, &report, &err);
        ok = ok && (!c.target->host || assemble_takes(&c, &err));
    }
    if (!ok)
        print_error("on %s: %s\n%s", target, err.text, text);
    compiled_close(&c);
    assert_true(ok);
}

void conv_each(const char *x_type, const char *w_type, const char *acc,
               enum contraction_result result, size_t step, void (*check)(const char *text))
{
    static size_t turn;
    struct arena a;
    arena_init(&a);
    for (size_t i = turn++ % step; i < N_CONVS; i += step)
        check(conv_text(&a, &CONVS[i], x_type, w_type, acc, result));
    arena_done(&a);
}

void product_each(const struct product *p, size_t n, const char *a_type, const char *b_type,
                  const char *acc, void (*check)(const char *text))
{
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < n; i++)
        check(product_text(&a, &p[i], a_type, b_type, acc));
    arena_done(&a);
}

void batched_each(const struct batched *b, size_t n, const char *type, const char *acc,
                  void (*check)(const char *text))
{
    struct arena a;
    arena_init(&a);
    for (size_t i = 0; i < n; i++)
        check(batched_text(&a, &b[i], type, acc));
    arena_done(&a);
}

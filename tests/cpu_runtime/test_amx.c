/*
 * Contractions in AMX's tile registers against the evaluator, bit for bit.  On a processor without
 * AMX its instructions are simulated (tests/sim/amx.h); on one with AMX they run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loader/import/import.h"
#include "tests/sim/amx.h"
#include "tests/support/compiled.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static const char AMX[] = "x86-64-v4,+avx512vnni,+amx-int8";

/* ---- kernels ---- */

/* What a case leaves out is 1, or the plain layout; `requantize` gives u8, else i32. */
struct conv {
    const char *name, *x_layout, *y_layout, *x_type, *w_type;
    int channels, height, width, columns, window, stride, dilation, pad, pad_value, groups;
    bool requantize;
    const char *schedule; /* a part of the text of the entry */
};

static int or1(int v)
{
    return v ? v : 1;
}

static const char *or_text(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* The epilogue from sum and bias %22 of channel %9 on: fixed point, such that most results lie
   inside the range of u8. */
static const char REQUANTIZE[] = "      %23 = cast i64 %22\n"
                                 "      %24 = load @3[%9]\n"
                                 "      %33 = shr %24, 17:i32\n"
                                 "      %25 = cast i64 %33\n"
                                 "      %26 = mul %23, %25\n"
                                 "      %27 = add %26, 16777216\n"
                                 "      %28 = shr %27, 25\n"
                                 "      %29 = add %28, 128\n"
                                 "      %30 = max %29, 0\n"
                                 "      %31 = min %30, 255\n"
                                 "      %32 = cast u8 %31\n";

static const char *conv_text(const struct conv *c)
{
    int groups = or1(c->groups), stride = or1(c->stride), dilation = or1(c->dilation);
    int window = or1(c->window), reach = dilation * (window - 1) + 1;
    int height = (c->height + 2 * c->pad - reach) / stride + 1;
    int width = (c->width + 2 * c->pad - reach) / stride + 1;
    int columns = c->columns / groups, channels = c->channels / groups;
    const char *x_type = or_text(c->x_type, "u8"), *y_type = c->requantize ? "u8" : "i32";
    const char *pad = c->pad ? support_printf(" pad %d:%s", c->pad_value, x_type) : "";
    const char *group = "", *a_group = "", *b_group = "", *y_group = "      %9 = add %2, 0\n";
    if (groups > 1) {
        group = support_printf("batch %%8 < %d, ", groups);
        a_group = support_printf(" + %d*%%8", channels);
        b_group = support_printf(" + %d*%%8", columns);
        y_group = support_printf("      %%10 = mul %%8, %d\n"
                                 "      %%9 = add %%10, %%2\n",
                                 columns);
    }
    const char *head = support_printf(
        "kernel \"conv\" {\n"
        "  in @0 \"x\": %s[1,%d,%d,%d] %s\n"
        "  in @1 \"w\": %s[%d,%d,%d,%d] plain = {...}\n"
        "  in @2 \"b\": i32[%d] plain = {...}\n"
        "  in @3 \"m\": i32[%d] plain = {...}\n"
        "  out @4 \"y\": %s[1,%d,%d,%d] %s\n",
        x_type, c->channels, c->height, c->width, or_text(c->x_layout, "plain"),
        or_text(c->w_type, "i8"), c->columns, channels, window, window, c->columns, c->columns,
        y_type, c->columns, height, width, or_text(c->y_layout, "plain"));
    return support_printf("%s"
                          "  contract %%0 i32 (m %%1 < 1, %sn %%2 < %d, m %%3 < %d, m %%4 < %d,\n"
                          "      k %%5 < %d, k %%6 < %d, k %%7 < %d) {\n"
                          "    a @0[%%1, %%5%s, %d*%%3 + %d*%%6 - %d, %d*%%4 + %d*%%7 - %d]%s\n"
                          "    b @1[%%2%s, %%5, %%6, %%7]\n"
                          "    epilogue (%%20) {\n"
                          "%s"
                          "      %%11 = load @2[%%9]\n"
                          "      %%21 = shr %%11, 13:i32\n"
                          "      %%22 = add %%20, %%21\n"
                          "%s"
                          "      store @4[%%1, %%9, %%3, %%4] = %%%d\n"
                          "    }\n"
                          "  }\n"
                          "}\n",
                          head, group, columns, height, width, channels, window, window, a_group,
                          stride, dilation, c->pad, stride, dilation, c->pad, pad, b_group, y_group,
                          c->requantize ? REQUANTIZE : "", c->requantize ? 32 : 22);
}

/* ---- running one ---- */

static uint64_t products_run(void)
{
    uint64_t n = 0;
    for (int k = SIM_AMX_TDPBSSD; k < SIM_AMX_N_KINDS; k++)
        n += sim_amx_state()->n_run[k];
    return n;
}

static void need_avx512(void)
{
    if (!compiled_host_runs("x86-64-v4,+avx512vnni"))
        SUPPORT_NEED(NULL, "AVX-512 VNNI");
}

static const char ANY_SCHEDULE[] = "";

/* Whether the schedule has these words, or, where there are none, has no tile registers. */
static bool is_scheduled(struct compiled *c, const char *words, struct error *err)
{
    const char *got = compiled_schedules(c);
    if (words ? strstr(got, words) != NULL : strstr(got, "dot tile") == NULL)
        return true;
    return error_set(err, SHEAF_ERROR_CODEGEN, "'%s' is wanted, not: %s",
                     or_text(words, "no dot tile"), got);
}

/* The text of the assembly does not end in a NUL. */
static bool text_has(const struct bytes *text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text->size; i++)
        if (memcmp(text->data + i, word, n) == 0)
            return true;
    return false;
}

/* Tiles are used as the schedule says, and each configuration is released. */
static bool uses_tiles(struct compiled *c, enum sim_amx_mode mode, bool wanted, struct error *err)
{
    const uint64_t *n_run = sim_amx_state()->n_run;
    if (text_has(&c->code.assembly, "tdpb") != wanted)
        return error_set(err, SHEAF_ERROR_CODEGEN, "products of tiles are wanted: %d", wanted);
    if (mode == SIM_AMX_SIMULATED &&
        ((products_run() != 0) != wanted || n_run[SIM_AMX_LDTILECFG] != n_run[SIM_AMX_TILERELEASE]))
        return error_set(err, SHEAF_ERROR_CODEGEN, "no product ran, or tiles were not released");
    return true;
}

static bool runs_alike(struct compiled *c, struct error *err)
{
    struct strbuf report;
    strbuf_init(&report, &c->arena);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        compiled_fill(c, COMPILED_EDGES, seed);
        if (!pipeline_run_verify(&c->run, &report, err))
            return error_set(err, SHEAF_ERROR_CODEGEN, "%s", strbuf_text(&report));
    }
    return true;
}

static void verify(const char *kernel_text, const char *schedule)
{
    need_avx512();
    enum sim_amx_mode mode = sim_amx_begin();
    if (mode == SIM_AMX_NONE)
        SUPPORT_NEED(NULL, "x86-64 Linux");
    struct compiled c;
    struct error err;
    error_init(&err);
    bool ok = compiled_open_kernel(&c, kernel_text, AMX, &err) &&
              is_scheduled(&c, schedule, &err) && runs_alike(&c, &err) &&
              (schedule == ANY_SCHEDULE || uses_tiles(&c, mode, schedule != NULL, &err));
    compiled_close(&c);
    sim_amx_end();
    if (!ok)
        print_error("%s\n%s", err.text, kernel_text);
    assert_true(ok);
}

/* The schedules show how K is stepped and rows are cut: rows of a tile register, sums of how many
   columns, bytes of K at once. */
static const struct conv CONVS[] = {
    {.name = "pointwise",
     .channels = 64,
     .height = 8,
     .width = 8,
     .columns = 32,
     .x_layout = "abcd64b",
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/64 dot tile"},
    /* 49 rows: four tiles of 13, the last overlapping. */
    {.name = "pointwise_overlapping_rows",
     .channels = 128,
     .height = 7,
     .width = 7,
     .columns = 80,
     .x_layout = "abcd64b",
     .y_layout = "abcd64b",
     .requantize = true,
     .schedule = "rows d2,d3 13 cols d1 2x16 k d4/64 dot tile"},
    {.name = "pointwise_columns_behind_the_last",
     .channels = 64,
     .height = 15,
     .width = 17,
     .columns = 39,
     .x_layout = "abcd64b",
     .y_layout = "abcd64b",
     .requantize = true,
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/64 dot tile"},
    {.name = "pointwise_few_columns",
     .channels = 64,
     .height = 9,
     .width = 9,
     .columns = 5,
     .x_layout = "abcd64b",
     .schedule = "rows d2,d3 14 cols d1 2x16 k d4/64 dot tile"},
    {.name = "pointwise_k_behind_the_last",
     .channels = 96,
     .height = 13,
     .width = 13,
     .columns = 32,
     .x_layout = "abcd64b",
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/64 dot tile"},
    {.name = "pointwise_short_blocks",
     .channels = 21,
     .height = 20,
     .width = 20,
     .columns = 32,
     .x_layout = "abcd32b",
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/24 dot tile"},
    {.name = "pointwise_strided",
     .channels = 64,
     .height = 33,
     .width = 33,
     .columns = 32,
     .stride = 2,
     .x_layout = "abcd64b",
     .schedule = "rows d2 1 x d3 9 cols d1 2x16 k d4/64 dot tile"},
    {.name = "pointwise_channels_last",
     .channels = 40,
     .height = 11,
     .width = 11,
     .columns = 32,
     .x_layout = "acdb",
     .y_layout = "acdb",
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/40 dot tile"},
    /* The channels lie apart: they are brought together first. */
    {.name = "pointwise_plain",
     .channels = 100,
     .height = 8,
     .width = 8,
     .columns = 256,
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/52 dot tile"},
    {.name = "pointwise_in_blocks_of_16",
     .channels = 64,
     .height = 8,
     .width = 8,
     .columns = 640,
     .x_layout = "abcd16b",
     .schedule = "rows d2,d3 16 cols d1 2x16 k d4/64 dot tile"},
    {.name = "window",
     .channels = 64,
     .height = 14,
     .width = 14,
     .columns = 32,
     .window = 3,
     .pad = 1,
     .pad_value = 0,
     .x_layout = "abcd64b",
     .y_layout = "abcd32b",
     .schedule = "rows d2 1 x d3 14 cols d1 2x16 k d4/64 dot tile"},
    {.name = "window_pad_counts",
     .channels = 64,
     .height = 11,
     .width = 21,
     .columns = 48,
     .window = 3,
     .pad = 1,
     .pad_value = 131,
     .x_layout = "abcd64b",
     .y_layout = "abcd64b",
     .requantize = true,
     .schedule = "rows d2 1 x d3 11 cols d1 2x16 k d4/64 dot tile"},
    /* Two image rows of 7 in one tile, 9 apart; the last tile overlaps. */
    {.name = "window_short_rows",
     .channels = 64,
     .height = 7,
     .width = 7,
     .columns = 64,
     .window = 3,
     .pad = 1,
     .pad_value = 131,
     .x_layout = "abcd64b",
     .y_layout = "abcd64b",
     .requantize = true,
     .schedule = "rows d2 2 x d3 7 cols d1 2x16 k d4/64 dot tile"},
    {.name = "window_strided",
     .channels = 128,
     .height = 13,
     .width = 17,
     .columns = 32,
     .window = 3,
     .stride = 2,
     .pad = 1,
     .pad_value = 5,
     .x_layout = "abcd64b",
     .schedule = "rows d2 1 x d3 9 cols d1 2x16 k d4/64 dot tile"},
    {.name = "window_dilated",
     .channels = 64,
     .height = 12,
     .width = 12,
     .columns = 32,
     .window = 3,
     .dilation = 2,
     .pad = 2,
     .pad_value = 200,
     .x_layout = "abcd64b",
     .schedule = "rows d2 1 x d3 12 cols d1 2x16 k d4/64 dot tile"},
    {.name = "window_not_padded",
     .channels = 64,
     .height = 9,
     .width = 20,
     .columns = 32,
     .window = 3,
     .x_layout = "abcd64b",
     .schedule = "rows d2 1 x d3 9 cols d1 2x16 k d4/64 dot tile"},
    /* Few channels: a row of the window at once. */
    {.name = "window_few_channels",
     .channels = 14,
     .height = 20,
     .width = 20,
     .columns = 32,
     .window = 3,
     .pad = 1,
     .pad_value = 9,
     .x_layout = "abcd16b",
     .schedule = "k d4/48 dot tile of d4 with 3 of d6"},
    {.name = "window_of_three_planes",
     .channels = 3,
     .height = 30,
     .width = 30,
     .columns = 128,
     .window = 7,
     .stride = 2,
     .pad = 3,
     .pad_value = 77,
     .schedule = "k d4/28 dot tile of d4 with 7 of d6"},
    {.name = "window_few_channels_dilated",
     .channels = 8,
     .height = 20,
     .width = 20,
     .columns = 32,
     .window = 3,
     .dilation = 2,
     .x_layout = "abcd8b",
     .schedule = "k d4/40 dot tile of d4 with 3 of d6"},
    {.name = "window_channels_last",
     .channels = 20,
     .height = 20,
     .width = 20,
     .columns = 32,
     .window = 3,
     .x_layout = "acdb",
     .schedule = "k d4/60 dot tile of d4 with 3 of d6"},
    {.name = "signed",
     .channels = 64,
     .height = 8,
     .width = 8,
     .columns = 32,
     .window = 3,
     .pad = 1,
     .pad_value = -7,
     .x_type = "i8",
     .x_layout = "abcd64b",
     .schedule = "rows d2 1 x d3 8 cols d1 2x16 k d4/64 dot tile"},
    {.name = "unsigned_weights",
     .channels = 64,
     .height = 8,
     .width = 8,
     .columns = 32,
     .w_type = "u8",
     .x_layout = "abcd64b",
     .schedule = "dot tile"},
    {.name = "signed_by_unsigned",
     .channels = 64,
     .height = 8,
     .width = 8,
     .columns = 32,
     .x_type = "i8",
     .w_type = "u8",
     .x_layout = "abcd64b",
     .schedule = "dot tile"},
    {.name = "groups",
     .channels = 128,
     .height = 8,
     .width = 8,
     .columns = 64,
     .groups = 2,
     .window = 3,
     .pad = 1,
     .pad_value = 9,
     .x_layout = "abcd64b",
     .y_layout = "abcd32b",
     .schedule = "dot tile"},
    {.name = "columns_in_blocks_of_16",
     .channels = 64,
     .height = 8,
     .width = 8,
     .columns = 64,
     .x_layout = "abcd64b",
     .y_layout = "abcd16b",
     .requantize = true,
     .schedule = "dot tile"},
};

/* Matrix products: rows, columns, K, and the layout of the first factor. */
struct product {
    const char *name;
    int m, n, k, batch;
    const char *schedule;
};

static const struct product PRODUCTS[] = {
    {"product", 32, 64, 128, 1, "rows d1 16 cols d2 2x16 k d3/64 dot tile"},
    {"product_k_of_56", 20, 40, 112, 1, "rows d1 10 cols d2 2x16 k d3/56 dot tile"},
    {"product_k_of_28", 20, 40, 196, 1, "rows d1 10 cols d2 2x16 k d3/28 dot tile"},
    /* No even steps: the factor is brought into blocks. */
    {"product_k_odd", 33, 64, 131, 1, "rows d1 11 cols d2 2x16 k d3/44 dot tile"},
    {"product_batch", 17, 32, 64, 3, "rows d1 9 cols d2 2x16 k d3/64 dot tile"},
};

static const char *product_text(const struct product *p)
{
    return support_printf(
        "kernel \"product\" {\n"
        "  in @0 \"x\": u8[%d,%d,%d] plain\n"
        "  in @1 \"w\": i8[%d,%d,%d] plain = {...}\n"
        "  out @2 \"y\": i32[%d,%d,%d] plain\n"
        "  contract %%0 i32 (batch %%1 < %d, m %%2 < %d, n %%3 < %d, k %%4 < %d) {\n"
        "    a @0[%%1, %%2, %%4]\n"
        "    b @1[%%1, %%4, %%3]\n"
        "    epilogue (%%5) {\n"
        "      store @2[%%1, %%2, %%3] = %%5\n"
        "    }\n"
        "  }\n"
        "}\n",
        p->batch, p->m, p->k, p->batch, p->k, p->n, p->batch, p->m, p->n, p->batch, p->m, p->n,
        p->k);
}

static void product_agrees(void **state)
{
    const struct product *p = *state;
    verify(product_text(p), p->schedule);
}

static void conv_agrees(void **state)
{
    const struct conv *c = *state;
    verify(conv_text(c), c->schedule);
}

/* Whole kernels: what they are, and a part of the schedule. */
static const struct {
    const char *name, *text, *schedule;
} KERNELS[] = {
    /* The operand is brought into blocks anew in each round. */
    {"staged_in_a_loop",
     "kernel \"t\" {\n"
     "  in @0 \"x\": u8[3,33,131] plain\n"
     "  in @1 \"w\": i8[131,64] plain = {...}\n"
     "  out @2 \"y\": i32[3,33,64] plain\n"
     "  loop %0 (%1 < 3) {\n"
     "    contract %2 i32 (m %3 < 33, n %4 < 64, k %5 < 131) {\n"
     "      a @0[%1, %3, %5]\n"
     "      b @1[%5, %4]\n"
     "      epilogue (%6) {\n"
     "        store @2[%1, %3, %4] = %6\n"
     "      }\n"
     "    }\n"
     "  }\n"
     "}\n",
     "k d2/44 dot tile"},
    /* The rows of A lie in blocks: no one stride reads a tile. */
    {"rows_in_blocks",
     "kernel \"t\" {\n"
     "  in @0 \"x\": u8[1,96,128] abc4b64c\n"
     "  in @1 \"w\": i8[128,256] plain = {...}\n"
     "  out @2 \"y\": i32[1,96,256] plain\n"
     "  contract %0 i32 (m %1 < 1, m %2 < 96, n %3 < 256, k %4 < 128) {\n"
     "    a @0[%1, %2, %4]\n"
     "    b @1[%4, %3]\n"
     "    epilogue (%5) {\n"
     "      store @2[%1, %2, %3] = %5\n"
     "    }\n"
     "  }\n"
     "}\n",
     "rows d1 16 cols d2 2x16 k d3/64 dot tile"},
    /* Each has a configuration of its own; what lies between is no multiple of a block. */
    {"two_products",
     "kernel \"t\" {\n"
     "  in @0 \"x\": u8[40,64] plain\n"
     "  in @1 \"v\": i8[64,48] plain = {...}\n"
     "  in @2 \"w\": i8[48,64] plain = {...}\n"
     "  local @3 \"z\": u8[40,48] plain\n"
     "  out @4 \"y\": i32[40,64] plain\n"
     "  contract %0 i32 (m %1 < 40, n %2 < 48, k %3 < 64) {\n"
     "    a @0[%1, %3]\n"
     "    b @1[%3, %2]\n"
     "    epilogue (%4) {\n"
     "      %5 = shr %4, 9:i32\n"
     "      %6 = cast u8 %5\n"
     "      store @3[%1, %2] = %6\n"
     "    }\n"
     "  }\n"
     "  contract %7 i32 (m %8 < 40, n %9 < 64, k %10 < 48) {\n"
     "    a @3[%8, %10]\n"
     "    b @2[%10, %9]\n"
     "    epilogue (%11) {\n"
     "      store @4[%8, %9] = %11\n"
     "    }\n"
     "  }\n"
     "}\n",
     "k d2/48 dot tile"},
    {"one_row_is_no_tile",
     "kernel \"t\" {\n"
     "  in @0 \"x\": u8[1,512] plain\n"
     "  in @1 \"w\": i8[512,64] plain = {...}\n"
     "  out @2 \"y\": i32[1,64] plain\n"
     "  contract %0 i32 (m %1 < 1, n %2 < 64, k %3 < 512) {\n"
     "    a @0[%1, %3]\n"
     "    b @1[%3, %2]\n"
     "    epilogue (%4) {\n"
     "      store @2[%1, %2] = %4\n"
     "    }\n"
     "  }\n"
     "}\n",
     NULL},
    /* A point reads what it writes: no row may be computed twice. */
    {"in_place_is_no_tile",
     "kernel \"t\" {\n"
     "  in @0 \"x\": u8[49,512] plain\n"
     "  in @1 \"w\": i8[512,64] plain = {...}\n"
     "  out @2 \"y\": i32[49,64] plain\n"
     "  map %5 (%6 < 49, %7 < 64) {\n"
     "    store @2[%6, %7] = 3:i32\n"
     "  }\n"
     "  contract %0 i32 (m %1 < 49, n %2 < 64, k %3 < 512) {\n"
     "    a @0[%1, %3]\n"
     "    b @1[%3, %2]\n"
     "    epilogue (%4) {\n"
     "      %8 = load @2[%1, %2]\n"
     "      %9 = add %8, %4\n"
     "      store @2[%1, %2] = %9\n"
     "    }\n"
     "  }\n"
     "}\n",
     NULL},
};

static void kernel_agrees(void **state)
{
    const size_t i = (size_t)(uintptr_t)*state;
    verify(KERNELS[i].text, KERNELS[i].schedule);
}

/* Shapes that nobody thought of; in tiles or not. */
static void random_convolutions_agree(void **state)
{
    (void)state;
    static const char *const LAYOUTS[] = {"plain", "abcd64b", "abcd16b", "acdb"};
    static const char *const TYPES[] = {"u8", "i8"};
    int rounds = support_full() ? 200 : support_quick() ? 4 : 16;
    uint64_t seed = 11;
    for (int i = 0; i < rounds; i++) {
        int window = random_below(&seed, 3) + 1;
        struct conv c = {
            .x_layout = LAYOUTS[random_below(&seed, 4)],
            .y_layout = LAYOUTS[random_below(&seed, 4)],
            .x_type = TYPES[random_below(&seed, 2)],
            .channels = random_below(&seed, 130) + 1,
            .height = random_below(&seed, 20) + window,
            .width = random_below(&seed, 40) + window,
            .columns = random_below(&seed, 100) + 1,
            .window = window,
            .stride = random_below(&seed, 2) + 1,
            .pad = random_below(&seed, window),
            .pad_value = random_below(&seed, 128),
            .requantize = random_below(&seed, 2) == 0,
        };
        verify(conv_text(&c), ANY_SCHEDULE);
    }
}

/* ---- a network ---- */

enum { OUTPUT_BYTES = 40 };

/* Compiles a quantized network, runs it once and returns its output. */
static void run_network(const char *model, const char *cpu, uint8_t out[OUTPUT_BYTES])
{
    struct compiled c;
    struct error err;
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    error_init(&err);
    struct import_options opt = {.paths = &model, .n_paths = 1};
    struct graph *g = import_model(&c.arena, &opt, NULL, &err);
    bool ok = g && compiled_open_graph(&c, g, cpu, false, false, &err);
    if (ok) {
        compiled_fill(&c, COMPILED_RANDOM, 3);
        ok = pipeline_run_once(&c.run, &err);
    }
    if (ok)
        memcpy(out, compiled_output(&c, 0), OUTPUT_BYTES);
    compiled_close(&c);
    if (!ok)
        print_error("%s\n", err.text);
    assert_true(ok);
}

/* Layers in tile registers beside others that are not: the same bits as in vectors throughout. */
static void a_network_is_the_same_in_vectors(void **state)
{
    (void)state;
    const char *model = support_data("nets/kws_qdq/model.onnx");
    uint8_t tiles[OUTPUT_BYTES], vectors[OUTPUT_BYTES];
    SUPPORT_NEED(model, "nets/kws_qdq");
    need_avx512();
    enum sim_amx_mode mode = sim_amx_begin();
    if (mode == SIM_AMX_NONE)
        SUPPORT_NEED(NULL, "x86-64 Linux");
    run_network(model, AMX, tiles);
    if (mode == SIM_AMX_SIMULATED)
        assert_true(products_run() > 0);
    sim_amx_end();
    run_network(model, "x86-64-v4,+avx512vnni", vectors);
    assert_memory_equal(tiles, vectors, OUTPUT_BYTES);
}

int main(void)
{
    enum {
        N_CONVS = sizeof CONVS / sizeof CONVS[0],
        N_PRODUCTS = sizeof PRODUCTS / sizeof PRODUCTS[0],
        N_KERNELS = sizeof KERNELS / sizeof KERNELS[0]
    };
    struct CMUnitTest tests[N_CONVS + N_PRODUCTS + N_KERNELS + 2];
    struct CMUnitTest *t = tests;
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N_CONVS; i++)
        *t++ = (struct CMUnitTest){.name = CONVS[i].name,
                                   .test_func = conv_agrees,
                                   .initial_state = (void *)(uintptr_t)&CONVS[i]};
    for (size_t i = 0; i < N_PRODUCTS; i++)
        *t++ = (struct CMUnitTest){.name = PRODUCTS[i].name,
                                   .test_func = product_agrees,
                                   .initial_state = (void *)(uintptr_t)&PRODUCTS[i]};
    for (size_t i = 0; i < N_KERNELS; i++)
        *t++ = (struct CMUnitTest){.name = KERNELS[i].name,
                                   .test_func = kernel_agrees,
                                   .initial_state = (void *)(uintptr_t)i};
    *t++ = (struct CMUnitTest)cmocka_unit_test(random_convolutions_agree);
    *t = (struct CMUnitTest)cmocka_unit_test(a_network_is_the_same_in_vectors);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

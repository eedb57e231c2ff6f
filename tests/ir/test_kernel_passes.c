/*
 * kernel_fuse, kernel_simplify, kernel_collapse, kernel_expand_contracts, kernel_split_sum,
 * kernel_stage.c's and those that take sorts apart, text to text.
 *
 * tests/ir/kernels/<name>.kernel: comments, a line "pass <name>", the kernel, a line "---", the
 * kernel after the pass.  Each pair is also run on random data: what the caller sees may not change
 * by a bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"
#include "ir/kernel_scalar.h"
#include "tests/support/support.h"

static const char *print(struct arena *a, const struct kernel *k)
{
    struct strbuf s;
    strbuf_init(&s, a);
    kernel_print(k, &s);
    return strbuf_text(&s);
}

static struct kernel *parse(struct arena *a, const char *name, const char *text)
{
    struct error err;
    error_init(&err);
    struct kernel *k = kernel_parse(a, text, &err);
    if (!k)
        fail_msg("%s: %s", name, err.text);
    return k;
}

/* ---- running before and after ---- */

static size_t buf_bytes(const struct kbuf *b)
{
    return (size_t)dtype_bytes(b->dtype, layout_elems(&b->layout, b->dims));
}

static void fill(const struct kbuf *b, void *data, uint32_t seed)
{
    int64_t n = layout_elems(&b->layout, b->dims);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        union kscalar s;
        if (dtype_is_float(b->dtype))
            s.f = kscalar_round(b->dtype, (double)(seed >> 8) * 0x1p-23 - 1);
        else if (b->rank == 0)
            s.i = 7; /* an extent, say */
        else
            s.i = kscalar_wrap(b->dtype, seed >> 16);
        kscalar_write(b->dtype, data, i, s);
    }
}

/* Data per buffer, the same for the same name, whatever the buffer's number. */
static void **make_data(struct arena *a, const struct kernel *k)
{
    void **data = arena_array(a, k->n_bufs, sizeof *data);
    for (size_t i = 0; i < k->n_bufs; i++) {
        const struct kbuf *b = &k->bufs[i];
        if (b->role == KBUF_LOCAL)
            continue;
        data[i] = arena_alloc(a, buf_bytes(b));
        if (b->role == KBUF_OUT)
            continue;
        uint32_t seed = 1;
        for (const char *c = b->name; *c; c++)
            seed = seed * 31 + (uint8_t)*c;
        fill(b, data[i], seed);
        if (b->constant)
            memcpy(data[i], b->constant->data, buf_bytes(b));
    }
    return data;
}

static void check_same_results(struct arena *a, const char *name, const struct kernel *before,
                               const struct kernel *after)
{
    struct eval_options opt = {.blas = false};
    void **x = make_data(a, before), **y = make_data(a, after);
    eval_kernel(before, x, a, &opt);
    eval_kernel(after, y, a, &opt);
    size_t j = 0;
    for (size_t i = 0; i < before->n_bufs; i++) {
        if (before->bufs[i].role == KBUF_LOCAL)
            continue;
        while (j < after->n_bufs && after->bufs[j].role == KBUF_LOCAL)
            j++;
        assert_true(j < after->n_bufs);
        assert_string_equal(before->bufs[i].name, after->bufs[j].name);
        if (memcmp(x[i], y[j], buf_bytes(&before->bufs[i])) != 0)
            fail_msg("%s: buffer '%s' differs after the pass", name, before->bufs[i].name);
        j++;
    }
}

/* ---- the cases ---- */

static bool find_unstaged(const struct kernel *k, kval v, void *arg)
{
    const struct kinst *in = kernel_inst(k, v);
    if (in->op == KOP_CONTRACT && k->bufs[in->region->contract->a.buf].role != KBUF_LOCAL)
        *(kval *)arg = v;
    return true;
}

/* The last contraction whose operand A is none of the kernel's own; in blocks of dimension 1. */
static bool stage(struct kernel *k)
{
    kval contract = 0;
    kernel_walk(k, find_unstaged, &contract);
    if (!contract)
        return false;
    const struct kbuf *a = &k->bufs[kernel_inst(k, contract)->region->contract->a.buf];
    struct layout l = layout_blocked(layout_plain(a->rank), 1, 4);
    kernel_stage_operand(k, contract, &l);
    return true;
}

static bool widen(struct kernel *k)
{
    kval contract = 0;
    kernel_walk(k, find_unstaged, &contract);
    if (contract)
        kernel_widen_operand(k, contract);
    return contract != 0;
}

/* Whether all that the epilogue does is store to a local buffer, as that of a split one. */
static bool is_part(const struct kernel *k, kval contract)
{
    const struct kblock *b = &kernel_inst(k, contract)->region->block[0];
    const struct kinst *first = kernel_inst(k, b->insts[0]);
    return b->n == 1 && k->bufs[first->buf].role == KBUF_LOCAL;
}

static bool find_whole(const struct kernel *k, kval v, void *arg)
{
    if (kernel_inst(k, v)->op == KOP_CONTRACT && !is_part(k, v))
        *(kval *)arg = v;
    return true;
}

/* The last contraction, along the first index of an even extent that it can be split along. */
static bool split(struct kernel *k)
{
    kval contract = 0;
    kernel_walk(k, find_whole, &contract);
    if (!contract)
        return false;
    const struct kregion *r = kernel_inst(k, contract)->region;
    for (int d = 0; d < r->n_dims; d++) {
        if (!kernel_can_split_sum(k, contract, d) || kernel_static_extent(k, r, d) % 2 != 0)
            continue;
        kernel_split_sum(k, contract, d, 2);
        return true;
    }
    return false;
}

enum { LANES = 16 };

/* Of the first contraction. */
static bool lay_out_windows(struct kernel *k, bool flat)
{
    kval contract = kernel_find_contract(k);
    return flat ? kernel_flatten_windows(k, contract, LANES) : kernel_unfold_windows(k, contract);
}

static bool run_pass(const char *pass, struct kernel *k)
{
    if (strcmp(pass, "fuse") == 0)
        return kernel_fuse(k);
    if (strcmp(pass, "fuse_operand") == 0)
        return kernel_fuse_operand(k);
    if (strcmp(pass, "fuse_load") == 0)
        return kernel_fuse_load(k);
    if (strcmp(pass, "simplify") == 0)
        return kernel_simplify(k);
    if (strcmp(pass, "collapse") == 0)
        return kernel_collapse(k);
    if (strcmp(pass, "expand") == 0)
        return kernel_expand_contracts(k);
    if (strcmp(pass, "sort_in_turn") == 0)
        return kernel_sort_in_turn(k);
    if (strcmp(pass, "sort_at_once") == 0)
        return kernel_sort_at_once(k);
    if (strcmp(pass, "stage") == 0)
        return stage(k);
    if (strcmp(pass, "widen") == 0)
        return widen(k);
    if (strcmp(pass, "split") == 0)
        return split(k);
    if (strcmp(pass, "flatten") == 0 || strcmp(pass, "unfold") == 0)
        return lay_out_windows(k, pass[0] == 'f');
    fail_msg("no pass '%s'", pass);
    return false;
}

static void check_case(const char *name, char *text)
{
    struct arena a;
    struct error err;
    arena_init(&a);
    error_init(&err);
    char *pass = strstr(text, "pass ");
    char *end = strstr(text, "\n---\n");
    if (!pass || !end)
        fail_msg("%s: no 'pass' line or no '---' line", name);
    end[1] = '\0';
    char *input = strchr(pass, '\n');
    *input++ = '\0';

    struct kernel *before = parse(&a, name, input), *k = parse(&a, name, input);
    assert_string_equal(print(&a, before), input);
    bool changed = run_pass(pass + 5, k);
    assert_string_equal(print(&a, k), end + 5);
    assert_int_equal(changed, strcmp(input, end + 5) != 0);
    if (!kernel_validate(k, &err))
        fail_msg("%s: %s", name, err.text);
    assert_false(run_pass(pass + 5, k)); /* one call does all there is to do */
    check_same_results(&a, name, before, k);
    arena_done(&a);
}

static void test_cases(void **state)
{
    (void)state;
    const char *folder = support_printf("%s/tests/ir/kernels", support_source());
    assert_true(support_each_file(folder, ".kernel", check_case) >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

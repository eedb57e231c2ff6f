/*
 * Element-wise functions of floats, compiled, against double arithmetic: each is off by no more
 * than tests/ir/functions.def says.  Of one input every 251st float is tried, and in a full run
 * every float there is, shared by threads; of two, random pairs.
 *
 * A value is off by the distance to the exact result in units in the last place of the float
 * nearest to it, subnormal ones included.
 */
#define _XOPEN_SOURCE 700 /* M_SQRT1_2, sysconf */

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ir/ops.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

enum { CHUNK = 1 << 16, MAX_THREADS = 64 };

/* ---- the exact functions ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double swish(double x)
{
    return x / (1 + exp(-x));
}

static double quick_gelu(double x)
{
    return x / (1 + exp(-(double)1.702f * x));
}

static double gelu(double x)
{
    return x * (0.5 * erfc(-x * M_SQRT1_2));
}

static double gelu_tanh(double x)
{
    return x / (1 + exp(-1.5957691216057308 * x * (1 + 0.044715 * x * x)));
}

static double mish(double x)
{
    double e = exp(fmin(x, 40));
    return isnan(x) ? x : x * (e * (e + 2) / (e * (e + 2) + 2));
}

static double softplus(double x)
{
    return x > 40 ? x : log1p(exp(x));
}

static double softsign(double x)
{
    return x / (1 + fabs(x));
}

static double celu(double x)
{
    return x < 0 ? expm1(x) : x;
}

static double elu(double x)
{
    return x < 0 ? (double)0.7f * expm1(x) : x;
}

static double selu(double x)
{
    const double alpha = 1.67326319217681884765625, gamma = 1.05070102214813232421875;
    return gamma * (x < 0 ? alpha * expm1(x) : x);
}

static float between_0_and_1(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

#define FUNCTION(op, attrs, exact, ulp)
#define FUNCTION2(op, attrs, exact, ulp)
#define ROUNDED(op, attrs, n_in, formula)                                                          \
    static float op##_rounded(float x, float y)                                                    \
    {                                                                                              \
        (void)y;                                                                                   \
        return formula;                                                                            \
    }
#include "tests/ir/functions.def"
#undef FUNCTION
#undef FUNCTION2
#undef ROUNDED

/* ---- the table ---- */

struct function {
    enum op op;
    const char *attrs;
    int n_in;
    double ulp;
    double (*exact)(double);
    double (*exact2)(double, double);
    float (*rounded)(float, float);
};

static const struct function FUNCTIONS[] = {
#define FUNCTION(op, attrs, exact, ulp)   {OP_##op, attrs, 1, ulp, exact, NULL, NULL},
#define FUNCTION2(op, attrs, exact, ulp)  {OP_##op, attrs, 2, ulp, NULL, exact, NULL},
#define ROUNDED(op, attrs, n_in, formula) {OP_##op, attrs, n_in, 0, NULL, NULL, op##_rounded},
#include "tests/ir/functions.def"
#undef FUNCTION
#undef FUNCTION2
#undef ROUNDED
};
enum { N_FUNCTIONS = sizeof FUNCTIONS / sizeof FUNCTIONS[0] };

/* ---- errors ---- */

/* A unit in the last place of the floats around `exact`. */
static double unit_of(double exact)
{
    const uint64_t exponent = UINT64_C(0x7ff) << 52, least = (uint64_t)(1023 - 126) << 52;
    uint64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    bits &= exponent;
    bits = (bits > least ? bits : least) - ((uint64_t)23 << 52);
    memcpy(&exact, &bits, sizeof bits);
    return exact;
}

static double error_of(float got, double exact)
{
    const double overflow = 0x1.ffffffp127; /* what rounds to infinity */
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (isinf(got) || fabs(exact) >= overflow) {
        double limit = isinf(exact) ? exact : copysign(fmin(fabs(exact), overflow), exact);
        double seen = isinf(got) ? copysign(overflow, (double)got) : (double)got;
        return isinf(exact) ? ((double)got == exact ? 0 : INFINITY) : fabs(seen - limit) / 0x1p104;
    }
    if (exact == 0 && (got != 0 || !signbit(got) != !signbit(exact)))
        return INFINITY;
    return fabs((double)got - exact) / unit_of(exact);
}

static double error_at(const struct function *f, float x, float y, float got)
{
    if (f->exact)
        return error_of(got, f->exact((double)x));
    if (f->exact2)
        return error_of(got, f->exact2((double)x, (double)y));
    float want = f->rounded(x, y);
    return got == want || (isnan(got) && isnan(want)) ? 0 : INFINITY;
}

/* ---- runs ---- */

struct part {
    const struct function *f;
    struct compiled net;
    uint64_t from, to, step; /* bits of floats; of two inputs, numbers of random pairs */
    double worst;
    float worst_x, worst_y, got;
    bool failed;
    struct error err;
};

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static const float SPECIAL[] = {0,     -0.0f, 1,     -1,     0.5f,     -0.5f,     2,    -2,
                                3,     -3,    4,     7,      8.5f,     -8.5f,     1e3f, -1e3f,
                                1e30f, 1e-9f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN,  63,
                                -63,   64,    65,    1e-40f, 0.25f};
enum { N_SPECIAL = sizeof SPECIAL / sizeof SPECIAL[0] };

/* All pairs of special numbers, then pairs of any bits, and by turns of numbers of a small range.
 */
static void random_pair(uint64_t i, float *x, float *y)
{
    if (i < N_SPECIAL * N_SPECIAL) {
        *x = SPECIAL[i / N_SPECIAL];
        *y = SPECIAL[i % N_SPECIAL];
        return;
    }
    uint64_t r = mixed((i + 1) * 0x9e3779b97f4a7c15u);
    uint32_t a = (uint32_t)r, b = (uint32_t)(r >> 32);
    memcpy(x, &a, sizeof a);
    memcpy(y, &b, sizeof b);
    if (i % 2) {
        *x = (float)(int32_t)a * 0x1p-28f;
        *y = (float)((int32_t)b >> 24) * 0x1p-3f;
    }
}

static size_t fill(struct part *p, uint64_t *at, float *x, float *y)
{
    size_t n = 0;
    for (; n < CHUNK && *at < p->to; n++, *at += p->step) {
        uint32_t bits = (uint32_t)*at;
        if (y)
            random_pair(*at, &x[n], &y[n]);
        else
            memcpy(&x[n], &bits, sizeof bits);
    }
    return n;
}

static void *run_part(void *arg)
{
    struct part *p = arg;
    const struct compiled *c = &p->net;
    bool two = p->f->n_in == 2;
    float *x = pipeline_run_input(&c->run, program_find_value(c->program, c->graph->body.in[0]));
    float *y =
        two ? pipeline_run_input(&c->run, program_find_value(c->program, c->graph->body.in[1]))
            : NULL;
    const float *z = compiled_output(&p->net, 0);
    for (uint64_t at = p->from; at < p->to;) {
        size_t n = fill(p, &at, x, y);
        p->failed = !pipeline_run_once(&p->net.run, &p->err);
        if (p->failed)
            return NULL;
        for (size_t i = 0; i < n; i++) {
            double e = error_at(p->f, x[i], y ? y[i] : 0, z[i]);
            if (e > p->worst) {
                p->worst = e;
                p->worst_x = x[i];
                p->worst_y = y ? y[i] : 0;
                p->got = z[i];
            }
        }
    }
    return NULL;
}

static const char *graph_of(const struct function *f)
{
    const char *id = op_desc(f->op)->id;
    return f->n_in == 1
               ? support_printf(
                     "graph \"t\" {\ninput %%x f32 [%d]\n%%z = %s (%%x) %s\nreturn %%z\n}\n", CHUNK,
                     id, f->attrs)
               : support_printf("graph \"t\" {\ninput %%x f32 [%d]\ninput %%y f32 [%d]\n"
                                "%%z = %s (%%x, %%y) %s\nreturn %%z\n}\n",
                                CHUNK, CHUNK, id, f->attrs);
}

static size_t n_threads(const struct function *f)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (!support_full() || f->n_in == 2 || n < 2)
        return 1;
    return n > MAX_THREADS ? MAX_THREADS : (size_t)n;
}

static void function_is_near(void **state)
{
    const struct function *f = *state;
    uint64_t all = f->n_in == 2 ? UINT64_C(1) << 22 : UINT64_C(1) << 32;
    uint64_t step = f->n_in == 2 ? 1 : support_full() ? 1 : 251;
    size_t n = n_threads(f);
    struct part *part = calloc(n, sizeof *part);
    pthread_t thread[MAX_THREADS];
    for (size_t i = 0; i < n; i++) {
        uint64_t from = all / n * i, to = i + 1 < n ? all / n * (i + 1) : all;
        part[i] = (struct part){.f = f, .from = from, .to = to};
        part[i].step = support_quick() && f->n_in == 1 ? step * 64 : step;
        error_init(&part[i].err);
        compiled_must_open(&part[i].net, graph_of(f), "native");
    }
    for (size_t i = 1; i < n; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run_part, &part[i]), 0);
    run_part(&part[0]);
    struct part *worst = &part[0];
    for (size_t i = 1; i < n; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        worst = part[i].worst > worst->worst || part[i].failed ? &part[i] : worst;
    }
    print_message("worst error %.3f ULP at %.9g\n", worst->worst, (double)worst->worst_x);
    bool ok = !worst->failed && worst->worst <= f->ulp;
    if (worst->failed)
        print_error("%s\n", worst->err.text);
    else if (!ok)
        print_error("%s of %a, %a gives %a\n", op_desc(f->op)->id, (double)worst->worst_x,
                    (double)worst->worst_y, (double)worst->got);
    for (size_t i = 0; i < n; i++)
        compiled_close(&part[i].net);
    free(part);
    assert_true(ok);
}

/* ---- the table is complete ---- */

static bool is_listed(enum op op)
{
    for (size_t i = 0; i < N_FUNCTIONS; i++)
        if (FUNCTIONS[i].op == op)
            return true;
    return false;
}

/* Whether the operator takes one f32 or two, and gives one. */
static bool is_of_floats(enum op op)
{
    struct arena a;
    struct error err;
    arena_init(&a);
    error_init(&err);
    const struct op_desc *d = op_desc(op);
    struct strbuf text;
    strbuf_init(&text, &a);
    strbuf_add(&text, "graph \"t\" {\n");
    for (int i = 0; i < d->min_in; i++)
        strbuf_printf(&text, "input %%x%d f32 [4]\n", i);
    strbuf_printf(&text, "%%y = %s (", d->id);
    for (int i = 0; i < d->min_in; i++)
        strbuf_printf(&text, "%s%%x%d", i ? ", " : "", i);
    strbuf_add(&text, ")\nreturn %y\n}\n");
    struct graph *g = graph_parse(&a, strbuf_text(&text), &err);
    bool is = g && graph_infer(g, &err) && g->body.out[0]->dtype == DTYPE_F32;
    arena_done(&a);
    return is;
}

static void all_are_listed(void **state)
{
    (void)state;
    bool all = true;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const struct op_desc *d = op_desc((enum op)op);
        if (!(d->flags & OP_MAP) || d->min_in > 2 || is_listed((enum op)op) ||
            !is_of_floats((enum op)op))
            continue;
        print_error("%s has no row in tests/ir/functions.def\n", d->id);
        all = false;
    }
    assert_true(all);
}

int main(void)
{
    struct CMUnitTest tests[N_FUNCTIONS + 1] = {cmocka_unit_test(all_are_listed)};
    for (size_t i = 0; i < N_FUNCTIONS; i++) {
        struct CMUnitTest t = cmocka_unit_test(function_is_near);
        t.name = support_printf("%s%s", op_desc(FUNCTIONS[i].op)->id, FUNCTIONS[i].attrs);
        t.initial_state = (void *)(uintptr_t)&FUNCTIONS[i];
        tests[i + 1] = t;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/conformance/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/program.h"
#include "tests/device/cases.h"
#include "tests/support/assemble.h"
#include "tests/support/compiled.h"
#include "tests/support/cross.h"
#include "tests/support/support.h"

/* |got - want| <= absolute + relative * |want|, by the type of the output. */
struct tolerance {
    double absolute, relative;
};

static struct tolerance tolerance_of_type(enum dtype t)
{
    switch (t) {
    case DTYPE_F64:
        return (struct tolerance){1e-9, 1e-7};
    case DTYPE_F32:
        return (struct tolerance){1e-5, 1e-4};
    case DTYPE_F16:
        return (struct tolerance){1e-3, 2e-3};
    case DTYPE_BF16:
        return (struct tolerance){1e-2, 2e-2};
    default:
        return (struct tolerance){0, 0};
    }
}

/* Their results are recorded with four digits. */
static const char *const rough[] = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad",
    "test_gridsample_bicubic",
    "test_roialign_aligned_false",
    "test_roialign_aligned_true",
};

static struct tolerance tolerance_of(const char *vector, enum dtype t)
{
    struct tolerance tol = tolerance_of_type(t);
    for (size_t i = 0; i < sizeof rough / sizeof rough[0]; i++)
        if (!strcmp(vector, rough[i]))
            tol.relative = 1e-3;
    return tol;
}

/* ---- running and comparing ---- */

/* The buffer of an input or output of the model; -1 where there is none. */
static int find_buf(const struct program *p, const char *name, enum sheaf_role role)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_MUTABLE && p->bufs[i].role == role &&
            !strcmp(p->bufs[i].name, name))
            return (int)i;
    return -1;
}

static void set_inputs(struct vector *v, struct pipeline_run *run)
{
    for (size_t i = 0; i < v->in.n; i++) {
        int b = find_buf(run->program, v->in.v[i].name, SHEAF_ROLE_INPUT);
        if (b < 0)
            continue; /* became a constant */
        const struct tensor *t = v->in.v[i].t;
        assert_int_equal(t->dtype, run->program->bufs[b].dtype);
        assert_int_equal(tensor_bytes(t), run->program->bufs[b].bytes);
        memcpy(pipeline_run_data(run, b), t->data, (size_t)tensor_bytes(t));
    }
}

static bool is_right(const struct vector *v, const struct tensor *got, const struct tensor *want,
                     int64_t i, struct tolerance tol)
{
    if (v->is_drawn && (tensor_get(got, i) == 0 || tensor_get(want, i) == 0))
        return true;
    if (!dtype_is_float(want->dtype))
        return tensor_get_int(got, i) == tensor_get_int(want, i);
    return case_near(tensor_get(got, i), tensor_get(want, i), tol.absolute, tol.relative);
}

static void compare(struct vector *v, const char *how, const char *name, const struct tensor *got,
                    const struct tensor *want)
{
    assert_int_equal(got->dtype, want->dtype);
    struct shape gs = shape_of_dims(got->rank, got->dims);
    struct shape ws = shape_of_dims(want->rank, want->dims);
    if (!shape_equal(&gs, &ws))
        fail_msg("%s: '%s' has the shape %s where %s is right", how, name,
                 shape_print(&gs, &v->arena), shape_print(&ws, &v->arena));
    struct tolerance tol = tolerance_of(v->name, want->dtype);
    int64_t n_wrong = 0, n = tensor_elems(want), first = 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        if (!is_right(v, got, want, i, tol)) {
            n_wrong++;
            first = i;
        }
    }
    if (n_wrong)
        fail_msg("%s: %lld of %lld elements of '%s' are wrong; element %lld is %.9g where %.9g is "
                 "right",
                 how, (long long)n_wrong, (long long)n, name, (long long)first,
                 tensor_get(got, first), tensor_get(want, first));
}

/* Runs the program and compares all outputs; `how` it was made is for messages.  False: as of
   struct column. */
static bool check_run(struct vector *v, const char *how, struct pipeline_run *run)
{
    struct error err;
    error_init(&err);
    set_inputs(v, run);
    if (!pipeline_run_once(run, &err)) {
        if (cross_emulator_failed(run))
            return false;
        fail_msg("%s: %s", how, err.text);
    }
    for (size_t i = 0; i < v->out.n; i++) {
        int b = find_buf(run->program, v->out.v[i].name, SHEAF_ROLE_OUTPUT);
        if (b < 0)
            fail_msg("%s: there is no output '%s'", how, v->out.v[i].name);
        const struct pbuf *buf = &run->program->bufs[b];
        struct tensor got = {
            .dtype = buf->dtype, .rank = buf->rank, .data = pipeline_run_data(run, b)};
        pipeline_run_dims(run, b, got.dims);
        const struct field *want = &v->out.v[i];
        /* Results have room for more bytes than the strings that are recorded. */
        int64_t room = got.rank ? got.dims[got.rank - 1] : 0;
        bool fits = want->strings && room > want->t->dims[want->t->rank - 1];
        compare(v, how, buf->name, &got, fits ? vector_strings(v, want->t, room) : want->t);
    }
    return true;
}

static bool run_evaluated(struct vector *v, const struct column *column)
{
    struct error err;
    struct graph *g = vector_import(v, &v->arena, &err);
    struct program *p = g ? program_build(&v->arena, g, &err) : NULL;
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    struct pipeline_run run;
    if (!pipeline_run_open(&run, &v->arena, p, program_pack_constants(p, &v->arena), "net", NULL,
                           NULL, &err))
        fail_msg("%s", err.text);
    bool ran = check_run(v, column->how, &run);
    pipeline_run_close(&run);
    return ran;
}

/* c->arena and the model in it; the test fails where there is none. */
static struct graph *import(struct vector *v, const struct column *column, struct compiled *c)
{
    struct error err;
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    struct graph *g = vector_import(v, &c->arena, &err);
    if (!g)
        fail_msg("%s: %s", column->how, err.text);
    return g;
}

static void compile(struct vector *v, const struct column *column, struct compiled *c)
{
    struct error err;
    error_init(&err);
    struct graph *g = import(v, column, c);
    if (!compiled_open_graph(c, g, column->target, false, false, &err))
        fail_msg("%s: %s", column->how, err.text);
    assert_true(c->run.entry != NULL || c->run.device != NULL);
}

static void set_cores(struct compiled *c, const struct column *column, uint32_t n)
{
    struct error err;
    error_init(&err);
    if (!pipeline_run_set_cores(&c->run, n, &err))
        fail_msg("%s: %s", column->how, err.text);
}

static bool run_compiled(struct vector *v, const struct column *column)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    compile(v, column, &c);
    /* Cores share the run on memory that nobody wrote yet: what one leaves out shows. */
    if (c.target->device == SHEAF_DEVICE_VE) {
        set_cores(&c, column, 3);
        check_run(v, "simulated VE, three cores", &c.run);
        set_cores(&c, column, 1);
    }
    bool ran = check_run(v, column->how, &c.run);
    if (c.target->host && !assemble_takes(&c, &err))
        fail_msg("%s: %s", column->how, err.text);
    compiled_close(&c);
    return ran;
}

static bool run_crossed(struct vector *v, const struct column *column)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    struct graph *g = import(v, column, &c);
    if (!cross_open_graph(&c, g, cross_named(column->target), &err))
        fail_msg("%s: %s", column->how, err.text);
    bool ran = check_run(v, column->how, &c.run);
    compiled_close(&c);
    return ran;
}

const char *column_missing(const struct column *column)
{
    return column->run == run_crossed ? cross_missing(cross_named(column->target)) : NULL;
}

/* ---- cases for a device ---- */

const char *columns_cases(void)
{
    return getenv("SHEAF_CASES");
}

static void write_bundle(const struct vector *v, const struct compiled *c)
{
    const char *base = support_printf("%s/%s", columns_cases(), v->name);
    support_write_file(support_printf("%s.o", base), c->code.object.data, c->code.object.size);
    support_write_file(support_printf("%s.weights", base), c->weights.data,
                       (size_t)c->program->area_bytes[AREA_CONSTANT]);
    const char *link =
        support_printf("%s -shared '%s.o' -o '%s.so' && rm '%s.o'", support_cc(), base, base, base);
    assert_int_equal(support_run(link, NULL), 0);
}

static void write_case(struct vector *v, const struct program *p)
{
    FILE *file = fopen(support_printf("%s/networks.cases", columns_cases()), "ab");
    case_write(file, NULL, 0, "network %s", v->name);
    for (size_t i = 0; i < v->in.n; i++) {
        if (find_buf(p, v->in.v[i].name, SHEAF_ROLE_INPUT) < 0)
            continue;
        const struct tensor *t = v->in.v[i].t;
        case_write(file, t->data, (size_t)tensor_bytes(t), "in %s", v->in.v[i].name);
    }
    for (size_t i = 0; i < v->out.n; i++) {
        const struct tensor *t = v->out.v[i].t;
        int b = find_buf(p, v->out.v[i].name, SHEAF_ROLE_OUTPUT);
        if (v->out.v[i].strings && b >= 0)
            t = vector_strings(v, t, p->bufs[b].dims[p->bufs[b].rank - 1]);
        struct tolerance tol = tolerance_of(v->name, t->dtype);
        struct strbuf dims;
        strbuf_init(&dims, &v->arena);
        for (int d = 0; d < t->rank; d++)
            strbuf_printf(&dims, " %lld", (long long)t->dims[d]);
        case_write(file, t->data, (size_t)tensor_bytes(t), "out %s %d %g %g %d%s", v->out.v[i].name,
                   dtype_code(t->dtype), tol.absolute, tol.relative, t->rank, strbuf_text(&dims));
    }
    fclose(file);
}

static bool pack(struct vector *v, const struct column *column)
{
    struct compiled c;
    compile(v, column, &c);
    write_bundle(v, &c);
    write_case(v, c.program);
    compiled_close(&c);
    return true;
}

const struct column COLUMN_OF_CASES = {"packed", "nvidia", pack};

const struct column COLUMNS[N_COLUMNS] = {
    {"evaluated", NULL, run_evaluated},        {"compiled", "native", run_compiled},
    {"on ARM64", "cortex-a53", run_crossed},   {"on ARM64 v9", "neoverse-n2", run_crossed},
    {"on RISC-V", "riscv64", run_crossed},     {"on RISC-V with V", "sifive-p670", run_crossed},
    {"simulated GPU", "nvidia", run_compiled}, {"simulated VE", "ve", run_compiled},
};

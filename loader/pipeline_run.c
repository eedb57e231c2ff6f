#include "loader/pipeline_run.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "ir/eval.h"
#include "loader/device/device_run.h"
#include "loader/extern_library.h"

/* A run overwrites inputs among the activations; here they outlive it. */
static void keep_inputs(struct pipeline_run *run)
{
    const struct program *p = run->program;
    run->given = arena_array(run->arena, p->n_bufs, sizeof *run->given);
    for (size_t i = 0; i < p->n_bufs; i++)
        if (program_is_overlaid(&p->bufs[i]) && p->bufs[i].role == SHEAF_ROLE_INPUT)
            run->given[i] = arena_alloc(run->arena, (size_t)p->bufs[i].bytes);
}

bool pipeline_run_open(struct pipeline_run *run, struct arena *a, const struct program *p,
                       const uint8_t *constants, const char *entry, const struct bytes *object,
                       const char *library, struct error *err)
{
    *run = (struct pipeline_run){.arena = a, .program = p};
    for (int i = 0; i < AREA_COUNT; i++)
        run->area[i] = i == AREA_CONSTANT ? NULL : arena_alloc(a, (size_t)p->area_bytes[i]);
    /* Neither side writes to the constants. */
    run->area[AREA_CONSTANT] = arena_copy(a, constants, (size_t)p->area_bytes[AREA_CONSTANT]);
    keep_inputs(run);
    if (!extern_library_open(a, p, library, &run->functions, &run->library, err))
        return false;
    return !object || jit_open(object, entry, &run->functions, &run->jit, &run->entry, err);
}

void pipeline_run_close(struct pipeline_run *run)
{
    if (run->device)
        run->runs->close(run->device);
    run->device = NULL;
    jit_close(run->jit);
    run->jit = NULL;
    extern_library_close(run->library);
    run->library = NULL;
}

static void give_inputs(const struct pipeline_run *run)
{
    for (size_t i = 0; i < run->program->n_bufs; i++)
        if (run->given[i])
            memcpy(pipeline_run_data(run, (int)i), run->given[i],
                   (size_t)run->program->bufs[i].bytes);
}

void *pipeline_run_input(const struct pipeline_run *run, int buf)
{
    return run->given[buf] ? run->given[buf] : pipeline_run_data(run, buf);
}

/* ---- devices ---- */

bool pipeline_run_on_device(struct pipeline_run *run, enum sheaf_device device, const char *entry,
                            struct error *err)
{
    struct sheaf_linked linked = {
        .config = jit_data(run->jit, arena_printf(run->arena, "%s_config", entry)),
        .info = jit_data(run->jit, arena_printf(run->arena, "%s_info", entry)),
        .entry = run->entry,
    };
    struct sheaf_error failed;
    size_t bytes = (size_t)run->program->area_bytes[AREA_CONSTANT];
    run->entry = NULL;
    run->runs = device == SHEAF_DEVICE_VE ? &ve_device_runs : &gpu_device_runs;
    if (run->runs->open(&linked, run->area[AREA_CONSTANT], bytes, &run->device, &failed))
        return error_set(err, failed.status, "%s", failed.text);
    return true;
}

bool pipeline_run_set_cores(struct pipeline_run *run, uint32_t n, struct error *err)
{
    struct sheaf_error failed;
    return run->runs->set_cores(run->device, n, &failed) == SHEAF_OK ||
           error_set(err, failed.status, "%s", failed.text);
}

static bool run_on_device(struct pipeline_run *run, struct error *err)
{
    struct sheaf_error failed = {SHEAF_OK, ""};
    return run->runs->run(run->device, run->area, &failed) == SHEAF_OK ||
           error_set(err, failed.status, "%s", failed.text);
}

/* ---- running ---- */

bool pipeline_run_once(struct pipeline_run *run, struct error *err)
{
    give_inputs(run);
    if (run->device)
        return run_on_device(run, err);
    if (!run->entry) {
        struct eval_options opt = {.blas = true, .functions = &run->functions};
        eval_program(run->program, run->area[AREA_CONSTANT], run->area[AREA_MUTABLE],
                     run->area[AREA_ACTIVATION], &opt);
        return true;
    }
    int status =
        run->entry(run->area[AREA_CONSTANT], run->area[AREA_MUTABLE], run->area[AREA_ACTIVATION]);
    if (status != SHEAF_OK)
        return error_set(err, (enum sheaf_status)status, "the network returned status %d", status);
    return true;
}

void pipeline_run_reset(struct pipeline_run *run)
{
    for (size_t i = 0; i < run->program->n_bufs; i++) {
        const struct pbuf *b = &run->program->bufs[i];
        if (b->area == AREA_MUTABLE && b->role == SHEAF_ROLE_STATE)
            memset(pipeline_run_data(run, (int)i), 0, (size_t)b->bytes);
    }
}

void pipeline_run_step(struct pipeline_run *run, const char *entry, const struct step *s)
{
    const char *name = arena_printf(run->arena, "%s_step_%u", entry, s->id);
    sheaf_entry_fn step = jit_function(run->jit, name);
    assert(step);
    step(run->area[AREA_CONSTANT], run->area[AREA_MUTABLE], run->area[AREA_ACTIVATION]);
}

void *pipeline_run_data(const struct pipeline_run *run, int buf)
{
    const struct pbuf *b = &run->program->bufs[buf];
    return run->area[b->area] + b->offset;
}

void pipeline_run_dims(const struct pipeline_run *run, int buf, int64_t *out_dims)
{
    const struct pbuf *b = &run->program->bufs[buf];
    for (int d = 0; d < b->rank; d++) {
        out_dims[d] = b->dims[d];
        if (b->extent_buf[d] >= 0)
            memcpy(&out_dims[d], pipeline_run_data(run, b->extent_buf[d]), sizeof out_dims[d]);
    }
}

/* ---- verification ---- */

struct difference {
    double largest;      /* |got - want| */
    double largest_want; /* |want| */
    int64_t index[MAX_RANK];
    bool equal; /* to the bit, or both NaN */
};

static double element(const void *data, enum dtype t, int64_t at)
{
    struct tensor one = {.dtype = t, .rank = 1, .dims = {at + 1}, .data = data};
    return tensor_get(&one, at);
}

static void compare_tensor(const struct pbuf *b, const int64_t *dims, const void *got,
                           const void *want, struct difference *out)
{
    bool dynamic = memcmp(dims, b->dims, (size_t)b->rank * sizeof *dims) != 0;
    struct layout plain = layout_plain(b->rank);
    const struct layout *l = dynamic ? &plain : &b->layout;
    int64_t idx[MAX_RANK] = {0}, n = dims_elems(b->rank, dims);
    *out = (struct difference){.equal = true};
    for (int64_t i = 0; i < n; i++) {
        int64_t at = layout_offset(l, dims, idx);
        double g = element(got, b->dtype, at), w = element(want, b->dtype, at);
        bool same = g == w || (isnan(g) && isnan(w));
        double diff = same ? 0 : isfinite(g) && isfinite(w) ? fabs(g - w) : INFINITY;
        if (!same)
            out->equal = false;
        if (diff > out->largest) {
            out->largest = diff;
            memcpy(out->index, idx, sizeof idx);
        }
        if (isfinite(w) && fabs(w) > out->largest_want)
            out->largest_want = fabs(w);
        for (int d = b->rank - 1; d >= 0 && ++idx[d] == dims[d]; d--)
            idx[d] = 0;
    }
}

struct verify {
    const struct pipeline_run *got, *want;
    bool one_by_one;       /* each kernel is evaluated on what the code gave to it */
    uint32_t *last_writer; /* by buffer: the step that leaves it as the run does */
    struct strbuf *report;
    const char *first_step, *first_tensor;
    int first_rank;
    struct difference first;
    int n_steps, n_bad;
};

static bool is_no_float(const struct kernel *k, kval v, void *arg)
{
    (void)arg;
    enum dtype t = kernel_inst(k, v)->type;
    return t == DTYPE_NONE || !dtype_is_float(t);
}

/* Of the largest value: 16 bits and fewer may round what differs a little to neighbours. */
static double relative_tolerance(enum dtype t, bool tf32)
{
    if (dtype_is_coded(t))
        return ldexp(1, -dtype_format(t).mantissa);
    double rounds = t == DTYPE_F16 ? 0x1p-10 : t == DTYPE_BF16 ? 0x1p-7 : 1e-4;
    return tf32 ? fmax(rounds, 0x1p-9) : rounds;
}

/* What floats are quantized to may differ by a step, where they differ at all. */
static bool agrees(const struct kernel *k, const struct pbuf *b, const struct difference *d,
                   bool tf32)
{
    if (dtype_is_float(b->dtype) || dtype_is_coded(b->dtype))
        return d->largest <= relative_tolerance(b->dtype, tf32) * d->largest_want + 1e-6;
    return d->equal ||
           (b->quant.scale != 0 && d->largest <= 1 && !kernel_walk(k, is_no_float, NULL));
}

/* Evaluates the kernel: its inputs are the code's, but for state, which changes on the way. */
static void evaluate_step(struct verify *v, const struct step *s)
{
    const struct kernel *k = s->kernel;
    struct arena scratch;
    arena_init(&scratch);
    void **data = arena_array(&scratch, k->n_bufs, sizeof *data);
    for (size_t i = 0; i < k->n_bufs; i++) {
        bool state = v->got->program->bufs[s->args[i]].role == SHEAF_ROLE_STATE;
        bool from_code = k->bufs[i].role == KBUF_IN && !state;
        data[i] = pipeline_run_data(from_code ? v->got : v->want, s->args[i]);
    }
    eval_kernel(k, data, &scratch,
                &(struct eval_options){.blas = true, .functions = &v->got->functions});
    arena_done(&scratch);
}

static bool is_written(const struct step *s, size_t i)
{
    enum kbuf_role role = s->kernel->bufs[i].role;
    return role == KBUF_OUT || role == KBUF_INOUT;
}

static void note_writer(struct step *s, void *arg)
{
    struct verify *v = arg;
    for (size_t i = 0; s->kind == STEP_CALL && i < s->kernel->n_bufs; i++)
        if (is_written(s, i))
            v->last_writer[s->args[i]] = s->id;
}

static void verify_step(struct step *s, void *arg)
{
    struct verify *v = arg;
    if (s->kind != STEP_CALL)
        return;
    v->n_steps++;
    if (v->one_by_one)
        evaluate_step(v, s);
    for (size_t i = 0; i < s->kernel->n_bufs; i++) {
        int buf = s->args[i];
        if (!is_written(s, i) || v->last_writer[buf] != s->id)
            continue;
        const struct pbuf *b = &v->got->program->bufs[buf];
        int64_t dims[MAX_RANK], want_dims[MAX_RANK];
        pipeline_run_dims(v->got, buf, dims);
        pipeline_run_dims(v->want, buf, want_dims);
        struct difference d = {.largest = INFINITY};
        if (memcmp(dims, want_dims, (size_t)b->rank * sizeof *dims) == 0)
            compare_tensor(b, dims, pipeline_run_data(v->got, buf), pipeline_run_data(v->want, buf),
                           &d);
        bool good = agrees(s->kernel, b, &d, v->got->tf32);
        strbuf_printf(v->report, "%s %s%s -> %s: largest difference %.3g of %.3g\n",
                      good ? "ok  " : "BAD ", s->name, s->on_host ? " (on the host)" : "", b->name,
                      d.largest, d.largest_want);
        if (good)
            continue;
        if (v->n_bad++ == 0) {
            v->first_step = s->name;
            v->first_tensor = b->name;
            v->first_rank = b->rank;
            v->first = d;
        }
    }
}

bool pipeline_run_verify(struct pipeline_run *run, struct strbuf *report, struct error *err)
{
    struct pipeline_run want = *run;
    const struct program *p = run->program;
    want.area[AREA_MUTABLE] =
        arena_copy(run->arena, run->area[AREA_MUTABLE], (size_t)p->area_bytes[AREA_MUTABLE]);
    want.area[AREA_ACTIVATION] = arena_alloc(run->arena, (size_t)p->area_bytes[AREA_ACTIVATION]);
    want.entry = NULL;
    want.device = NULL;
    /* In branches and loops a buffer is written more than once: then the evaluator runs all by
       itself. */
    bool one_by_one = program_is_straight(p);
    if (!pipeline_run_once(run, err) || (!one_by_one && !pipeline_run_once(&want, err)))
        return false;
    struct verify v = {.got = run, .want = &want, .one_by_one = one_by_one, .report = report};
    v.last_writer = arena_array(run->arena, p->n_bufs, sizeof *v.last_writer);
    program_each_step(&p->body, note_writer, &v);
    program_each_step(&p->body, verify_step, &v);
    if (v.n_bad == 0) {
        strbuf_printf(report, "all %d kernels agree with the evaluator\n", v.n_steps);
        return true;
    }
    struct strbuf at;
    strbuf_init(&at, run->arena);
    for (int d = 0; d < v.first_rank; d++)
        strbuf_printf(&at, "%s%lld", d ? "," : "", (long long)v.first.index[d]);
    return error_set(err, SHEAF_ERROR_DIVERGED,
                     "node '%s' is the first that diverges from the evaluator: tensor '%s' differs "
                     "by %.3g at [%s], of largest value %.3g",
                     v.first_step, v.first_tensor, v.first.largest, strbuf_text(&at),
                     v.first.largest_want);
}

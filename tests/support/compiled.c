#include "tests/support/compiled.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/bundle.h"
#include "bundle/write/names.h"
#include "bundle/write/weights.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "gpu_runtime/codegen/gpu_target.h"
#include "ir/passes/passes.h"
#include "tests/support/simulator.h"
#include "ve_runtime/codegen/ve_target.h"

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The texts fill constants with one number; each element gets a factor of its own in [0.5, 1.5), so
   that a weight in the wrong place is seen. */
static void vary_constants(struct graph *g)
{
    uint64_t state = 7;
    for (size_t i = 0; i < g->n_values; i++) {
        struct value *v = g->values[i];
        if (v->role != VALUE_CONST || !dtype_is_float(v->dtype))
            continue;
        struct tensor *t = tensor_new(g->arena, v->dtype, v->shape.rank, v->shape.dims);
        for (int64_t k = 0, n = tensor_elems(t); k < n; k++)
            tensor_set(t, k,
                       tensor_get(v->constant, k) *
                           (0.5 + (double)(next(&state) >> 40) / (1 << 24)));
        v->constant = t;
    }
}

/* ---- targets ---- */

static const char SMALL[] = ",-Os", GPU[] = "nvidia", VE[] = "ve";

static bool is_gpu(const char *cpu)
{
    return !strncmp(cpu, GPU, strlen(GPU));
}

/* "ve" or "ve,CORES" */
static bool is_ve(const char *cpu)
{
    size_t n = strlen(VE);
    return !strncmp(cpu, VE, n) && (cpu[n] == 0 || cpu[n] == ',');
}

static uint32_t cores_of(const char *cpu)
{
    const char *comma = is_ve(cpu) ? strchr(cpu, ',') : NULL;
    return comma ? (uint32_t)strtoul(comma + 1, NULL, 10) : 1;
}

static bool gpu_target(struct arena *a, const char *gpu, const struct target **out_target,
                       struct error *err)
{
    static const struct {
        const char *name;
        enum target_f32_math math;
    } kinds[] = {{"nvidia", F32_EXACT}, {"nvidia,tf32", F32_TF32}, {"nvidia,tf32x3", F32_TF32X3}};
    struct cpu_target_options host = {.cpu = "native"};
    struct gpu_target_options opt = {0};
    size_t i = 0, n = sizeof kinds / sizeof kinds[0];
    while (i < n && strcmp(kinds[i].name, gpu) != 0)
        i++;
    assert_true(i < n);
    opt.f32_math = kinds[i].math;
    return cpu_target_create(a, &host, &opt.host, err) &&
           gpu_target_create(a, &opt, out_target, err);
}

static bool ve_target(struct arena *a, const struct target **out_target, struct error *err)
{
    const struct target *host;
    if (!cpu_target_create(a, &(struct cpu_target_options){.cpu = "native"}, &host, err))
        return false;
    *out_target = ve_target_create(a, host);
    return true;
}

bool compiled_target(struct arena *a, const char *cpu, const struct target **out_target,
                     struct error *err)
{
    if (is_gpu(cpu))
        return gpu_target(a, cpu, out_target, err);
    if (is_ve(cpu))
        return ve_target(a, out_target, err);
    size_t n = strcspn(cpu, ","), small = strlen(cpu) - strlen(SMALL);
    struct cpu_target_options opt = {.cpu = arena_strndup(a, cpu, n)};
    opt.optimize_size = strlen(cpu) > strlen(SMALL) && !strcmp(cpu + small, SMALL);
    size_t end = opt.optimize_size ? small : strlen(cpu);
    if (n < end)
        opt.features = arena_strndup(a, cpu + n + 1, end - n - 1);
    return cpu_target_create(a, &opt, out_target, err);
}

/* One entry of one part. */
static void request(struct compiled *c)
{
    c->part = (struct emit_part){c->program, c->target, c->schedules};
    c->entry = (struct emit_entry){.name = "net", .model = "net", .parts = &c->part, .n_parts = 1};
    c->request = (struct emit_request){.source = "net", .entries = &c->entry, .n_entries = 1};
    memcpy(c->request.weights_digest, c->weights.digest, sizeof c->weights.digest);
}

static void schedule(struct compiled *c)
{
    if (c->target->prepare_contract)
        program_prepare(c->program, c->target);
    if (c->target->launch_work)
        program_split_phases(c->program, c->target->launch_work);
    c->schedules = emit_schedule(&c->arena, c->program, c->target);
}

/* For c->target. */
static bool emit_graph(struct compiled *c, struct graph *g, bool keep_all, bool step_functions,
                       struct error *err)
{
    struct arena *a = &c->arena;
    c->graph = g;
    if (!graph_infer(g, err) || !passes_run(g, &(struct pass_options){.target = c->target}, err))
        return false;
    c->program = program_build(a, c->graph, err);
    if (!c->program)
        return false;
    schedule(c);
    plan_program(c->program, keep_all);
    if (!program_validate(c->program, err))
        return false;
    c->weights = weights_make(a, c->program);
    request(c);
    c->request.step_functions = step_functions;
    c->entry.symbols = names_symbols(a, &c->part, 1, &c->entry.n_symbols);
    return emit_object(a, &c->request, c->target->host != NULL, &c->code, err) &&
           bundle_check_object(&c->code.object, "net", err);
}

/* The code, ready to run: on this machine, or in the simulator of a device. */
static bool open_run(struct compiled *c, const char *cpu, struct error *err)
{
    bool on_ve = c->target->device == SHEAF_DEVICE_VE;
    if (c->target->host && !(on_ve ? simulator_open_ve() : simulator_open()))
        return error_set(err, SHEAF_ERROR_DEVICE, "there is no simulator");
    if (!pipeline_run_open(&c->run, &c->arena, c->program, c->weights.data, "net", &c->code.object,
                           NULL, err))
        return false;
    c->run.tf32 = c->target->f32_math == F32_TF32;
    return !c->target->host ||
           (pipeline_run_on_device(&c->run, c->target->device, "net", err) &&
            (cores_of(cpu) == 1 || pipeline_run_set_cores(&c->run, cores_of(cpu), err)));
}

bool compiled_open_graph(struct compiled *c, struct graph *g, const char *cpu, bool keep_all,
                         bool step_functions, struct error *err)
{
    return compiled_target(&c->arena, cpu, &c->target, err) &&
           emit_graph(c, g, keep_all, step_functions, err) && open_run(c, cpu, err);
}

bool compiled_emit_graph(struct compiled *c, struct graph *g, const struct cpu_target_options *opt,
                         struct error *err)
{
    return cpu_target_create(&c->arena, opt, &c->target, err) &&
           emit_graph(c, g, false, false, err) &&
           pipeline_run_open(&c->run, &c->arena, c->program, c->weights.data, "net", NULL, NULL,
                             err);
}

bool compiled_emit(struct compiled *c, const char *graph_text, const struct cpu_target_options *opt,
                   struct error *err)
{
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    struct graph *g = graph_parse(&c->arena, graph_text, err);
    return g && cpu_target_create(&c->arena, opt, &c->target, err) &&
           emit_graph(c, g, false, false, err);
}

bool compiled_open(struct compiled *c, const char *graph_text, const char *cpu, struct error *err)
{
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    struct graph *g = graph_parse(&c->arena, graph_text, err);
    if (!g)
        return false;
    vary_constants(g);
    return compiled_open_graph(c, g, cpu, true, false, err);
}

void compiled_must_open(struct compiled *c, const char *graph_text, const char *cpu)
{
    struct error err;
    error_init(&err);
    if (!compiled_open(c, graph_text, cpu, &err))
        fail_msg("%s", err.text);
}

/* ---- a kernel ---- */

static const struct tensor *random_content(struct arena *a, const struct kbuf *b, uint64_t *state)
{
    struct tensor *t = tensor_new(a, b->dtype, b->rank, b->dims);
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++) {
        uint64_t r = next(state);
        if (dtype_is_float(b->dtype) || dtype_is_coded(b->dtype))
            tensor_set(t, i, (double)(r >> 40) / (1 << 22) - 2.0);
        else
            tensor_set_int(t, i, (int64_t)(r >> 8));
    }
    return t;
}

static bool is_extent(const struct kernel *k, size_t buf)
{
    for (size_t i = 0; i < k->n_bufs; i++)
        for (int d = 0; d < k->bufs[i].rank; d++)
            if (k->bufs[i].extent_buf[d] == (int)buf)
                return true;
    return false;
}

/* A program of one call: what the kernel reads and writes are the client's tensors.  Extents lie
   among the activations, as a bundle has them. */
static struct program *program_of(struct arena *a, struct kernel *k)
{
    struct program *p = arena_new(a, struct program);
    struct step *s = arena_new(a, struct step);
    uint64_t state = 7;
    p->arena = a;
    p->name = k->name;
    s->name = k->name;
    s->kernel = k;
    s->args = arena_array(a, k->n_bufs, sizeof *s->args);
    s->cond = s->trip = s->index = -1;
    for (size_t i = 0; i < k->n_bufs; i++) {
        struct kbuf *kb = &k->bufs[i];
        if (kb->constant && !kb->constant->data)
            kb->constant = random_content(a, kb, &state);
        struct pbuf b = {.name = kb->name,
                         .dtype = kb->dtype,
                         .rank = kb->rank,
                         .layout = kb->layout,
                         .area = kb->constant ? AREA_CONSTANT : AREA_MUTABLE,
                         .role = kb->role == KBUF_OUT ? SHEAF_ROLE_OUTPUT : SHEAF_ROLE_INPUT,
                         .constant = kb->constant,
                         .view_of = -1};
        if (kb->role == KBUF_LOCAL || is_extent(k, i))
            b.area = AREA_ACTIVATION;
        if (kb->role == KBUF_LOCAL || kb->constant)
            b.role = SHEAF_ROLE_CONSTANT;
        memcpy(b.dims, kb->dims, sizeof b.dims);
        memcpy(b.extent_buf, kb->extent_buf, sizeof b.extent_buf);
        b.bytes = dtype_bytes(b.dtype, layout_elems(&b.layout, b.dims));
        s->args[i] = (int)i;
        ARENA_PUSH(a, p->bufs, p->n_bufs, p->cap_bufs) = b;
    }
    ARENA_PUSH(a, p->body.step, p->body.n, p->body.cap) = s;
    p->n_steps = 1;
    return p;
}

/* For c->target. */
static bool emit_kernel(struct compiled *c, struct kernel *k, struct error *err)
{
    struct arena *a = &c->arena;
    c->program = program_of(a, k);
    schedule(c);
    plan_program(c->program, true);
    c->weights = weights_make(a, c->program);
    request(c);
    if (c->target->host) /* tensors go to a device by their symbols */
        c->entry.symbols = names_symbols(a, &c->part, 1, &c->entry.n_symbols);
    return emit_object(a, &c->request, true, &c->code, err);
}

static struct kernel *parsed(struct compiled *c, const char *kernel_text, struct error *err)
{
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    struct kernel *k = kernel_parse(&c->arena, kernel_text, err);
    return k && kernel_validate(k, err) ? k : NULL;
}

bool compiled_open_kernel(struct compiled *c, const char *kernel_text, const char *cpu,
                          struct error *err)
{
    struct kernel *k = parsed(c, kernel_text, err);
    return k && compiled_target(&c->arena, cpu, &c->target, err) && emit_kernel(c, k, err) &&
           open_run(c, cpu, err);
}

bool compiled_emit_kernel(struct compiled *c, const char *kernel_text,
                          const struct cpu_target_options *opt, struct error *err)
{
    struct kernel *k = parsed(c, kernel_text, err);
    return k && cpu_target_create(&c->arena, opt, &c->target, err) && emit_kernel(c, k, err) &&
           pipeline_run_open(&c->run, &c->arena, c->program, c->weights.data, "net", NULL, NULL,
                             err);
}

void compiled_close(struct compiled *c)
{
    pipeline_run_close(&c->run);
    arena_done(&c->arena);
}

bool compiled_host_runs(const char *cpu)
{
    if (is_gpu(cpu))
        return simulator_open();
    if (is_ve(cpu))
        return simulator_open_ve();
    struct arena a;
    arena_init(&a);
    struct error err;
    error_init(&err);
    const struct target *h, *w;
    bool runs = compiled_target(&a, "native", &h, &err) && compiled_target(&a, cpu, &w, &err);
    for (const char *p = runs ? w->features : ""; *p;) {
        size_t n = strcspn(p, ",");
        runs = runs && target_lists(h->features, p + 1, n - 1);
        p += n + (p[n] == ',');
    }
    arena_done(&a);
    return runs;
}

const char *compiled_schedules(struct compiled *c)
{
    struct strbuf text;
    strbuf_init(&text, &c->arena);
    emit_schedules_print(c->schedules, &text);
    return strbuf_text(&text);
}

void compiled_expect_schedule(const char *kernel_text, const char *cpu, const char *words)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    bool ok = compiled_open_kernel(&c, kernel_text, cpu, &err);
    const char *got = ok ? compiled_schedules(&c) : err.text;
    bool found = ok && strstr(got, words);
    if (!found)
        print_error("%s: '%s' is not in:\n%s", cpu, words, got);
    compiled_close(&c);
    assert_true(found);
}

void *compiled_input(struct compiled *c, size_t i)
{
    return pipeline_run_data(&c->run, program_find_value(c->program, c->graph->body.in[i]));
}

void *compiled_output(struct compiled *c, size_t i)
{
    return pipeline_run_data(&c->run, program_find_value(c->program, c->graph->body.out[i]));
}

static double edge_float(uint64_t r)
{
    static const double EDGES[] = {0.0,   -0.0,  1.0,      -1.0, 0.5,       -0.5,    1e-40,
                                   NAN,   2.5,   INFINITY, 88.0, -INFINITY, -104.25, 3e38,
                                   -3e38, 1e-45, 1e9,      -1e9, 0x1p-126,  -2.5,    255.5};
    return EDGES[r % (sizeof EDGES / sizeof EDGES[0])];
}

static void fill_tensor(struct tensor *t, enum compiled_fill kind, uint64_t *state)
{
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++) {
        uint64_t r = next(state);
        if (t->dtype == DTYPE_BOOL)
            tensor_set_int(t, i, r & 1);
        else if (dtype_is_float(t->dtype) || dtype_is_coded(t->dtype))
            tensor_set(t, i,
                       kind == COMPILED_EDGES && r % 3 ? edge_float(r >> 8)
                                                       : (double)(r >> 40) / (1 << 22) - 2.0);
        else if (kind == COMPILED_EDGES && r % 3)
            tensor_set_int(t, i, r % 2 ? dtype_int_min(t->dtype) : dtype_int_max(t->dtype));
        else
            tensor_set_int(t, i, (int64_t)(r % 21) - (dtype_int_min(t->dtype) < 0 ? 10 : 0));
    }
}

/* Activations start as rubbish (NaN, as floats): code may not even multiply it by zero.  Not where
   steps may be left out, for what they would have written is compared all the same. */
static void spoil_activations(struct compiled *c)
{
    for (size_t i = 0; i < c->program->body.n; i++)
        if (c->program->body.step[i]->kind != STEP_CALL)
            return;
    memset(c->run.area[AREA_ACTIVATION], 0xff, (size_t)c->program->area_bytes[AREA_ACTIVATION]);
}

static void fill_buffer(struct compiled *c, int buf, enum compiled_fill kind, uint64_t *state)
{
    const struct pbuf *b = &c->program->bufs[buf];
    /* What a blocked layout adds is filled as well: it may hold anything. */
    struct tensor t = {.dtype = b->dtype, .rank = 1, .dims = {layout_elems(&b->layout, b->dims)}};
    t.data = pipeline_run_input(&c->run, buf);
    fill_tensor(&t, kind, state);
}

void compiled_fill(struct compiled *c, enum compiled_fill kind, uint64_t seed)
{
    spoil_activations(c);
    for (size_t i = 0; c->graph && i < c->graph->body.n_in; i++)
        fill_buffer(c, program_find_value(c->program, c->graph->body.in[i]), kind, &seed);
    for (size_t i = 0; !c->graph && i < c->program->n_bufs; i++)
        if (c->program->bufs[i].role == SHEAF_ROLE_INPUT)
            fill_buffer(c, (int)i, kind, &seed);
}

bool compiled_all_equal(struct strbuf *report, struct error *err)
{
    static const char START[] = "largest difference ";
    for (const char *p = strbuf_text(report); (p = strstr(p, START)) != NULL;) {
        p += sizeof START - 1;
        if (strncmp(p, "0 ", 2) != 0)
            return error_set(err, SHEAF_ERROR_DIVERGED, "results differ:\n%s", strbuf_text(report));
    }
    return true;
}

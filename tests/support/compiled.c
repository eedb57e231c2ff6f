#include "tests/support/compiled.h"

#include <math.h>
#include <string.h>

#include "bundle/write/bundle.h"
#include "bundle/write/names.h"
#include "bundle/write/weights.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "ir/passes/passes.h"

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

bool compiled_open_graph(struct compiled *c, struct graph *g, const char *cpu, bool keep_all,
                         bool step_functions, struct error *err)
{
    struct arena *a = &c->arena;
    struct cpu_target_options opt = {.cpu = cpu};
    c->graph = g;
    if (!cpu_target_create(a, &opt, &c->target, err) || !graph_infer(g, err) ||
        !passes_run(g, c->target, err))
        return false;
    c->program = program_build(a, c->graph, err);
    if (!c->program)
        return false;
    c->schedules = emit_schedule(a, c->program, c->target);
    plan_program(c->program, keep_all);
    if (!program_validate(c->program, err))
        return false;
    c->weights = weights_make(a, c->program);
    struct emit_request *req = &c->request;
    *req = (struct emit_request){.program = c->program,
                                 .target = c->target,
                                 .entry = "net",
                                 .source = "net",
                                 .step_functions = step_functions};
    req->symbols = names_symbols(a, c->program, &req->n_symbols);
    memcpy(req->weights_digest, c->weights.digest, sizeof c->weights.digest);
    return emit_object(a, req, c->schedules, false, &c->code, err) &&
           bundle_check_object(&c->code.object, "net", err) &&
           pipeline_run_open(&c->run, a, c->program, c->weights.data, "net", &c->code.object, err);
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

void compiled_close(struct compiled *c)
{
    pipeline_run_close(&c->run);
    arena_done(&c->arena);
}

bool compiled_host_runs(const char *cpu)
{
    struct arena a;
    arena_init(&a);
    struct error err;
    error_init(&err);
    struct cpu_target_options host = {.cpu = "native"}, want = {.cpu = cpu};
    const struct target *h, *w;
    bool runs = cpu_target_create(&a, &host, &h, &err) && cpu_target_create(&a, &want, &w, &err);
    for (const char *p = runs ? w->features : ""; *p;) {
        size_t n = strcspn(p, ",");
        runs = runs && target_lists(h->features, p + 1, n - 1);
        p += n + (p[n] == ',');
    }
    arena_done(&a);
    return runs;
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
        else if (dtype_is_float(t->dtype))
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

void compiled_fill(struct compiled *c, enum compiled_fill kind, uint64_t seed)
{
    spoil_activations(c);
    for (size_t i = 0; i < c->graph->body.n_in; i++) {
        const struct value *v = c->graph->body.in[i];
        struct tensor t = {.dtype = v->dtype, .rank = v->shape.rank};
        memcpy(t.dims, v->shape.dims, sizeof t.dims);
        t.data = compiled_input(c, i);
        fill_tensor(&t, kind, &seed);
    }
}

/*
 * ve_layers MODEL [CORES...]: where the time of a network goes on the Vector Engine, as the
 * simulator's model estimates it (tests/sim/ve_time.c): nothing is measured.  For each layer, and
 * once more for each number of cores [1 8]: cycles of the core that takes longest, the part of the
 * peak that its multiply-adds reach (192 per cycle and core: floats in pairs), and the part of its
 * time in which some vector pipe is busy.  A layer is what became of one node of the graph or of
 * several that were joined, kernels that lay its operands out included; its multiply-adds are those
 * of the graph.  One row stands for all layers that run the same kernels.  Then the network, from
 * the beginning of its call to its end.
 */
#define _POSIX_C_SOURCE 200809L

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "loader/device/device_run.h"
#include "tests/bench/network.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

enum { MAX_RUNS = 8, NAME_CHARS = 48 };
static const double PEAK = 192; /* multiply-adds per cycle and core */

/* What the simulator says of a function, or of all. */
struct figures {
    double calls, cycles, longest, vector;
};

/* A function, with all its calls. */
struct emitted {
    size_t n_steps; /* that call it */
    struct figures figures[MAX_RUNS];
};

struct layer {
    const char *name;
    size_t n_nodes;
    double multiply_adds; /* of all nodes, once */
    size_t *kernel, n_kernels, cap_kernels;
};

struct report {
    struct compiled *c;
    struct emitted *kernel; /* by distinct kernel */
    size_t n_kernels;
    struct layer *layer;
    size_t n, cap;
    uint32_t cores[MAX_RUNS];
    size_t n_runs;
    struct figures all[MAX_RUNS];
};

/* ---- runs ---- */

static void close_device(struct compiled *c)
{
    c->run.runs->close(c->run.device);
    c->run.device = NULL;
}

/* One run on so many cores, in a process of its own, for which the simulator writes a file. */
static bool run_once(struct compiled *c, uint32_t n_cores, struct error *err)
{
    c->run.entry = jit_function(c->run.jit, "net");
    bool ok = pipeline_run_on_device(&c->run, c->target->device, "net", err) &&
              pipeline_run_set_cores(&c->run, n_cores, err);
    pipeline_run_reset(&c->run);
    ok = ok && pipeline_run_once(&c->run, err);
    close_device(c);
    return ok;
}

/* Kernels are numbered as they are emitted, without those of the host. */
static void read_row(struct report *r, size_t run, const char *name, const struct figures *f)
{
    unsigned number;
    if (!strcmp(name, "all"))
        r->all[run] = *f;
    if (sscanf(name, "k%u_", &number) != 1)
        return;
    size_t i = 0;
    for (; i < r->n_kernels && (number > 0 || r->c->schedules->kernel[i].on_host); i++)
        number -= !r->c->schedules->kernel[i].on_host;
    if (i < r->n_kernels)
        r->kernel[i].figures[run] = *f;
}

static bool read_figures(struct report *r, size_t run, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512], name[128];
    struct figures f;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%127s %lf %lf %lf %lf", name, &f.calls, &f.cycles, &f.longest,
                   &f.vector) == 5)
            read_row(r, run, name, &f);
    if (file)
        fclose(file);
    return file && r->all[run].cycles > 0;
}

/* ---- layers ---- */

static struct layer *find_layer(struct report *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->layer[i].name, name))
            return &r->layer[i];
    struct layer *l = &ARENA_PUSH(&r->c->arena, r->layer, r->n, r->cap);
    *l = (struct layer){.name = name, .n_nodes = 1};
    return l;
}

static void add_step(struct step *s, void *arg)
{
    struct report *r = arg;
    if (s->kind != STEP_CALL)
        return;
    struct layer *l = find_layer(r, s->name);
    size_t kernel = r->c->schedules->of_step[s->id];
    r->kernel[kernel].n_steps++;
    ARENA_PUSH(&r->c->arena, l->kernel, l->n_kernels, l->cap_kernels) = kernel;
}

static void add_work(struct step *s, void *arg)
{
    if (s->kind == STEP_CALL)
        find_layer(arg, s->name)->multiply_adds += network_multiply_adds(s->kernel);
}

/* Those that run the same kernels become one. */
static void join_layers(struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct layer *l = &r->layer[i];
        size_t k = 0;
        while (k < n && (r->layer[k].n_kernels != l->n_kernels ||
                         memcmp(r->layer[k].kernel, l->kernel, l->n_kernels * sizeof *l->kernel)))
            k++;
        if (k == n) {
            r->layer[n++] = *l;
            continue;
        }
        r->layer[k].n_nodes += l->n_nodes;
        r->layer[k].multiply_adds += l->multiply_adds;
    }
    r->n = n;
}

/* The work is that of the program before the target had a say in it. */
static bool list_layers(struct report *r, struct error *err)
{
    struct compiled *c = r->c;
    r->n_kernels = c->schedules->n;
    r->kernel = arena_array(&c->arena, r->n_kernels, sizeof *r->kernel);
    program_each_step(&c->program->body, add_step, r);
    struct program *plain = program_build(&c->arena, c->graph, err);
    if (!plain)
        return false;
    program_each_step(&plain->body, add_work, r);
    join_layers(r);
    return true;
}

static void add(struct figures *sum, const struct figures *f, double share)
{
    sum->calls += share * f->calls;
    sum->cycles += share * f->cycles;
    sum->longest += share * f->longest;
    sum->vector += share * f->vector;
}

/* Steps that call a kernel do it equally often, and for the same time. */
static struct figures figures_of(const struct report *r, const struct layer *l, size_t run)
{
    struct figures sum = {0, 0, 0, 0};
    for (size_t i = 0; i < l->n_kernels; i++) {
        const struct emitted *k = &r->kernel[l->kernel[i]];
        add(&sum, &k->figures[run], (double)l->n_nodes / (double)k->n_steps);
    }
    return sum;
}

/* In a loop a layer runs several times. */
static double work_of(const struct report *r, const struct layer *l)
{
    assert(l->n_kernels > 0);
    const struct emitted *k = &r->kernel[l->kernel[0]];
    return l->multiply_adds * k->figures[0].calls / r->cores[0] / (double)k->n_steps;
}

/* ---- the table ---- */

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void print_head(const struct report *r)
{
    printf("Estimated by the simulator's model, not measured.\n\n"
           "| layer | times | million multiply-adds |");
    for (size_t i = 0; i < r->n_runs; i++)
        printf(" cycles on %u core%s | of peak | vectors |", (unsigned)r->cores[i],
               r->cores[i] == 1 ? "" : "s");
    printf("\n|---|---|---|");
    for (size_t i = 0; i < r->n_runs; i++)
        printf("---|---|---|");
    printf("\n");
}

static void print_cells(double multiply_adds, uint32_t n_cores, const struct figures *f)
{
    printf(" %.0f | ", f->longest);
    if (multiply_adds > 0)
        printf("%.1f%%", percent(multiply_adds, PEAK * n_cores * f->longest));
    printf(" | %.1f%% |", percent(f->vector, f->cycles));
}

static void print_row(const struct report *r, const char *name, size_t n_nodes, double work,
                      const struct figures *f)
{
    printf("| %.*s | %zu | %.2f |", NAME_CHARS, name, n_nodes, work * 1e-6);
    for (size_t i = 0; i < r->n_runs; i++)
        print_cells(work, r->cores[i], &f[i]);
    printf("\n");
}

static void print_layer(const struct report *r, const struct layer *l)
{
    struct figures f[MAX_RUNS];
    for (size_t i = 0; i < r->n_runs; i++)
        f[i] = figures_of(r, l, i);
    print_row(r, l->name, l->n_nodes, work_of(r, l), f);
}

/* Sums of all layers, or of those that multiply matrices and convolve.  Returns their work. */
static double print_sum(const struct report *r, const char *name, bool products_only)
{
    struct figures sum[MAX_RUNS] = {{0}};
    size_t n_nodes = 0;
    double work = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct layer *l = &r->layer[i];
        if (products_only && l->multiply_adds == 0)
            continue;
        n_nodes += l->n_nodes;
        work += work_of(r, l);
        for (size_t k = 0; k < r->n_runs; k++) {
            struct figures f = figures_of(r, l, k);
            add(&sum[k], &f, 1);
        }
    }
    print_row(r, name, n_nodes, work, sum);
    return work;
}

static void print_report(const struct report *r)
{
    print_head(r);
    for (size_t i = 0; i < r->n; i++)
        print_layer(r, &r->layer[i]);
    print_sum(r, "convolutions and products of matrices", true);
    double work = print_sum(r, "all layers", false);
    printf("\n| cores | cycles of a run | at 1.4 GHz | at 1.6 GHz | of peak | vectors |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct figures *f = &r->all[i];
        printf("| %u | %.0f | %.3f ms | %.3f ms | %.1f%% | %.1f%% |\n", (unsigned)r->cores[i],
               f->longest, f->longest / 1.4e6, f->longest / 1.6e6,
               percent(work, PEAK * r->cores[i] * f->longest), percent(f->vector, f->cycles));
    }
}

/* ---- */

static bool compile(struct compiled *c, const char *model, struct error *err)
{
    struct graph *g = network_import(&c->arena, model, err);
    if (!g || !compiled_open_graph(c, g, "ve", false, false, err))
        return false;
    compiled_fill(c, COMPILED_RANDOM, 1);
    close_device(c);
    return true;
}

/* Every number of cores must give the same. */
static bool run_all(struct report *r, struct error *err)
{
    const struct compiled *c = r->c;
    const char *path = support_printf("%s/figures", support_tmp());
    size_t n_bytes = (size_t)c->program->area_bytes[AREA_MUTABLE];
    uint8_t *first = NULL;
    setenv("SHEAF_SIM_VE_STATS", path, 1);
    setenv("SHEAF_SIM_VE_UNFAIR", "0", 1); /* it would wrong the time */
    for (size_t i = 0; i < r->n_runs; i++) {
        remove(path);
        if (!run_once(r->c, r->cores[i], err))
            return false;
        if (!read_figures(r, i, path))
            return error_set(err, SHEAF_ERROR_IO, "%s: the simulator wrote no figures", path);
        if (!first)
            first = arena_copy(&r->c->arena, c->run.area[AREA_MUTABLE], n_bytes);
        if (memcmp(first, c->run.area[AREA_MUTABLE], n_bytes) != 0)
            return error_set(err, SHEAF_ERROR_DIVERGED, "%u cores give other results than %u",
                             (unsigned)r->cores[i], (unsigned)r->cores[0]);
    }
    remove(path);
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 2 + MAX_RUNS) {
        fprintf(stderr, "usage: ve_layers MODEL [CORES...]\n");
        return 1;
    }
    struct compiled c;
    struct error err;
    struct report r = {.c = &c, .cores = {1, 8}, .n_runs = 2};
    for (int i = 2; i < argc; i++)
        r.cores[i - 2] = (uint32_t)strtoul(argv[i], NULL, 10);
    r.n_runs = argc > 2 ? (size_t)argc - 2 : r.n_runs;
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    error_init(&err);
    bool ok = compile(&c, argv[1], &err) && list_layers(&r, &err) && run_all(&r, &err);
    if (ok)
        print_report(&r);
    else
        fprintf(stderr, "error: %s\n", err.text);
    compiled_close(&c);
    return !ok;
}

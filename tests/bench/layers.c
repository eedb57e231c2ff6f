/*
 * layers MODEL [ROUNDS [CPU [PROFILE]]]: times every kernel of a network on one core and relates
 * contractions to the peak that a register-only loop reaches in the same run.  Peak bursts and
 * kernels are interleaved: each round times the burst, then every kernel once.  Minima over the
 * rounds are reported (and the sum of minima), with the median of the burst beside its maximum, so
 * that a disturbed machine shows.
 *
 * CPU is "native", or "native,-amx-tile" and the like; exit status 77 where this machine does not
 * run its code.  With a PROFILE the network is quantized to
 * 8 bits after it, and the peak is that of products of bytes, in tiles where the processor has
 * them.
 *
 * The layers run in network order, each with its own weights, so weights are as cold as they are in
 * a real run.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ir/passes/passes.h"
#include "ir/quantize/quantize.h"
#include "loader/profile/profile_file.h"
#include "tests/bench/network.h"
#include "tests/bench/peak.h"
#include "tests/support/compiled.h"

struct layer {
    const struct step *step;
    sheaf_entry_fn run;
    double gop;     /* of its contractions, padding counted as work */
    double best_ms; /* over the rounds */
};

struct layers {
    struct compiled *c;
    struct layer *layer;
    size_t n, cap;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void add_layer(struct step *s, void *arg)
{
    struct layers *l = arg;
    if (s->kind != STEP_CALL)
        return;
    char name[64];
    snprintf(name, sizeof name, "net_step_%u", s->id);
    struct layer layer = {.step = s, .best_ms = 1e9};
    layer.run = jit_function(l->c->run.jit, name);
    layer.gop = 2e-9 * network_multiply_adds(s->kernel);
    ARENA_PUSH(&l->c->arena, l->layer, l->n, l->cap) = layer;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const struct layers *l, enum peak yardstick, double *peak, int rounds)
{
    qsort(peak, (size_t)rounds, sizeof *peak, by_value);
    double best = peak[rounds - 1];
    printf("peak of %s, registers only: %.1f Gop/s (median %.1f)\n", peak_name(yardstick), best,
           peak[rounds / 2]);
    printf("%-48s %9s %9s %9s %7s\n", "kernel", "Mop", "us", "Gop/s", "% peak");
    double ms = 0, gop = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct layer *y = &l->layer[i];
        ms += y->best_ms;
        gop += y->gop;
        printf("%-48.48s %9.2f %9.1f", y->step->name, y->gop * 1e3, y->best_ms * 1e3);
        if (y->gop > 0)
            printf(" %9.1f %7.1f", y->gop / y->best_ms * 1e3,
                   y->gop / y->best_ms * 1e3 / best * 100);
        printf("\n");
    }
    printf("sum of minima: %.3f ms, %.1f Gop/s, %.1f%% of peak\n", ms, gop / ms * 1e3,
           gop / ms * 1e3 / best * 100);
}

static bool quantize(struct arena *a, struct graph *g, const char *model, const char *profile_path,
                     struct error *err)
{
    struct profile_identity identity = profile_identity_of(g);
    struct quantize_options how = {.calibration = {.type = DTYPE_I8},
                                   .weights = DTYPE_I8,
                                   .bias = DTYPE_I32,
                                   .per_channel = true,
                                   .per_row = true};
    struct quantize_report ignored = {0};
    struct profile *profile;
    return graph_infer(g, err) &&
           passes_run_stage(g, PASSES_CLEAN, &(struct pass_options){0}, err) &&
           profile_load(a, &profile_path, 1, &identity, model, &profile, err) &&
           quantize_graph(g, profile, &how, &ignored, err);
}

static enum peak yardstick_of(const struct target *t, bool quantized)
{
    if (quantized && target_has(t, "amx-int8"))
        return PEAK_TILE;
    return quantized && target_has(t, "avx512vnni") ? PEAK_DOT : PEAK_FLOAT;
}

static void measure(struct layers *l, enum peak yardstick, double *peak, int rounds)
{
    for (int r = 0; r < rounds; r++) {
        peak[r] = peak_gops(yardstick);
        for (size_t i = 0; i < l->n; i++) {
            uint8_t **area = l->c->run.area;
            double start = now_ms();
            l->layer[i].run(area[AREA_CONSTANT], area[AREA_MUTABLE], area[AREA_ACTIVATION]);
            double ms = now_ms() - start;
            if (ms < l->layer[i].best_ms)
                l->layer[i].best_ms = ms;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: layers MODEL [ROUNDS [CPU [PROFILE]]]\n");
        return 1;
    }
    int rounds = argc > 2 ? atoi(argv[2]) : 30;
    const char *path = argv[1], *cpu = argc > 3 ? argv[3] : "native";
    const char *profile = argc > 4 ? argv[4] : NULL;
    if (!compiled_host_runs(cpu)) {
        printf("skipped: this machine does not run code for %s\n", cpu);
        return 77;
    }
    struct compiled c;
    struct error err;
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    error_init(&err);
    struct graph *g = network_import(&c.arena, path, &err);
    if (!g || (profile && !quantize(&c.arena, g, path, profile, &err)) ||
        !compiled_open_graph(&c, g, cpu, false, true, &err)) {
        fprintf(stderr, "error: %s\n", err.text);
        return 1;
    }
    compiled_fill(&c, COMPILED_RANDOM, 1);
    struct layers l = {.c = &c};
    program_each_step(&c.program->body, add_layer, &l);
    double *peak = arena_array(&c.arena, (size_t)rounds, sizeof *peak);
    enum peak yardstick = yardstick_of(c.target, profile != NULL);
    measure(&l, yardstick, peak, rounds);
    report(&l, yardstick, peak, rounds);
    compiled_close(&c);
    return 0;
}

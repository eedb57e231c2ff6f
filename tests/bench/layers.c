/*
 * layers MODEL [ROUNDS]: times every kernel of a network on one core and relates contractions to
 * the multiply-add peak that a register-only loop reaches in the same run.  Peak bursts and kernels
 * are interleaved: each round times the burst, then every kernel once.  Minima over the rounds are
 * reported (and the sum of minima), with the median of the burst beside its maximum, so that a
 * disturbed machine shows.
 *
 * The layers run in network order, each with its own weights, so weights are as cold as they are in
 * a real run.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/import/import.h"
#include "tests/bench/peak.h"
#include "tests/support/compiled.h"

struct layer {
    const struct step *step;
    sheaf_entry_fn run;
    double gflop;   /* of its contractions, padding counted as work */
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

static bool add_flop(const struct kernel *k, kval v, void *arg)
{
    const struct kinst *in = kernel_inst(k, v);
    if (in->op != KOP_CONTRACT)
        return true;
    double flop = 2;
    for (int i = 0; i < in->region->n_dims; i++) {
        int64_t n = 0;
        kernel_is_const_int(k, in->region->extent[i], &n);
        flop *= (double)n;
    }
    *(double *)arg += flop * 1e-9;
    return true;
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
    kernel_walk(s->kernel, add_flop, &layer.gflop);
    ARENA_PUSH(&l->c->arena, l->layer, l->n, l->cap) = layer;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const struct layers *l, double *peak, int rounds)
{
    qsort(peak, (size_t)rounds, sizeof *peak, by_value);
    double best = peak[rounds - 1];
    printf("multiply-add peak, registers only: %.1f GFLOP/s (median %.1f)\n", best,
           peak[rounds / 2]);
    printf("%-48s %9s %9s %9s %7s\n", "kernel", "MFLOP", "us", "GFLOP/s", "% peak");
    double ms = 0, gflop = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct layer *y = &l->layer[i];
        ms += y->best_ms;
        gflop += y->gflop;
        printf("%-48.48s %9.2f %9.1f", y->step->name, y->gflop * 1e3, y->best_ms * 1e3);
        if (y->gflop > 0)
            printf(" %9.1f %7.1f", y->gflop / y->best_ms * 1e3,
                   y->gflop / y->best_ms * 1e3 / best * 100);
        printf("\n");
    }
    printf("sum of minima: %.3f ms, %.1f GFLOP/s, %.1f%% of peak\n", ms, gflop / ms * 1e3,
           gflop / ms * 1e3 / best * 100);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: layers MODEL [ROUNDS]\n");
        return 1;
    }
    int rounds = argc > 2 ? atoi(argv[2]) : 30;
    struct compiled c;
    struct error err;
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    error_init(&err);
    const char *path = argv[1];
    struct import_options opt = {
        .paths = &path, .n_paths = 1, .image_height = 224, .image_width = 224};
    struct graph *g = import_model(&c.arena, &opt, NULL, &err);
    if (!g || !compiled_open_graph(&c, g, "native", false, true, &err)) {
        fprintf(stderr, "error: %s\n", err.text);
        return 1;
    }
    compiled_fill(&c, COMPILED_RANDOM, 1);
    struct layers l = {.c = &c};
    program_each_step(&c.program->body, add_layer, &l);
    double *peak = arena_array(&c.arena, (size_t)rounds, sizeof *peak);
    for (int r = 0; r < rounds; r++) {
        peak[r] = peak_gflops();
        for (size_t i = 0; i < l.n; i++) {
            double start = now_ms();
            l.layer[i].run(c.run.area[AREA_CONSTANT], c.run.area[AREA_MUTABLE],
                           c.run.area[AREA_ACTIVATION]);
            double ms = now_ms() - start;
            if (ms < l.layer[i].best_ms)
                l.layer[i].best_ms = ms;
        }
    }
    report(&l, peak, rounds);
    compiled_close(&c);
    return 0;
}

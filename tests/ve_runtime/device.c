/*
 * device.c: what a machine with a Vector Engine runs (docs/ve.md): the small bundle of the tests
 * with whatever libveo.so.1 the dynamic loader finds.  Prints a line for each thing that was tried.
 */
#include "tests/ve_runtime/ve_bundles.h"

#include <stdio.h>
#include <time.h>

static int n_failed;

static void report(const char *what, const char *wrong)
{
    printf("%s %s%s%s\n", wrong ? "failed" : "ok", what, wrong ? ": " : "", wrong ? wrong : "");
    n_failed += wrong != NULL;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* NULL or what is wrong, which holds until the next call. */
static const char *run_once(sheaf_bundle *b, int seed, int64_t n)
{
    static struct sheaf_error error;
    struct sheaf_tensor_desc x, items;
    if (sheaf_tensor(b, "x", &x, &error) || sheaf_tensor(b, "n", &items, &error))
        return error.text;
    for (int i = 0; i < N_ELEMS; i++)
        ((float *)x.data)[i] = (float)((i * 5 + seed) % 11);
    memcpy(items.data, &n, sizeof n);
    return sheaf_run(b, &error) ? error.text : look(b, seed, n);
}

static void try_cores(sheaf_bundle *b)
{
    enum { RUNS = 200 };
    for (uint32_t n = 1; n <= 8; n *= 2) {
        struct sheaf_error error;
        const char *wrong = sheaf_ve_set_cores(b, n, &error) ? error.text : NULL;
        double start = now_ms();
        for (int i = 0; i < RUNS && !wrong; i++)
            wrong = run_once(b, i, i % N_ELEMS + 1);
        report(support_printf("%d runs on %u cores, %.3f ms each", RUNS, (unsigned)n,
                              (now_ms() - start) / RUNS),
               wrong);
    }
}

static void try_contexts(const sheaf_bundle *b)
{
    enum { N = 10 }; /* more than a small card has cores */
    struct sheaf_error error;
    sheaf_bundle *more[N] = {NULL};
    const char *wrong = NULL;
    for (int i = 0; i < N && !wrong; i++) {
        wrong = sheaf_attach(b, &more[i], &error) ? error.text : NULL;
        for (int k = 0; k <= i && !wrong; k++)
            wrong = run_once(more[k], i + k, k + 1);
    }
    for (int i = 0; i < N; i++)
        sheaf_close(more[i]);
    report("ten contexts in turn", wrong);
}

static void try_exception(sheaf_bundle *b)
{
    const char *wrong = run_once(b, 1, 1000);
    printf("   what an exception is called: %s\n", wrong ? wrong : "nothing");
    report("a read of address 4096 ends the process",
           wrong && strstr(wrong, "has ended") ? NULL : "it does not");
    wrong = run_once(b, 1, 1);
    report("and the next run says so",
           wrong && strstr(wrong, "earlier failure") ? NULL : "it does not");
}

int main(void)
{
    static struct toy t;
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    make_code();
    for (int round = 0; round < 2; round++) {
        enum sheaf_status status = try_toy(make_toy(&t), &b, &error);
        report("the bundle is opened", status ? error.text : NULL);
        if (status)
            return 1;
        report("a run on one core", run_once(b, round, 5));
        if (round == 0) {
            try_cores(b);
            try_contexts(b);
            try_exception(b);
        }
        sheaf_close(b);
    }
    return n_failed != 0;
}

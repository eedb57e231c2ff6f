#include "loader/run_compare.h"

#include <string.h>

#include "ir/passes/passes.h"

struct steps_apart {
    int64_t largest;
    int64_t n_different; /* elements */
};

/* One tensor over all runs. */
struct difference {
    const char *name;
    int64_t n;              /* elements */
    struct steps_apart sum; /* of everything before it */
    struct steps_apart own; /* of the kernel that makes it */
};

struct comparison {
    struct measured strict, fused;
    struct difference *tensor;
    size_t n;
    bool stepwise;
};

static bool open_mode(const struct run_measure *m, enum qdq_mode mode, struct measured *out,
                      struct error *err)
{
    struct pipeline_variant variant = {
        .shown = PIPELINE_SHOWS_INTEGERS, .stepwise = true, .here = true, .qdq = &mode};
    return measured_open_variant(m, &variant, out, err);
}

/* Those that are integers with one scale in both modes. */
static void find_tensors(struct comparison *c)
{
    const char *const *names;
    size_t n = pipeline_traced(c->strict.pipeline, &names);
    c->tensor = arena_array(&c->strict.arena, n, sizeof *c->tensor);
    for (size_t i = 0; i < n; i++) {
        struct tensor x, y;
        struct quant xq, yq;
        if (pipeline_tensor(c->strict.pipeline, names[i], &x, &xq) &&
            pipeline_tensor(c->fused.pipeline, names[i], &y, &yq) && xq.scale != 0 && yq.scale != 0)
            c->tensor[c->n++].name = names[i];
    }
}

/* The tensor in both modes, where it was computed (not in a branch that was left out). */
static bool both_tensors(const struct comparison *c, const char *name, struct tensor *x,
                         struct quant *xq, struct tensor *y, struct quant *yq)
{
    return pipeline_tensor(c->strict.pipeline, name, x, xq) &&
           pipeline_tensor(c->fused.pipeline, name, y, yq) && tensor_elems(x) == tensor_elems(y);
}

/* A zero point may differ: unsigned bytes stand for signed ones. */
static void add_tensor(const struct comparison *c, const struct difference *d,
                       struct steps_apart *to)
{
    struct tensor x, y;
    struct quant xq, yq;
    if (!both_tensors(c, d->name, &x, &xq, &y, &yq))
        return;
    for (int64_t i = 0; i < tensor_elems(&x); i++) {
        int64_t steps =
            (tensor_get_int(&x, i) - xq.zero_point) - (tensor_get_int(&y, i) - yq.zero_point);
        steps = steps < 0 ? -steps : steps;
        to->largest = steps > to->largest ? steps : to->largest;
        to->n_different += steps != 0;
    }
}

static struct difference *find_difference(struct comparison *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->tensor[i].name == name || !strcmp(c->tensor[i].name, name))
            return &c->tensor[i];
    return NULL;
}

/* Compares what a kernel made of the strict mode's tensors, then puts the strict result in its
   place, so that the next kernels start from that. */
static void observe(struct pipeline *p, const struct value *written, void *arg)
{
    struct comparison *c = arg;
    struct difference *d = find_difference(c, written->name);
    struct tensor x, y;
    struct quant xq, yq;
    (void)p;
    if (!d || !both_tensors(c, d->name, &x, &xq, &y, &yq))
        return;
    add_tensor(c, d, &d->own);
    for (int64_t i = 0; i < tensor_elems(&y); i++)
        tensor_set_int(&y, i, tensor_get_int(&x, i) - xq.zero_point + yq.zero_point);
}

static void add_run(struct comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct tensor x;
        struct quant q;
        if (pipeline_tensor(c->strict.pipeline, c->tensor[i].name, &x, &q))
            c->tensor[i].n += tensor_elems(&x);
        add_tensor(c, &c->tensor[i], &c->tensor[i].sum);
    }
    c->stepwise = pipeline_run_stepwise(c->fused.pipeline, observe, c);
}

static void print_apart(FILE *out, const struct steps_apart *s, int64_t n)
{
    fprintf(out, "%6lld %8.4f%%", (long long)s->largest,
            n ? 100 * (double)s->n_different / (double)n : 0);
}

static void print(const struct comparison *c, FILE *out)
{
    int64_t sum = 0, own = 0;
    fprintf(out, "Steps between -qdq=strict and -qdq=fused, largest and share of elements:\n"
                 "of one kernel    accumulated      tensor\n");
    for (size_t i = 0; i < c->n; i++) {
        const struct difference *d = &c->tensor[i];
        if (c->stepwise)
            print_apart(out, &d->own, d->n);
        else
            fprintf(out, "%16s", "-");
        print_apart(out, &d->sum, d->n);
        fprintf(out, "  %s\n", d->name);
        sum = d->sum.largest > sum ? d->sum.largest : sum;
        own = d->own.largest > own ? d->own.largest : own;
    }
    size_t n_runs = c->strict.inputs.n_runs;
    fprintf(out, "Largest difference in %zu tensors of %zu run%s: ", c->n, n_runs,
            n_runs == 1 ? "" : "s");
    if (c->stepwise)
        fprintf(out, "%lld of one kernel, ", (long long)own);
    fprintf(out, "%lld accumulated, %lld in the last\n", (long long)sum,
            (long long)c->tensor[c->n - 1].sum.largest);
}

static bool compare(const struct run_measure *m, struct comparison *c, struct error *err)
{
    if (!open_mode(m, QDQ_STRICT, &c->strict, err) || !open_mode(m, QDQ_FUSED, &c->fused, err))
        return false;
    find_tensors(c);
    if (!c->n)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: -compare-qdq: the model has no quantized tensors",
                         m->opt->model.item[0]);
    for (size_t i = 0; i < c->strict.inputs.n_runs; i++) {
        if (!measured_run(&c->strict, i, err) || !measured_run(&c->fused, i, err))
            return false;
        add_run(c);
    }
    print(c, m->out);
    return true;
}

bool run_compare_qdq(const struct run_measure *m, struct error *err)
{
    struct comparison c = {0};
    bool ok = compare(m, &c, err);
    measured_close(&c.fused);
    measured_close(&c.strict);
    return ok;
}

#include "loader/run_compare.h"

#include <math.h>

#include "ir/passes/passes.h"

/* One tensor over all runs. */
struct difference {
    const char *name;
    int64_t largest;     /* steps */
    int64_t n_different; /* elements */
    int64_t n;
};

struct comparison {
    struct measured strict, fused;
    struct difference *tensor;
    size_t n;
};

static bool open_mode(const struct run_measure *m, enum qdq_mode mode, struct measured *out,
                      struct error *err)
{
    struct pipeline_variant variant = {
        .traced = true, .integers = true, .here = true, .qdq = &mode};
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

/* A zero point may differ: unsigned bytes stand for signed ones. */
static void add_tensor(const struct comparison *c, struct difference *d)
{
    struct tensor x, y;
    struct quant xq, yq;
    if (!pipeline_tensor(c->strict.pipeline, d->name, &x, &xq) ||
        !pipeline_tensor(c->fused.pipeline, d->name, &y, &yq) ||
        tensor_elems(&x) != tensor_elems(&y))
        return; /* in a branch that was not taken */
    for (int64_t i = 0; i < tensor_elems(&x); i++) {
        int64_t steps =
            (tensor_get_int(&x, i) - xq.zero_point) - (tensor_get_int(&y, i) - yq.zero_point);
        steps = steps < 0 ? -steps : steps;
        d->largest = steps > d->largest ? steps : d->largest;
        d->n_different += steps != 0;
    }
    d->n += tensor_elems(&x);
}

static void print(const struct comparison *c, FILE *out)
{
    int64_t largest = 0;
    fprintf(out, "Steps between -qdq=strict and -qdq=fused: largest, share of elements, tensor\n");
    for (size_t i = 0; i < c->n; i++) {
        const struct difference *d = &c->tensor[i];
        double share = d->n ? 100 * (double)d->n_different / (double)d->n : 0;
        fprintf(out, "%6lld %7.3f%%  %s\n", (long long)d->largest, share, d->name);
        largest = d->largest > largest ? d->largest : largest;
    }
    fprintf(out, "Largest difference: %lld step%s in %zu tensors, %zu run%s\n", (long long)largest,
            largest == 1 ? "" : "s", c->n, c->strict.inputs.n_runs,
            c->strict.inputs.n_runs == 1 ? "" : "s");
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
        for (size_t k = 0; k < c->n; k++)
            add_tensor(c, &c->tensor[k]);
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

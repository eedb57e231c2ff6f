#include "loader/quantize_report.h"
#include "loader/run_measure.h"

/* Runs that noise is measured on.  More only make its mean more exact. */
enum { NOISE_RUNS = 16 };

struct until {
    const struct run_measure *m;
    struct measured exact;
    size_t n_items, n_right_exact;
    struct run_kept kept;
};

/* Adds how many items of run i have the right label. */
static bool count_right(const struct until *u, const struct measured *n, size_t i,
                        size_t *inout_right, struct error *err)
{
    size_t batch = n->inputs.batch;
    struct arena a;
    arena_init(&a);
    bool ok = true;
    for (size_t item = 0; ok && item < batch; item++) {
        struct run_top top;
        ok = run_labels_top(u->m->labels, n->pipeline, &a, item, batch, &top, err);
        if (ok)
            *inout_right += run_labels_right(u->m->labels, &top, i * batch + item);
    }
    arena_done(&a);
    return ok;
}

/* Does all runs.  `errors` is of this network, or NULL. */
static bool measure(struct until *u, struct measured *n, struct quantize_errors *errors,
                    size_t *out_right, struct error *err)
{
    *out_right = 0;
    for (size_t i = 0; i < n->inputs.n_runs; i++) {
        if (!measured_run(n, i, err) || !count_right(u, n, i, out_right, err))
            return false;
        if (!errors || i >= NOISE_RUNS)
            continue;
        if (!measured_run(&u->exact, i, err))
            return false;
        quantize_errors_add(errors);
    }
    return true;
}

/* ---- what to keep next ---- */

struct candidate {
    struct until *u;
    const struct quantize_report *notes;
    struct strbuf *text;
    bool useful; /* has a quantized node */
};

static bool is_quantized(const struct quantize_report *notes, const struct node *n)
{
    const struct quantize_note *note = quantize_report_find(notes, n);
    return note && note->quantized;
}

static void look_at_node(const struct node *n, void *arg)
{
    struct candidate *c = arg;
    c->useful = c->useful || is_quantized(c->notes, n);
}

static void keep_node(const struct node *n, void *arg)
{
    struct candidate *c = arg;
    if (!is_quantized(c->notes, n))
        return;
    struct run_kept *kept = &c->u->kept;
    struct arena *a = c->u->m->arena;
    const char *tensor = arena_strdup(a, n->out[0]->name);
    ARENA_PUSH(a, kept->tensor, kept->n, kept->cap) = tensor;
    strbuf_printf(c->text, "%s%s '%s'", c->text->len ? ", " : "", op_desc(n->op)->id, tensor);
}

/* Adds the nodes of the noisiest tensor that has any to keep; false where none has. */
static bool keep_next(struct until *u, struct quantize_errors *errors,
                      const struct quantize_report *notes, struct strbuf *out_text)
{
    quantize_errors_blame(errors);
    const struct tensor_error **ranked = quantize_report_ranked(errors->arena, errors);
    struct candidate c = {.u = u, .notes = notes, .text = out_text};
    for (size_t i = 0; i < errors->n && !c.useful; i++) {
        quantize_errors_nodes(errors, ranked[i], look_at_node, &c);
        if (c.useful)
            quantize_errors_nodes(errors, ranked[i], keep_node, &c);
    }
    return c.useful;
}

/* ---- the search ---- */

static bool fail_unreachable(const struct until *u, struct error *err)
{
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "option -quantize-until=%g: more is lost as long as any node is quantized",
                     u->m->opt->quantize_until);
}

/* Measures one network and, where it is not good enough, chooses what to keep next. */
static bool step(struct until *u, struct measured *n, bool *out_done, struct error *err)
{
    FILE *out = u->m->out;
    const struct quantize_report *notes = pipeline_quantized(n->pipeline);
    if (quantize_report_n_quantized(notes) == 0)
        return fail_unreachable(u, err);
    struct quantize_errors errors;
    size_t n_right;
    quantize_errors_init(&errors, &n->arena, u->exact.pipeline, n->pipeline);
    if (!measure(u, n, &errors, &n_right, err))
        return false;
    double lost = 100 * ((double)u->n_right_exact - (double)n_right) / (double)u->n_items;
    fprintf(out, "  %zu of %zu right, %.2f points lost\n", n_right, u->n_items, lost);
    fflush(out);
    *out_done = lost <= u->m->opt->quantize_until;
    if (*out_done)
        return true;
    struct strbuf text;
    strbuf_init(&text, &n->arena);
    if (!keep_next(u, &errors, notes, &text))
        return fail_unreachable(u, err);
    fprintf(out, "Kept in float: %s\n", strbuf_text(&text));
    return true;
}

static bool search(struct until *u, struct error *err)
{
    FILE *out = u->m->out;
    if (!measure(u, &u->exact, NULL, &u->n_right_exact, err))
        return false;
    fprintf(out, "In float:\n  %zu of %zu right\n", u->n_right_exact, u->n_items);
    if (u->n_right_exact == 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -quantize-until=%g: the float network gives none of the %zu items "
                         "its right label, so quantization cannot lose any",
                         u->m->opt->quantize_until, u->n_items);
    fprintf(out, "Quantized:\n");
    for (bool done = false; !done;) {
        struct measured n;
        fflush(out); /* a child of the pipeline must not print it again */
        bool ok = measured_open(u->m, false, &u->kept, &n, err) && step(u, &n, &done, err);
        measured_close(&n);
        if (!ok)
            return false;
    }
    return true;
}

/* So that the result can be had again without the search. */
static void print_kept(const struct until *u)
{
    FILE *out = u->m->out;
    if (u->kept.n == 0)
        fprintf(out, "No node has to stay in float.\n");
    for (size_t i = 0; i < u->kept.n; i++)
        fprintf(out, "%s%s", i ? "," : "-keep-original-precision-for-nodes=", u->kept.tensor[i]);
    fprintf(out, "%s", u->kept.n ? "\n" : "");
    fflush(out);
}

bool run_until(const struct run_measure *m, struct run_kept *out_kept, struct error *err)
{
    struct until u = {.m = m, .n_items = run_files_items(m->files)};
    bool ok = measured_open(m, true, NULL, &u.exact, err) &&
              run_labels_check(m->labels, u.exact.pipeline, u.exact.inputs.batch, err) &&
              search(&u, err);
    measured_close(&u.exact);
    if (!ok)
        return false;
    print_kept(&u);
    *out_kept = u.kept;
    return true;
}

#include "loader/quantize_report.h"

#include <stdlib.h>

/* Pointers into one array, so that their order is that of the network. */
static int compare_damage(const void *a, const void *b)
{
    const struct tensor_error *x = *(const struct tensor_error *const *)a,
                              *y = *(const struct tensor_error *const *)b;
    double x_ratio = quantize_error_ratio(x), y_ratio = quantize_error_ratio(y);
    if (x->own != y->own)
        return x->own < y->own ? 1 : -1;
    if (x_ratio != y_ratio)
        return x_ratio < y_ratio ? 1 : -1;
    return x < y ? -1 : x > y;
}

const struct tensor_error **quantize_report_ranked(struct arena *a, const struct quantize_errors *e)
{
    const struct tensor_error **ranked = arena_array(a, e->n, sizeof(struct tensor_error *));
    for (size_t i = 0; i < e->n; i++)
        ranked[i] = &e->tensor[i];
    qsort(ranked, e->n, sizeof(struct tensor_error *), compare_damage);
    return ranked;
}

/* "    31.4"; "       -" where there is no noise. */
static void print_db(struct strbuf *out, double ratio)
{
    if (ratio > 0)
        strbuf_printf(out, " %7.1f", quantize_error_db(ratio));
    else
        strbuf_printf(out, " %7s", "-");
}

void quantize_report_print_kept(struct strbuf *out, const struct quantize_report *notes)
{
    for (size_t i = 0; i < notes->n; i++) {
        const struct quantize_note *n = &notes->note[i];
        if (!n->quantized)
            strbuf_printf(out, "  %s '%s': %s\n", op_desc(n->op)->id, n->node, n->reason);
    }
}

void quantize_report_print(struct strbuf *out, const struct quantize_errors *e,
                           const struct quantize_report *notes)
{
    const struct tensor_error **ranked = quantize_report_ranked(out->arena, e);
    size_t n_quantized = quantize_report_n_quantized(notes);
    strbuf_printf(out, "Quantized: %zu of %zu nodes. Runs compared: %zu.\n", n_quantized, notes->n,
                  e->n_samples);
    strbuf_add(out, "SQNR of each tensor against the float network, in dB, and what it would be if "
                    "its node alone\nwere quantized; the most damaging node first.\n\n"
                    "   alone    SQNR  tensor\n");
    for (size_t i = 0; i < e->n; i++) {
        const struct tensor_error *t = ranked[i];
        print_db(out, t->own);
        print_db(out, quantize_error_ratio(t));
        strbuf_printf(out, "  %s", t->name);
        if (t->node)
            strbuf_printf(out, " (%s)", op_desc(t->node->op)->id);
        strbuf_add(out, "\n");
    }
    if (n_quantized == notes->n) {
        strbuf_add(out, "\nNo node computes in float.\n");
        return;
    }
    strbuf_add(out, "\nIn float:\n");
    quantize_report_print_kept(out, notes);
}

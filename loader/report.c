#include "loader/report.h"

#include <math.h>

#include "loader/input/tensor_file.h"

enum { SHOWN_ELEMS = 10, SHOWN_NODES = 4 };

void report_softmax(double *values, size_t n)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, values[i]);
    for (size_t i = 0; i < n; i++)
        sum += values[i] = exp(values[i] - max);
    for (size_t i = 0; i < n; i++)
        values[i] /= sum;
}

static bool is_greater(double a, double b)
{
    return a > b || (isnan(b) && !isnan(a));
}

size_t report_top_labels(const double *values, size_t n, size_t k, int64_t offset,
                         struct report_label *out_labels)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (found == k && (k == 0 || !is_greater(values[i], out_labels[k - 1].value)))
            continue;
        size_t at = found < k ? found++ : k - 1;
        for (; at > 0 && is_greater(values[i], out_labels[at - 1].value); at--)
            out_labels[at] = out_labels[at - 1];
        out_labels[at] = (struct report_label){(int64_t)i - offset, values[i]};
    }
    return found;
}

bool report_is_distribution(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] >= 0))
            return false;
        sum += values[i];
    }
    return fabs(sum - 1) < 1e-2;
}

void report_print_labels(struct strbuf *out, const char *file, const struct report_label *labels,
                         size_t n, bool is_probability, const struct lines *names)
{
    strbuf_printf(out, " File: %s", file);
    for (size_t i = 0; i < n; i++) {
        int64_t label = labels[i].label;
        strbuf_printf(out, "\tLabel-K%zu: %lld (%s: %.4f)", i + 1, (long long)label,
                      is_probability ? "probability" : "score", labels[i].value);
        if (names && label >= 0 && (uint64_t)label < names->n)
            strbuf_printf(out, " %s", names->line[label]);
        strbuf_add(out, "\n");
    }
}

void report_print_tensor(struct strbuf *out, const char *name, const struct tensor *t)
{
    strbuf_printf(out, " Output: %s %s:", name, tensor_describe(out->arena, t));
    int64_t n = tensor_elems(t);
    for (int64_t i = 0; i < n && i < SHOWN_ELEMS; i++) {
        if (dtype_is_float(t->dtype) || dtype_is_coded(t->dtype))
            strbuf_printf(out, " %.9g", tensor_get(t, i));
        else
            strbuf_printf(out, " %lld", (long long)tensor_get_int(t, i));
    }
    strbuf_add(out, n > SHOWN_ELEMS ? " ...\n" : "\n");
}

void report_print_quantized(struct strbuf *out, const char *entry, const struct quantize_report *r,
                            bool all)
{
    size_t n_quantized = quantize_report_n_quantized(r), shown = 0;
    if (entry)
        strbuf_printf(out, "Quantized (%s): ", entry);
    else
        strbuf_add(out, "Quantized: ");
    strbuf_printf(out, "%zu of %zu nodes", n_quantized, r->n);
    for (size_t i = 0; i < r->n && (all || shown < SHOWN_NODES); i++) {
        const struct quantize_note *note = &r->note[i];
        if (!note->quantized)
            strbuf_printf(out, "%s %s '%s' (%s)",
                          shown++ ? "," : "; in float:", op_desc(note->op)->id, note->node,
                          note->reason);
    }
    if (shown < r->n - n_quantized)
        strbuf_printf(out, " and %zu more, which -verbose names", r->n - n_quantized - shown);
    strbuf_add(out, "\n");
}

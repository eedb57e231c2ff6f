#include "loader/run_labels.h"

#include <string.h>

#include "loader/input/tensor_file.h"
#include "loader/option_table.h"

/* ---- what is right ---- */

static const char *item_file(const struct run_files *files, const struct loader_options *opt,
                             size_t which)
{
    if (files->images.n)
        return files->images.line[which];
    for (size_t i = 0; i < opt->n_inputs; i++)
        if (files->tensors[i].n > which)
            return files->tensors[i].line[which];
    return "";
}

static const char *without_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool check_count(const char *option, size_t n, size_t n_items, struct error *err)
{
    if (n == n_items)
        return true;
    return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s has %zu label%s for %zu item%s", option,
                     n, n == 1 ? "" : "s", n_items, n_items == 1 ? "" : "s");
}

static bool parse_line(struct arena *a, const char *path, size_t number, const char *line,
                       const char *file, int64_t *out_label, struct error *err)
{
    const char *space = strrchr(line, ' ');
    if (!option_parse_int(space ? space + 1 : line, out_label))
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "%s, line %zu: '%s' is no label: a whole number is needed, or the name of "
                         "a file, a space and a whole number",
                         path, number, line);
    const char *name = space ? arena_strndup(a, line, (size_t)(space - line)) : NULL;
    if (name && strcmp(name, file) != 0 && strcmp(name, without_folder(file)) != 0)
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "%s, line %zu: the label is that of '%s', but item %zu is '%s'", path,
                         number, name, number, file);
    return true;
}

static bool read_expected(struct arena *a, const struct loader_options *opt,
                          const struct run_files *files, const int64_t **out, struct error *err)
{
    const char *path = opt->expected_labels_file;
    size_t n_items = run_files_items(files);
    struct lines lines;
    if (!lines_read(a, path, &lines, err))
        return false;
    while (lines.n && !*lines.line[lines.n - 1])
        lines.n--;
    if (!check_count("expected-labels-file", lines.n, n_items, err))
        return false;
    int64_t *expected = arena_array(a, n_items, sizeof *expected);
    for (size_t i = 0; i < n_items; i++)
        if (!parse_line(a, path, i + 1, lines.line[i], item_file(files, opt, i), &expected[i], err))
            return false;
    *out = expected;
    return true;
}

bool run_labels_read(struct arena *a, const struct loader_options *opt,
                     const struct run_files *files, struct run_labels *out_labels,
                     struct error *err)
{
    struct run_labels l = {.opt = opt};
    if (opt->labels && !lines_read(a, opt->labels, &l.names, err))
        return false;
    if (opt->expected_labels.n) {
        if (!check_count("expected-labels", opt->expected_labels.n, run_files_items(files), err))
            return false;
        l.expected = opt->expected_labels.item;
    } else if (opt->expected_labels_file && !read_expected(a, opt, files, &l.expected, err)) {
        return false;
    }
    l.n_expected = l.expected ? run_files_items(files) : 0;
    *out_labels = l;
    return true;
}

/* An output that holds no labels of each item, item_scores refuses. */
bool run_labels_check(const struct run_labels *l, const struct pipeline *p, size_t batch,
                      struct error *err)
{
    const struct block *body = &pipeline_graph(p)->body;
    const struct shape *s = body->n_out ? &body->out[0]->shape : NULL;
    if (!l->expected || !s || (batch > 1 && (s->rank == 0 || s->dims[0] != (int64_t)batch)))
        return true;
    int64_t n = shape_elems(s) / (int64_t)batch, first = -l->opt->label_offset;
    for (size_t i = 0; i < l->n_expected; i++)
        if (l->expected[i] < first || l->expected[i] >= first + n)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -expected-labels%s: label %zu is %lld, but output '%s' has "
                             "%lld class%s, with labels from %lld to %lld",
                             l->opt->expected_labels_file ? "-file" : "", i + 1,
                             (long long)l->expected[i], body->out[0]->name, (long long)n,
                             n == 1 ? "" : "es", (long long)first, (long long)(first + n - 1));
    return true;
}

/* ---- what came out ---- */

/* The scores of an item in the first output, dequantized. */
static bool item_scores(const struct pipeline *p, const char *model, struct arena *a, size_t item,
                        size_t batch, double **out_scores, size_t *out_n, struct error *err)
{
    const struct block *body = &pipeline_graph(p)->body;
    size_t first = 0;
    while (first < body->n_out && graph_is_bound_output(pipeline_graph(p), first))
        first++;
    if (first == body->n_out)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%s: the network has no output to take labels from", model);
    const struct value *v = body->out[first];
    struct tensor t = {.dtype = v->dtype, .rank = v->shape.rank};
    t.data = pipeline_output(p, first, t.dims);
    if (batch > 1 && (t.rank == 0 || t.dims[0] != (int64_t)batch))
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "output '%s' is %s, which has no labels for each of %zu images: use "
                         "-output",
                         v->name, tensor_describe(a, &t), batch);
    int64_t n = tensor_elems(&t) / (int64_t)batch;
    double *scores = arena_array(a, (size_t)n, sizeof *scores);
    for (int64_t i = 0; i < n; i++) {
        scores[i] = tensor_get(&t, (int64_t)item * n + i);
        if (v->quant.scale != 0)
            scores[i] = (scores[i] - v->quant.zero_point) * (double)v->quant.scale;
    }
    *out_scores = scores;
    *out_n = (size_t)n;
    return true;
}

bool run_labels_top(const struct run_labels *l, const struct pipeline *p, struct arena *a,
                    size_t item, size_t batch, struct run_top *out_top, struct error *err)
{
    const struct loader_options *opt = l->opt;
    double *scores = NULL;
    size_t n = 0;
    if (!item_scores(p, opt->model.item[0], a, item, batch, &scores, &n, err))
        return false;
    if (opt->compute_softmax)
        report_softmax(scores, n);
    size_t k = (size_t)opt->topk < n ? (size_t)opt->topk : n;
    struct report_label *top = arena_array(a, k, sizeof *top);
    report_top_labels(scores, n, k, opt->label_offset, top);
    *out_top = (struct run_top){top, k, report_is_distribution(scores, n)};
    return true;
}

bool run_labels_right(const struct run_labels *l, const struct run_top *top, size_t which)
{
    for (size_t i = 0; i < top->n; i++)
        if (top->label[i].label == l->expected[which])
            return true;
    return false;
}

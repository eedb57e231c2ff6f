/*
 * Windows and filter banks of signal processing: tensors that follow from constant numbers.
 */
#include <math.h>
#include <string.h>

#include "loader/import/onnx/onnx.h"

/* Input i as a number. */
static bool constant_number(struct onnx *o, struct draft *d, size_t i, double *out)
{
    const struct value *v = draft_input(d, i);
    if (!value_is_constant(v) || tensor_elems(v->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "input %zu ('%s') of %s must be one constant number", i,
                           v ? v->name : "", d->op_type);
    *out = tensor_get(v->constant, 0);
    return true;
}

/* A tensor of zeros of the type that output_datatype says, as output 0. */
static struct tensor *filled_output(struct onnx *o, struct draft *d, int rank, const double *dims)
{
    int64_t code, extent[2] = {0};
    double elems = 1;
    if (!draft_take_int(o, d, "output_datatype", SHEAF_FLOAT32, &code))
        return NULL;
    enum dtype type = dtype_from_code(code);
    for (int i = 0; i < rank; i++) {
        elems *= dims[i];
        if (!(dims[i] >= 0 && elems * 8 <= (double)(BUILD_MAX_FILLED_BYTES - o->im.filled_bytes))) {
            draft_error(o, d, SHEAF_ERROR_MEMORY, "%s of size %g is not possible", d->op_type,
                        dims[i]);
            return NULL;
        }
        extent[i] = (int64_t)dims[i];
    }
    if (!dtype_is_float(type) && !dtype_is_integer(type)) {
        draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "results of ONNX type %lld are not possible",
                    (long long)code);
        return NULL;
    }
    o->im.filled_bytes += (int64_t)elems * 8;
    return tensor_new(o->im.arena, type, rank, extent);
}

static bool finish_constant(struct onnx *o, struct draft *d, const struct tensor *t)
{
    return draft_finish(o, d, graph_add_constant(o->im.g, draft_output_name(d), t));
}

/* Sums of cosines: a[0] - a[1] cos(x) + a[2] cos(2 x), one period over the window. */
bool onnx_compose_window(struct onnx *o, struct draft *d)
{
    static const struct {
        const char *name;
        double a[3];
    } windows[] = {
        {"HannWindow", {0.5, 0.5, 0}},
        {"HammingWindow", {25.0 / 46, 21.0 / 46, 0}},
        {"BlackmanWindow", {0.42, 0.5, 0.08}},
    };
    const double pi = 3.14159265358979323846;
    size_t w = 0;
    while (strcmp(windows[w].name, d->op_type))
        w++;
    double size;
    int64_t periodic;
    if (!constant_number(o, d, 0, &size) || !draft_take_int(o, d, "periodic", 1, &periodic))
        return false;
    struct tensor *t = filled_output(o, d, 1, &size);
    if (!t)
        return false;
    double period = periodic ? size : size - 1;
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        double x = period > 0 ? 2 * pi * (double)i / period : 0;
        const double *a = windows[w].a;
        tensor_set(t, i, a[0] - a[1] * cos(x) + a[2] * cos(2 * x));
    }
    return finish_constant(o, d, t);
}

/* Row `bin` of the first of two dimensions, where there is one. */
static void set_weight(struct tensor *t, int64_t bin, int64_t band, double v)
{
    if (bin >= 0 && bin < t->dims[0])
        tensor_set(t, bin * t->dims[1] + band, v);
}

/* One band: a triangle between the bins of three neighbouring frequencies. */
static void fill_band(struct tensor *t, int64_t band, const int64_t *bin)
{
    int64_t last = t->dims[0] - 1;
    if (bin[1] == bin[0])
        set_weight(t, bin[1], band, 1);
    else
        for (int64_t j = bin[0]; j <= bin[1] && j <= last; j++)
            set_weight(t, j, band, (double)(j - bin[0]) / (double)(bin[1] - bin[0]));
    for (int64_t j = bin[1]; j < bin[2] && j <= last; j++)
        set_weight(t, j, band, (double)(bin[2] - j) / (double)(bin[2] - bin[1]));
}

/* Frequencies in Hz; the mel scale is 2595 log10(1 + f / 700) (O'Shaughnessy 1987). */
bool onnx_compose_mel_weights(struct onnx *o, struct draft *d)
{
    enum { BANDS, LENGTH, RATE, LOW, HIGH, N };
    double v[N];
    for (size_t i = 0; i < N; i++)
        if (!constant_number(o, d, i, &v[i]))
            return false;
    if (!(v[LENGTH] >= 0 && v[RATE] > 0 && v[LOW] >= 0 && v[HIGH] >= v[LOW] && v[HIGH] < 1e9))
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "%g bins at %g Hz from %g to %g Hz are not possible", v[LENGTH], v[RATE],
                           v[LOW], v[HIGH]);
    double dims[2] = {floor(v[LENGTH] / 2) + 1, v[BANDS]};
    struct tensor *t = filled_output(o, d, 2, dims);
    if (!t)
        return false;
    double low = 2595 * log10(1 + v[LOW] / 700), high = 2595 * log10(1 + v[HIGH] / 700);
    double step = (high - low) / (v[BANDS] + 2);
    for (int64_t band = 0; band < t->dims[1]; band++) {
        int64_t bin[3];
        for (int i = 0; i < 3; i++) {
            double hertz = 700 * (pow(10, (low + (double)(band + i) * step) / 2595) - 1);
            double at = floor((v[LENGTH] + 1) * hertz / v[RATE]);
            bin[i] = at < dims[0] * 4 ? (int64_t)at : (int64_t)(dims[0] * 4);
        }
        fill_band(t, band, bin);
    }
    return finish_constant(o, d, t);
}

#include "tests/bench/network.h"

#include "loader/import/import.h"

struct graph *network_import(struct arena *a, const char *path, struct error *err)
{
    struct import_options opt = {
        .paths = &path, .n_paths = 1, .image_height = 224, .image_width = 224};
    return import_model(a, &opt, NULL, err);
}

static bool add_multiply_adds(const struct kernel *k, kval v, void *arg)
{
    const struct kinst *in = kernel_inst(k, v);
    if (in->op != KOP_CONTRACT)
        return true;
    double product = 1;
    for (int i = 0; i < in->region->n_dims; i++) {
        int64_t n = 0;
        kernel_is_const_int(k, in->region->extent[i], &n);
        product *= (double)n;
    }
    *(double *)arg += product;
    return true;
}

double network_multiply_adds(const struct kernel *k)
{
    double sum = 0;
    kernel_walk(k, add_multiply_adds, &sum);
    return sum;
}

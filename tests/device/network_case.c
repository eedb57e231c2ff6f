/* A network on the device, its outputs compared with what is recorded. */
#include <stdint.h>
#include <string.h>

#include "gpu_runtime/gpu_runtime.h"
#include "tests/device/run_cases.h"
#include "tests/sim/ptx_float.h"

enum { MAX_PATH = 4096, MAX_NAME = 200 };

struct wanted {
    char name[MAX_NAME];
    int dtype, rank;
    double absolute, relative;
    uint64_t dims[SHEAF_MAX_RANK];
};

static int give(struct device_case *c, const sheaf_bundle *net, const struct case_record *r)
{
    struct sheaf_tensor_desc t;
    struct sheaf_error err;
    char name[MAX_NAME];
    if (sscanf(r->words, "in %199s", name) != 1 || sheaf_tensor(net, name, &t, &err) != SHEAF_OK) {
        snprintf(c->why, sizeof c->why, "there is no input as in '%s'", r->words);
        return 0;
    }
    if (t.size_bytes != r->bytes) {
        snprintf(c->why, sizeof c->why, "'%s' has %zu bytes, not %zu", name, t.size_bytes,
                 r->bytes);
        return 0;
    }
    memcpy(t.data, r->data, r->bytes);
    return 1;
}

static int read_wanted(const char *words, struct wanted *w)
{
    int n = 0;
    if (sscanf(words, "out %199s %d %lf %lf %d%n", w->name, &w->dtype, &w->absolute, &w->relative,
               &w->rank, &n) != 5 ||
        w->rank < 0 || w->rank > SHEAF_MAX_RANK)
        return 0;
    for (int i = 0; i < w->rank; i++) {
        unsigned long long dim;
        int more = 0;
        if (sscanf(words + n, "%llu%n", &dim, &more) != 1)
            return 0;
        w->dims[i] = dim;
        n += more;
    }
    return 1;
}

/* False where the type is no float. */
static int float_at(int dtype, const unsigned char *data, size_t i, double *out)
{
    uint16_t h;
    float f;
    switch (dtype) {
    case SHEAF_FLOAT16:
        memcpy(&h, data + i * sizeof h, sizeof h);
        *out = (double)ptx_from_f16(h);
        return 1;
    case SHEAF_BFLOAT16:
        memcpy(&h, data + i * sizeof h, sizeof h);
        *out = (double)dtype_f32_of_bits((uint32_t)h << 16);
        return 1;
    case SHEAF_FLOAT32:
        memcpy(&f, data + i * sizeof f, sizeof f);
        *out = (double)f;
        return 1;
    case SHEAF_FLOAT64:
        memcpy(out, data + i * sizeof *out, sizeof *out);
        return 1;
    default:
        return 0;
    }
}

static int same_elements(struct device_case *c, const struct wanted *w, const void *got,
                         const struct case_record *r)
{
    size_t at = 0, n;
    double x = 0, y = 0;
    if (!float_at(w->dtype, r->data, 0, &x)) {
        if (memcmp(got, r->data, r->bytes) == 0)
            return 1;
        while (((const unsigned char *)got)[at] == r->data[at])
            at++;
        snprintf(c->why, sizeof c->why, "byte %zu of '%s' is wrong", at, w->name);
        return 0;
    }
    n = r->bytes / (rt_dtype_bits((enum sheaf_dtype)w->dtype) / 8);
    for (size_t i = 0; i < n; i++) {
        float_at(w->dtype, got, i, &x);
        float_at(w->dtype, r->data, i, &y);
        if (!case_near(x, y, w->absolute, w->relative)) {
            snprintf(c->why, sizeof c->why, "element %zu of '%s' is %.9g where %.9g is right", i,
                     w->name, x, y);
            return 0;
        }
    }
    return 1;
}

static int compare(struct device_case *c, const sheaf_bundle *net, const struct case_record *r)
{
    struct wanted w;
    struct sheaf_tensor_desc t;
    struct sheaf_error err;
    memset(&w, 0, sizeof w);
    if (!read_wanted(r->words, &w) || sheaf_tensor(net, w.name, &t, &err) != SHEAF_OK) {
        snprintf(c->why, sizeof c->why, "there is no output as in '%s'", r->words);
        return 0;
    }
    if ((int)t.dtype != w.dtype || (int)t.rank != w.rank ||
        memcmp(t.dims, w.dims, sizeof *w.dims * (size_t)w.rank) != 0 || t.size_bytes != r->bytes) {
        snprintf(c->why, sizeof c->why, "'%s' has another type or shape", w.name);
        return 0;
    }
    return r->bytes == 0 || same_elements(c, &w, t.data, r);
}

static int run(struct device_case *c, sheaf_bundle *net)
{
    struct sheaf_error err;
    size_t i = 1;
    for (; i < c->n && strncmp(c->records[i].words, "in ", 3) == 0; i++)
        if (!give(c, net, &c->records[i]))
            return 0;
    if (sheaf_run(net, &err) != SHEAF_OK) {
        snprintf(c->why, sizeof c->why, "%s", err.text);
        return 0;
    }
    for (; i < c->n; i++)
        if (!compare(c, net, &c->records[i]))
            return 0;
    return 1;
}

int network_case_run(struct device_case *c, const char *folder)
{
    struct sheaf_error err;
    sheaf_bundle *net;
    char library[MAX_PATH], weights[MAX_PATH];
    if (sscanf(c->records[0].words, "network %199s", c->name) != 1)
        return 0;
    snprintf(library, sizeof library, "%s/%s.so", folder, c->name);
    snprintf(weights, sizeof weights, "%s/%s.weights", folder, c->name);
    if (sheaf_open(library, "net", weights, &net, &err) != SHEAF_OK) {
        snprintf(c->why, sizeof c->why, "%s", err.text);
        return 0;
    }
    int good = run(c, net);
    sheaf_close(net);
    return good;
}

/* A kernel in PTX on the device, its results compared with the simulator's, bit by bit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/device/run_cases.h"
#include "tests/sim/ptx_float.h"

enum { KERNEL, IN, OUT, N_RECORDS, MAX_BYTES = 1 << 16, MAX_LOG = 300 };

struct launch {
    unsigned grid, block, shared, cooperative, n, in_bytes;
    double difference;
};

/* What there is on the device. */
struct resources {
    CUmodule module;
    CUdeviceptr in, out;
    CUstream stream;
};

static int check(struct device_case *c, const struct driver *d, CUresult result, const char *what)
{
    struct sheaf_error err;
    if (result == CUDA_SUCCESS)
        return 1;
    driver_fail(d, result, "kernel", what, &err);
    snprintf(c->why, sizeof c->why, "%s", err.text);
    return 0;
}

static int load(struct device_case *c, const struct driver *d, struct resources *r,
                CUfunction *out_function)
{
    char log[MAX_LOG] = "";
    uintptr_t log_bytes = sizeof log;
    int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[2] = {log, NULL};
    memcpy(&values[1], &log_bytes, sizeof log_bytes);
    char *text = rt_allocate(1, c->records[KERNEL].bytes + 1);
    if (!text)
        return 0;
    memcpy(text, c->records[KERNEL].data, c->records[KERNEL].bytes);
    text[c->records[KERNEL].bytes] = 0;
    CUresult result = d->cuda.ModuleLoadDataEx(&r->module, text, 2, options, values);
    free(text);
    if (result != CUDA_SUCCESS && log[0]) {
        log[strcspn(log, "\n")] = 0;
        snprintf(c->why, sizeof c->why, "%s", log);
        return 0;
    }
    return check(c, d, result, "translating the code") &&
           check(c, d, d->cuda.ModuleGetFunction(out_function, r->module, "k"), "finding 'k'");
}

/* Memory that nobody writes is zero. */
static int fill(struct device_case *c, const struct driver *d, const struct launch *l,
                struct resources *r)
{
    const struct case_record *in = &c->records[IN], *out = &c->records[OUT];
    const struct cuda *cuda = &d->cuda;
    return check(c, d, cuda->StreamCreate(&r->stream, CU_STREAM_NON_BLOCKING), "a stream") &&
           check(c, d, cuda->MemAlloc(&r->in, l->in_bytes + 1), "allocating") &&
           check(c, d, cuda->MemAlloc(&r->out, out->bytes + 1), "allocating") &&
           check(c, d, cuda->MemsetD8Async(r->in, 0, l->in_bytes + 1, r->stream), "a fill") &&
           check(c, d, cuda->MemsetD8Async(r->out, 0, out->bytes + 1, r->stream), "a fill") &&
           (!in->bytes ||
            check(c, d, cuda->MemcpyHtoDAsync(r->in, in->data, in->bytes, r->stream), "a copy"));
}

static int launch(struct device_case *c, const struct driver *d, const struct launch *l,
                  struct resources *r, CUfunction f, unsigned char *got)
{
    const struct cuda *cuda = &d->cuda;
    unsigned n = l->n;
    void *parameters[] = {&r->in, &r->out, &n};
    CUresult result = l->cooperative
                          ? cuda->LaunchCooperativeKernel(f, l->grid, 1, 1, l->block, 1, 1,
                                                          l->shared, r->stream, parameters)
                          : cuda->LaunchKernel(f, l->grid, 1, 1, l->block, 1, 1, l->shared,
                                               r->stream, parameters, NULL);
    size_t bytes = c->records[OUT].bytes;
    return check(c, d, result, "launching") &&
           (!bytes ||
            check(c, d, cuda->MemcpyDtoHAsync(got, r->out, bytes, r->stream), "a copy")) &&
           check(c, d, cuda->StreamSynchronize(r->stream), "running");
}

/* True where the word is as the simulator has it, or a float that is near enough. */
static int same_word(const struct launch *l, size_t at, uint32_t got, uint32_t want)
{
    if (got == want)
        return 1;
    return l->difference != 0 && at % 8 == 0 &&
           case_near((double)dtype_f32_of_bits(got), (double)dtype_f32_of_bits(want), l->difference,
                     l->difference);
}

static int compare(struct device_case *c, const struct launch *l, const unsigned char *got)
{
    const struct case_record *want = &c->records[OUT];
    for (size_t at = 0; at < want->bytes; at += 4) {
        uint32_t x = 0, y = 0;
        size_t n = want->bytes - at < 4 ? want->bytes - at : 4;
        memcpy(&x, got + at, n);
        memcpy(&y, want->data + at, n);
        if (!same_word(l, at, x, y)) {
            snprintf(c->why, sizeof c->why, "word %zu is 0x%x, in the simulator 0x%x", at / 4,
                     (unsigned)x, (unsigned)y);
            return 0;
        }
    }
    return 1;
}

static void release(const struct driver *d, const struct resources *r)
{
    if (r->in)
        d->cuda.MemFree(r->in);
    if (r->out)
        d->cuda.MemFree(r->out);
    if (r->stream)
        d->cuda.StreamDestroy(r->stream);
    if (r->module)
        d->cuda.ModuleUnload(r->module);
}

int kernel_case_run(struct device_case *c, const struct driver *d)
{
    static unsigned char got[MAX_BYTES];
    struct launch l;
    struct resources r = {NULL, 0, 0, NULL};
    CUfunction f;
    int name_at = 0;
    if (c->n != N_RECORDS || c->records[OUT].bytes > sizeof got ||
        sscanf(c->records[KERNEL].words, "kernel %u %u %u %u %u %u %lf %n", &l.grid, &l.block,
               &l.shared, &l.cooperative, &l.n, &l.in_bytes, &l.difference, &name_at) != 7 ||
        l.in_bytes < c->records[IN].bytes) {
        snprintf(c->why, sizeof c->why, "the case is malformed");
        return 0;
    }
    snprintf(c->name, sizeof c->name, "%s", c->records[KERNEL].words + name_at);
    int good = load(c, d, &r, &f) && fill(c, d, &l, &r) && launch(c, d, &l, &r, f, got) &&
               compare(c, &l, got);
    release(d, &r);
    return good;
}

/* Strides of accesses: what a step of one index does to an address. */
#include "cpu_runtime/codegen/cpu_target.h"

int cpu_pow2_ceil(int64_t n)
{
    int p = 1;
    while (p < n)
        p *= 2;
    return p;
}

bool cpu_access_stride(const struct kbuf *b, const struct kaffine *dims, kval index,
                       int64_t *out_stride)
{
    struct layout_strides s = layout_strides(&b->layout, b->dims);
    int64_t stride = 0;
    for (int d = 0; d < b->rank; d++) {
        if (b->extent_buf[d] >= 0)
            return false;
        int64_t coef = 0;
        bool others_fit = true;
        int64_t block = layout_block_size(&b->layout, d);
        for (int i = 0; i < dims[d].n_terms; i++) {
            if (dims[d].term[i].var == index)
                coef = dims[d].term[i].coef;
            else if (dims[d].term[i].coef % block != 0)
                others_fit = false;
        }
        if (coef == 0)
            continue;
        if (block == 1) {
            stride += coef * s.outer[d];
            continue;
        }
        /* A blocked dimension: one number only for steps inside a block. */
        if (coef != 1 || !others_fit || dims[d].offset % block != 0)
            return false;
        for (int k = b->layout.n_blocks - 1; k >= 0; k--) {
            if (b->layout.block[k].dim == d) {
                stride += s.inner[k];
                break;
            }
        }
    }
    *out_stride = stride;
    return true;
}

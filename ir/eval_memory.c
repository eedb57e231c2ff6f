/*
 * eval_memory.c: loads and stores over lanes.
 */
#include <assert.h>
#include <string.h>

#include "ir/eval_internal.h"
#include "ir/kernel_scalar.h"

void eval_buf_refresh(struct eval *e, int buf)
{
    struct eval_buf *b = &e->bufs[buf];
    if (!b->dynamic)
        return;
    const struct kbuf *kb = &e->k->bufs[buf];
    for (int d = 0; d < b->rank; d++) {
        if (kb->extent_buf[d] < 0)
            continue;
        int64_t extent;
        memcpy(&extent, e->bufs[kb->extent_buf[d]].data, sizeof extent);
        assert(extent >= 0 && extent <= kb->dims[d]);
        b->dims[d] = extent;
    }
    b->strides = layout_strides(&b->layout, b->dims);
}

int64_t eval_dim_offset(const struct eval_buf *b, int d, int64_t x)
{
    if (b->block[d] == 1)
        return b->strides.outer[d] * x;
    int64_t offset = b->strides.outer[d] * (x / b->block[d]);
    int64_t rest = x % b->block[d];
    /* Digits of the blocks of this dimension, the last block being the least significant. */
    for (int j = b->layout.n_blocks - 1; j >= 0; j--) {
        if (b->layout.block[j].dim != d)
            continue;
        offset += b->strides.inner[j] * (rest % b->layout.block[j].size);
        rest /= b->layout.block[j].size;
    }
    return offset;
}

/*
 * Offsets of the elements that the lanes address.  Where `inside` is given it tells which lanes
 * address an element (the others get offset 0); where not, all must.
 */
static void offsets(struct eval *e, const struct kinst *i, int64_t *out, bool *inside, int n)
{
    eval_buf_refresh(e, i->buf);
    const struct eval_buf *b = &e->bufs[i->buf];
    int64_t base = 0;
    bool all = true;
    memset(out, 0, (size_t)n * sizeof *out);
    if (inside)
        memset(inside, 1, (size_t)n * sizeof *inside);
    for (int d = 0; d < b->rank; d++) {
        const int64_t *x = e->slot[i->args[d]]->i;
        int64_t extent = b->dims[d];
        if (!inside && kernel_inst(e->k, i->args[d])->op == KOP_CONST) {
            all &= x[0] >= 0 && x[0] < extent;
            base += eval_dim_offset(b, d, x[0]);
            continue;
        }
        if (inside) {
            for (int l = 0; l < n; l++)
                inside[l] &= x[l] >= 0 && x[l] < extent;
        } else {
            for (int l = 0; l < n; l++)
                all &= x[l] >= 0 && x[l] < extent;
        }
        if (b->block[d] == 1) {
            int64_t stride = b->strides.outer[d];
            for (int l = 0; l < n; l++)
                out[l] += (int64_t)((uint64_t)stride * (uint64_t)x[l]);
        } else {
            for (int l = 0; l < n; l++)
                out[l] += eval_dim_offset(b, d, x[l]);
        }
    }
    assert(all && "an access outside its buffer");
    (void)all;
    for (int l = 0; l < n; l++)
        out[l] = inside && !inside[l] ? 0 : out[l] + base;
}

void eval_gather(const struct eval_buf *b, const int64_t *offset, union lanes *out, int n)
{
    switch (b->dtype) {
    case DTYPE_F32:
        for (int l = 0; l < n; l++)
            memcpy(&out->f[l], b->data + offset[l] * 4, 4);
        break;
    case DTYPE_F64:
        for (int l = 0; l < n; l++)
            memcpy(&out->d[l], b->data + offset[l] * 8, 8);
        break;
    case DTYPE_F16:
    case DTYPE_BF16:
        for (int l = 0; l < n; l++) {
            uint16_t bits;
            memcpy(&bits, b->data + offset[l] * 2, 2);
            out->f[l] = b->dtype == DTYPE_F16 ? dtype_f16_to_f32(bits) : dtype_bf16_to_f32(bits);
        }
        break;
    case DTYPE_I64:
        for (int l = 0; l < n; l++)
            memcpy(&out->i[l], b->data + offset[l] * 8, 8);
        break;
    case DTYPE_I32:
        for (int l = 0; l < n; l++) {
            int32_t v;
            memcpy(&v, b->data + offset[l] * 4, 4);
            out->i[l] = v;
        }
        break;
    case DTYPE_U8:
        for (int l = 0; l < n; l++)
            out->i[l] = b->data[offset[l]];
        break;
    case DTYPE_I8:
        for (int l = 0; l < n; l++)
            out->i[l] = (int8_t)b->data[offset[l]];
        break;
    case DTYPE_BOOL:
        for (int l = 0; l < n; l++)
            out->i[l] = b->data[offset[l]] != 0;
        break;
    default:
        for (int l = 0; l < n; l++)
            out->i[l] = kscalar_read(b->dtype, b->data, offset[l]).i;
        break;
    }
}

static void scatter(const struct eval_buf *b, const int64_t *offset, const union lanes *v, int n)
{
    switch (b->dtype) {
    case DTYPE_F32:
        for (int l = 0; l < n; l++)
            memcpy(b->data + offset[l] * 4, &v->f[l], 4);
        break;
    case DTYPE_F64:
        for (int l = 0; l < n; l++)
            memcpy(b->data + offset[l] * 8, &v->d[l], 8);
        break;
    case DTYPE_F16:
    case DTYPE_BF16:
        for (int l = 0; l < n; l++) {
            uint16_t bits =
                b->dtype == DTYPE_F16 ? dtype_f32_to_f16(v->f[l]) : dtype_f32_to_bf16(v->f[l]);
            memcpy(b->data + offset[l] * 2, &bits, 2);
        }
        break;
    default:
        for (int l = 0; l < n; l++)
            kscalar_write(b->dtype, b->data, offset[l], (union kscalar){.i = v->i[l]});
        break;
    }
}

void eval_load(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    int64_t offset[EVAL_LANES];
    offsets(e, i, offset, NULL, n);
    eval_gather(&e->bufs[i->buf], offset, e->slot[v], n);
}

void eval_load_or(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    const struct eval_buf *b = &e->bufs[i->buf];
    int64_t offset[EVAL_LANES];
    bool inside[EVAL_LANES];
    offsets(e, i, offset, inside, n);
    union lanes chosen;
    for (int l = 0; l < n; l++)
        chosen.i[l] = inside[l];
    bool empty = false;
    for (int d = 0; d < b->rank; d++)
        empty |= b->dims[d] == 0;
    if (!empty) /* lanes outside read element 0, which must exist */
        eval_gather(b, offset, e->slot[v], n);
    eval_select(b->dtype, e->slot[v], &chosen, e->slot[v], e->slot[i->args[b->rank]], n);
}

void eval_store(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    int64_t offset[EVAL_LANES];
    offsets(e, i, offset, NULL, n);
    scatter(&e->bufs[i->buf], offset, e->slot[i->args[e->bufs[i->buf].rank]], n);
}

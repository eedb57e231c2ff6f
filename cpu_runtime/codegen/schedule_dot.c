/*
 * What a step of K takes.
 *
 * Bytes are taken four values of K at a time where the processor has a dot product for them, or at
 * least a product of pairs (contract_step.c).  The four should lie side by side in A: channels
 * where they are in blocks, the window along an image row where the image is row-major, K of a
 * matrix. Else they are put together one by one.
 */
#include "cpu_runtime/codegen/schedule_contract.h"

static bool is_byte(enum dtype t)
{
    return t == DTYPE_U8 || t == DTYPE_I8;
}

/* Whether an element only changes its type on the way into the product. */
static bool is_only_cast(const struct kernel *k, const struct koperand *o)
{
    const struct kblock *p = &o->prologue;
    if (p->n == 0)
        return true;
    const struct kinst *cast = kernel_inst(k, p->insts[0]);
    return p->n == 2 && cast->op == KOP_CAST && cast->args[0] == p->param[0] &&
           kernel_inst(k, p->insts[1])->args[0] == p->insts[0];
}

bool cpu_is_sum_of_bytes(const struct kernel *k, const struct kcontract *c)
{
    const struct kbuf *a = &k->bufs[c->a.buf], *b = &k->bufs[c->b.buf];
    return c->acc == DTYPE_I32 && is_byte(a->dtype) && is_byte(b->dtype) && b->constant &&
           is_only_cast(k, &c->a) && is_only_cast(k, &c->b);
}

static bool has_dot4(const struct target *t, int bytes)
{
    return bytes == 64 ? target_has(t, "avx512vnni")
                       : target_has(t, "avxvnni") ||
                             (target_has(t, "avx512vnni") && target_has(t, "avx512vl"));
}

static bool has_dot2(const struct target *t, int bytes)
{
    return target_has(t, bytes == 64 ? "avx512bw" : bytes == 32 ? "avx2" : "sse2");
}

enum schedule_dot schedule_find_dot(const struct target *t, const struct kernel *k,
                                    const struct kcontract *c, int *out_bytes)
{
    enum dtype a = k->bufs[c->a.buf].dtype, b = k->bufs[c->b.buf].dtype;
    if (!cpu_is_sum_of_bytes(k, c))
        return SCHEDULE_MULTIPLY_ADD;
    *out_bytes = t->vector_bytes;
    for (; *out_bytes >= 16 && (a == DTYPE_I8 || b == DTYPE_I8); *out_bytes /= 2)
        if (has_dot4(t, *out_bytes))
            return SCHEDULE_DOT4;
    for (*out_bytes = t->vector_bytes; *out_bytes >= 16; *out_bytes /= 2)
        if (has_dot2(t, *out_bytes))
            return SCHEDULE_DOT2;
    return SCHEDULE_MULTIPLY_ADD;
}

bool schedule_decided_by_tile(const struct kernel *k, const struct kregion *r,
                              const struct schedule_entry *e, int i)
{
    const struct koperand *a = &r->contract->a;
    for (int d = 0; a->padded && d < k->bufs[a->buf].rank; d++)
        if (kaffine_coef(&a->dim[d], r->index[i]) && schedule_can_leave(k, r, a, d) &&
            (e->row_iter < 0 || !kaffine_coef(&a->dim[d], r->index[e->row_iter])))
            return false;
    return true;
}

int schedule_choose_group(const struct kernel *k, const struct kregion *r,
                          const struct schedule_entry *entry)
{
    enum { COST_OF_ASSEMBLING = 4 };
    struct schedule_entry e = *entry;
    int64_t best = 0, steps = 1;
    int found = -1;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K)
            steps *= kernel_static_extent(k, r, i);
    for (int i = 0; i < r->n_dims; i++) {
        int64_t n = kernel_static_extent(k, r, i);
        if (r->contract->kind[i] != KITER_K ||
            schedule_dim_of_k(k, &r->contract->b, r->index[i]) < 0 ||
            !schedule_decided_by_tile(k, r, &e, i) || (e.k_iter >= 0 && i != e.k_iter))
            continue;
        e.group_iter = i;
        int64_t cost = steps / n * cpu_div_ceil(n, SCHEDULE_GROUP);
        if (!cpu_group_is_adjacent(k, r, &e))
            cost *= COST_OF_ASSEMBLING;
        if (found >= 0 && cost >= best)
            continue;
        best = cost;
        found = i;
    }
    return found;
}

/* Beside accumulators a step needs: each vector of B, twice where it is extended or its sum is
   kept; the broadcast of A, the product where it is separate, and what extending bytes takes. */
void schedule_count_registers(const struct target *t, const struct kernel *k,
                              const struct kcontract *c, struct shape_of_result *s)
{
    bool fused = t->has_fma && c->acc == DTYPE_F32;
    bool plain = c->acc == DTYPE_F32 && !c->a.prologue.n && !c->b.prologue.n;
    bool both_signed = k->bufs[c->a.buf].dtype == k->bufs[c->b.buf].dtype;
    switch (s->dot) {
    case SCHEDULE_DOT2:
        s->regs_per_vector = 2;
        s->spare_regs = 4;
        break;
    case SCHEDULE_DOT4:
        s->regs_per_vector = both_signed ? 2 : 1;
        s->spare_regs = both_signed ? 2 : 1;
        /* Without AVX-512 the instruction names the lower half of the registers only. */
        if (!target_has(t, "avx512vnni"))
            s->spare_regs += t->n_vector_regs - 16;
        break;
    default:
        s->regs_per_vector = 1;
        s->spare_regs = (fused ? 1 : 2) + (plain ? 0 : 1);
        break;
    }
}

/*
 * Addresses: logical indices of a buffer in any layout, as constants times loop variables.
 *
 * Every index of an access is brought to an affine form over the emitted loop variables.  Where a
 * dimension is blocked, index / block and index % block are taken apart symbolically: terms with a
 * coefficient divisible by the block go to the quotient, and the rest is the remainder if its range
 * is known to stay inside the block.  What is not affine, or cannot be split, is computed as a
 * value and becomes a variable of its own.
 */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

/* Splits a = block * hi + lo with 0 <= lo < block. */
static bool split(const struct emit_kernel *ek, const struct eaffine *a, int64_t block,
                  struct eaffine *hi, struct eaffine *lo)
{
    int64_t rest = a->offset % block;
    if (rest < 0)
        rest += block;
    *hi = eaffine_const((a->offset - rest) / block);
    *lo = eaffine_const(rest);
    for (int i = 0; i < a->n_terms; i++) {
        int64_t coef = a->term[i].coef;
        if (coef % block == 0)
            eaffine_add_term(hi, a->term[i].var, coef / block);
        else
            eaffine_add_term(lo, a->term[i].var, coef);
    }
    int64_t least, most;
    return eaffine_range(ek, lo, &least, &most) && least >= 0 && most < block;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

/*
 * The same where the terms that do not divide run through the block in even steps, like tiles of 32
 * columns through blocks of 64, and the lanes stay inside a step: quotient and remainder of those
 * terms are computed, once, outside the lanes.
 */
static bool split_steps(struct emit_kernel *ek, const struct eaffine *a, int64_t block,
                        struct eaffine *hi, struct eaffine *lo)
{
    struct emit *e = ek->e;
    struct eaffine run = eaffine_const(0);
    int64_t rest = a->offset % block, step = block, within = 0, most = 0;
    if (rest < 0)
        rest += block;
    *hi = eaffine_const((a->offset - rest) / block);
    for (int i = 0; i < a->n_terms; i++) {
        int var = a->term[i].var;
        int64_t coef = a->term[i].coef, extent = ek->vars[var].extent;
        if (coef % block == 0) {
            eaffine_add_term(hi, var, coef / block);
            continue;
        }
        if (coef < 0 || extent == 0)
            return false;
        if (var == EVAR_LANE) {
            within = coef * (extent - 1);
            continue;
        }
        if (!ek->vars[var].value)
            return false; /* half of a joined pair */
        eaffine_add_term(&run, var, coef);
        step = common_divisor(step, coef);
        most += coef * (extent - 1);
    }
    if (run.n_terms == 0 || rest % step + within >= step)
        return false;
    run.offset = rest - rest % step;
    most += run.offset;
    LLVMValueRef v = eaffine_value(ek, &run);
    LLVMValueRef in_block = LLVMBuildURem(e->b, v, emit_index(e, block), "");
    in_block = LLVMBuildUDiv(e->b, in_block, emit_index(e, step), "");
    LLVMValueRef outer = LLVMBuildUDiv(e->b, v, emit_index(e, block), "");
    eaffine_add_term(hi, emit_add_var(ek, outer, most / block + 1), 1);
    *lo = eaffine_const(rest % step);
    eaffine_add_term(lo, emit_add_var(ek, in_block, block / step), step);
    eaffine_add_term(lo, EVAR_LANE, eaffine_lane(a));
    return true;
}

/* A varying or opaque index: added to the address as a value. */
static void add_value(struct emit_kernel *ek, struct eaddress *at, LLVMValueRef v, bool varying,
                      int64_t stride)
{
    struct emit *e = ek->e;
    if (!varying) {
        eaffine_add_term(&at->affine, emit_add_var(ek, v, 0), stride);
        return;
    }
    v = LLVMBuildMul(e->b, v, emit_splat(ek, emit_index(e, stride)), "");
    at->varying = at->varying ? LLVMBuildAdd(e->b, at->varying, v, "") : v;
}

/* One dimension of a blocked layout whose index is a plain value. */
static void add_digits(struct emit_kernel *ek, struct eaddress *at, const struct layout *l,
                       const struct layout_strides *s, int d, LLVMValueRef v, bool varying)
{
    struct emit *e = ek->e;
    for (int b = l->n_blocks - 1; b >= 0; b--) {
        if (l->block[b].dim != d)
            continue;
        LLVMValueRef size = emit_index(e, l->block[b].size);
        if (varying)
            size = emit_splat(ek, size);
        add_value(ek, at, LLVMBuildURem(e->b, v, size, ""), varying, s->inner[b]);
        v = LLVMBuildUDiv(e->b, v, size, "");
    }
    add_value(ek, at, v, varying, s->outer[d]);
}

static void add_dim(struct emit_kernel *ek, struct eaddress *at, const struct kbuf *buf,
                    const struct layout_strides *s, int d, const struct eaffine *index)
{
    const struct layout *l = &buf->layout;
    struct eaffine rest = *index, hi, lo[LAYOUT_MAX_BLOCKS];
    for (int b = l->n_blocks - 1; b >= 0; b--) {
        if (l->block[b].dim != d)
            continue;
        if (!split(ek, &rest, l->block[b].size, &hi, &lo[b]) &&
            !split_steps(ek, &rest, l->block[b].size, &hi, &lo[b])) {
            bool varying;
            LLVMValueRef v = eaffine_full(ek, index, &varying);
            add_digits(ek, at, l, s, d, v, varying);
            return;
        }
        rest = hi;
    }
    for (int b = 0; b < l->n_blocks; b++)
        if (l->block[b].dim == d)
            eaffine_add(&at->affine, &lo[b], s->inner[b]);
    eaffine_add(&at->affine, &rest, s->outer[d]);
}

static bool is_dynamic(const struct kbuf *buf)
{
    for (int d = 0; d < buf->rank; d++)
        if (buf->extent_buf[d] >= 0)
            return true;
    return false;
}

/* The true extent of a dimension: read from its buffer at each use, since the kernel itself may be
   what sets it. */
static LLVMValueRef extent_value(struct emit_kernel *ek, const struct kbuf *buf, int d)
{
    struct emit *e = ek->e;
    if (buf->extent_buf[d] < 0)
        return emit_index(e, buf->dims[d]);
    return emit_to_index(e, LLVMBuildLoad2(e->b, e->i64, ek->buf[buf->extent_buf[d]], ""));
}

/* Dense at the true extents: strides are products of run-time values. */
static void add_dynamic(struct emit_kernel *ek, struct eaddress *at, const struct kbuf *buf,
                        const struct eaffine *idx)
{
    struct emit *e = ek->e;
    LLVMValueRef stride = emit_index(e, 1);
    for (int d = buf->rank - 1; d >= 0; d--) {
        if (LLVMIsAConstantInt(stride)) {
            eaffine_add(&at->affine, &idx[d], LLVMConstIntGetSExtValue(stride));
        } else {
            bool varying;
            LLVMValueRef v = eaffine_full(ek, &idx[d], &varying);
            v = LLVMBuildMul(e->b, v, varying ? emit_splat(ek, stride) : stride, "");
            add_value(ek, at, v, varying, 1);
        }
        stride = LLVMBuildMul(e->b, stride, extent_value(ek, buf, d), "");
    }
}

struct eaddress emit_address_affine(struct emit_kernel *ek, int buf, const struct eaffine *idx)
{
    const struct kbuf *b = &ek->k->bufs[buf];
    struct eaddress at = {.buf = buf};
    if (is_dynamic(b)) {
        add_dynamic(ek, &at, b, idx);
        return at;
    }
    struct layout_strides s = layout_strides(&b->layout, b->dims);
    for (int d = 0; d < b->rank; d++)
        add_dim(ek, &at, b, &s, d, &idx[d]);
    return at;
}

static LLVMValueRef index_of(struct emit_kernel *ek, kval v, bool varying)
{
    return emit_to_index(ek->e, emit_get(ek, v, varying));
}

struct eaddress emit_address(struct emit_kernel *ek, int buf, const kval *idx)
{
    const struct kbuf *b = &ek->k->bufs[buf];
    struct eaffine affine[MAX_RANK];
    bool varying[MAX_RANK] = {false};
    for (int d = 0; d < b->rank; d++) {
        if (emit_affine(ek, idx[d], &affine[d]))
            continue;
        varying[d] = ek->varying[idx[d]];
        /* An opaque index is a variable of unknown range; a varying one is added below. */
        if (!varying[d])
            affine[d] = eaffine_var(emit_add_var(ek, index_of(ek, idx[d], false), 0));
        else
            affine[d] = eaffine_const(0);
    }
    struct eaddress at = emit_address_affine(ek, buf, affine);
    struct layout_strides s = layout_strides(&b->layout, b->dims);
    struct emit *e = ek->e;
    LLVMValueRef stride = emit_index(e, 1);
    bool dynamic = is_dynamic(b);
    for (int d = b->rank - 1; d >= 0; d--) {
        if (varying[d] && dynamic) {
            LLVMValueRef steps = emit_splat(ek, stride);
            steps = LLVMBuildMul(e->b, index_of(ek, idx[d], true), steps, "");
            add_value(ek, &at, steps, true, 1);
        } else if (varying[d])
            add_digits(ek, &at, &b->layout, &s, d, index_of(ek, idx[d], true), true);
        if (dynamic)
            stride = LLVMBuildMul(e->b, stride, extent_value(ek, b, d), "");
    }
    return at;
}

LLVMValueRef emit_pointer(struct emit_kernel *ek, int buf, const struct eaffine *a)
{
    struct emit *e = ek->e;
    /* The constant part goes last, so that neighbouring accesses share the variable part. */
    struct eaffine variable = *a;
    variable.offset = 0;
    LLVMTypeRef t = emit_memory_type(e, ek->k->bufs[buf].dtype);
    LLVMValueRef i = eaffine_value(ek, &variable);
    LLVMValueRef off = emit_index(e, a->offset);
    if (a->offset < 0 || e->target->optimize_size) {
        /* On the way to the element the address may lie behind the buffer's end. */
        LLVMValueRef p = LLVMBuildGEP2(e->b, t, ek->buf[buf], &i, 1, "");
        return LLVMBuildGEP2(e->b, t, p, &off, 1, "");
    }
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, t, ek->buf[buf], &i, 1, "");
    return a->offset == 0 ? p : LLVMBuildInBoundsGEP2(e->b, t, p, &off, 1, "");
}

/* ---- element access ---- */

static LLVMValueRef from_memory(struct emit_kernel *ek, enum dtype t, LLVMValueRef v)
{
    if (t != DTYPE_BOOL)
        return v;
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(v));
    return LLVMBuildICmp(ek->e->b, LLVMIntNE, v, zero, "");
}

static LLVMValueRef to_memory(struct emit_kernel *ek, enum dtype t, LLVMValueRef v)
{
    if (t != DTYPE_BOOL)
        return v;
    bool vector = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
    LLVMTypeRef to =
        vector ? LLVMVectorType(ek->e->i8, LLVMGetVectorSize(LLVMTypeOf(v))) : ek->e->i8;
    return LLVMBuildZExt(ek->e->b, v, to, "");
}

/* Lane `i` of the element offset, as a scalar. */
static LLVMValueRef lane_offset(struct emit_kernel *ek, const struct eaddress *at, int i)
{
    struct emit *e = ek->e;
    struct eaffine a = at->affine;
    a.offset += eaffine_lane(&a) * i;
    LLVMValueRef off = eaffine_value(ek, &a);
    if (at->varying)
        off = LLVMBuildAdd(e->b, off,
                           LLVMBuildExtractElement(e->b, at->varying, emit_index(e, i), ""), "");
    return off;
}

/* What lies where each of a vector of pointers points, those whose bit is set. */
static LLVMValueRef gather_pointers(struct emit *e, LLVMValueRef p, LLVMTypeRef lane,
                                    LLVMValueRef mask)
{
    LLVMTypeRef types[2] = {emit_like(p, lane), LLVMTypeOf(p)};
    unsigned bytes = (unsigned)LLVMABISizeOfType(e->layout, lane);
    LLVMValueRef args[4] = {p, LLVMConstInt(e->i32, bytes, 0), mask, LLVMGetPoison(types[0])};
    return emit_intrinsic(e, "llvm.masked.gather", types, 2, args, 4);
}

/* What lies at an offset, or of a vector of offsets at each whose bit is set. */
static LLVMValueRef load_at(struct emit_kernel *ek, int buf, LLVMValueRef offset, LLVMValueRef mask)
{
    struct emit *e = ek->e;
    LLVMTypeRef mt = emit_memory_type(e, ek->k->bufs[buf].dtype);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, mt, ek->buf[buf], &offset, 1, "");
    return mask ? gather_pointers(e, p, mt, mask) : LLVMBuildLoad2(e->b, mt, p, "");
}

/* Where an element of less than 8 bits lies: a unit of so many bits, and its lowest bit there. */
struct packed_place {
    LLVMValueRef unit, shift;
};

static struct packed_place packed_place(struct emit *e, unsigned bits, unsigned unit_bits,
                                        LLVMValueRef offset)
{
    int64_t per_unit = unit_bits / bits, log2_per_unit = 0, log2_bits = bits / 2;
    while (1 << log2_per_unit < per_unit)
        log2_per_unit++;
    struct packed_place p;
    p.unit = LLVMBuildLShr(e->b, offset, emit_int_like(offset, e->index, log2_per_unit), "");
    p.shift = LLVMBuildAnd(e->b, offset, emit_int_like(offset, e->index, per_unit - 1), "");
    p.shift = LLVMBuildShl(e->b, p.shift, emit_int_like(offset, e->index, log2_bits), "");
    return p;
}

static LLVMValueRef load_elements(struct emit_kernel *ek, int buf, LLVMValueRef offset,
                                  LLVMValueRef mask)
{
    struct emit *e = ek->e;
    enum dtype t = ek->k->bufs[buf].dtype;
    unsigned bits = dtype_bits(t);
    if (bits >= 8)
        return from_memory(ek, t, load_at(ek, buf, offset, mask));
    struct packed_place at = packed_place(e, bits, 8, offset);
    LLVMValueRef v = load_at(ek, buf, at.unit, mask);
    LLVMValueRef shift = LLVMBuildTrunc(e->b, at.shift, emit_like(v, e->i8), "");
    return emit_wrap_packed(e, t, LLVMBuildLShr(e->b, v, shift, ""));
}

static LLVMValueRef load_element(struct emit_kernel *ek, int buf, LLVMValueRef offset)
{
    return load_elements(ek, buf, offset, NULL);
}

/* The element offsets of all lanes. */
static LLVMValueRef lane_offsets(struct emit_kernel *ek, const struct eaddress *at)
{
    bool varying;
    LLVMValueRef off = eaffine_full(ek, &at->affine, &varying);
    if (!varying)
        off = emit_splat(ek, off);
    return at->varying ? LLVMBuildAdd(ek->e->b, off, at->varying, "") : off;
}

/* Lanes that lie apart, those whose bit is set. */
static LLVMValueRef gather(struct emit_kernel *ek, const struct eaddress *at, LLVMValueRef mask)
{
    LLVMValueRef offsets = lane_offsets(ek, at);
    return load_elements(ek, at->buf, offsets, mask);
}

LLVMValueRef emit_gather_as(struct emit_kernel *ek, const struct eaddress *at, LLVMTypeRef lane)
{
    struct emit *e = ek->e;
    LLVMTypeRef mt = emit_memory_type(e, ek->k->bufs[at->buf].dtype);
    LLVMValueRef offsets = lane_offsets(ek, at);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, mt, ek->buf[at->buf], &offsets, 1, "");
    return gather_pointers(e, p, lane, emit_int_like(offsets, e->i1, 1));
}

static void scatter(struct emit_kernel *ek, const struct eaddress *at, LLVMValueRef v)
{
    struct emit *e = ek->e;
    enum dtype t = ek->k->bufs[at->buf].dtype;
    LLVMTypeRef mt = emit_memory_type(e, t);
    assert(dtype_bits(t) >= 8);
    LLVMValueRef offsets = lane_offsets(ek, at);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, mt, ek->buf[at->buf], &offsets, 1, "");
    v = to_memory(ek, t, v);
    LLVMTypeRef types[2] = {LLVMTypeOf(v), LLVMTypeOf(p)};
    unsigned bytes = (unsigned)LLVMABISizeOfType(e->layout, mt);
    LLVMValueRef args[4] = {v, p, LLVMConstInt(e->i32, bytes, 0), emit_int_like(offsets, e->i1, 1)};
    emit_intrinsic(e, "llvm.masked.scatter", types, 2, args, 4);
}

/* Threads that have the other bits of the word may write at the same time. */
static void store_bits(struct emit_kernel *ek, int buf, LLVMValueRef offset, LLVMValueRef v)
{
    struct emit *e = ek->e;
    unsigned bits = dtype_bits(ek->k->bufs[buf].dtype);
    struct packed_place at = packed_place(e, bits, 32, offset);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, e->i32, ek->buf[buf], &at.unit, 1, "");
    LLVMValueRef shift = LLVMBuildTrunc(e->b, at.shift, e->i32, "");
    LLVMValueRef ones = LLVMConstInt(e->i32, (1u << bits) - 1, 0);
    LLVMValueRef mask = LLVMBuildShl(e->b, ones, shift, "");
    v = LLVMBuildAnd(e->b, LLVMBuildZExt(e->b, v, e->i32, ""), ones, "");
    v = LLVMBuildShl(e->b, v, shift, "");
    LLVMBuildAtomicRMW(e->b, LLVMAtomicRMWBinOpAnd, p, LLVMBuildNot(e->b, mask, ""),
                       LLVMAtomicOrderingMonotonic, 0);
    LLVMBuildAtomicRMW(e->b, LLVMAtomicRMWBinOpOr, p, v, LLVMAtomicOrderingMonotonic, 0);
}

static void store_element(struct emit_kernel *ek, int buf, LLVMValueRef offset, LLVMValueRef v)
{
    struct emit *e = ek->e;
    enum dtype t = ek->k->bufs[buf].dtype;
    LLVMTypeRef mt = emit_memory_type(e, t);
    unsigned bits = dtype_bits(t);
    if (bits >= 8) {
        LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, mt, ek->buf[buf], &offset, 1, "");
        LLVMBuildStore(e->b, to_memory(ek, t, v), p);
        return;
    }
    if (e->target->threads) {
        store_bits(ek, buf, offset, v);
        return;
    }
    struct packed_place at = packed_place(e, bits, 8, offset);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, mt, ek->buf[buf], &at.unit, 1, "");
    LLVMValueRef shift = LLVMBuildTrunc(e->b, at.shift, e->i8, "");
    LLVMValueRef ones = LLVMConstInt(e->i8, (1u << bits) - 1, 0);
    LLVMValueRef others = LLVMBuildNot(e->b, LLVMBuildShl(e->b, ones, shift, ""), "");
    LLVMValueRef old = LLVMBuildLoad2(e->b, mt, p, "");
    v = LLVMBuildShl(e->b, LLVMBuildAnd(e->b, v, ones, ""), shift, "");
    v = LLVMBuildOr(e->b, LLVMBuildAnd(e->b, old, others, ""), v, "");
    LLVMBuildStore(e->b, v, p);
}

static bool is_contiguous(const struct emit_kernel *ek, const struct eaddress *at)
{
    return ek->lanes > 1 && !at->varying && eaffine_lane(&at->affine) == 1 &&
           dtype_bits(ek->k->bufs[at->buf].dtype) >= 8;
}

/* Elements that the uniform part of an address is known to be a multiple of, a power of 2, as far
   as that is of use. */
static int64_t common_step(const struct emit_kernel *ek, const struct eaddress *at)
{
    int64_t step = 1, bytes = dtype_bits(ek->k->bufs[at->buf].dtype) / 8;
    while (step < ek->lanes)
        step *= 2;
    while (step * bytes > PROGRAM_ALIGNMENT)
        step /= 2;
    step = common_divisor(step, at->affine.offset);
    for (int i = 0; i < at->affine.n_terms; i++)
        if (at->affine.term[i].var != EVAR_LANE)
            step = common_divisor(step, at->affine.term[i].coef);
    return step;
}

/* Of a run of lanes.  Processors with vectors of their own take them from any element on; a device
   reads them as elements unless it is told more. */
static unsigned run_alignment(const struct emit_kernel *ek, const struct eaddress *at)
{
    unsigned bytes = dtype_bits(ek->k->bufs[at->buf].dtype) / 8;
    return ek->e->target->host ? bytes * (unsigned)common_step(ek, at) : bytes;
}

/* Two elements of 4 bits a byte, all lanes side by side from a whole byte on. */
static bool is_packed_run(const struct emit_kernel *ek, const struct eaddress *at)
{
    const struct eaffine *a = &at->affine;
    if (ek->lanes < 2 || at->varying || eaffine_lane(a) != 1 || a->offset % 2 != 0 ||
        dtype_bits(ek->k->bufs[at->buf].dtype) != 4)
        return false;
    for (int i = 0; i < a->n_terms; i++)
        if (a->term[i].var != EVAR_LANE && a->term[i].coef % 2 != 0)
            return false;
    return true;
}

/* The low half of a byte is the even lane. */
static LLVMValueRef load_packed(struct emit_kernel *ek, const struct eaddress *at)
{
    struct emit *e = ek->e;
    enum dtype t = ek->k->bufs[at->buf].dtype;
    unsigned pairs = (unsigned)ek->lanes / 2;
    LLVMValueRef byte = eaffine_value(ek, &at->affine);
    byte = LLVMBuildLShr(e->b, byte, emit_index(e, 1), "");
    LLVMValueRef p = LLVMBuildInBoundsGEP2(e->b, e->i8, ek->buf[at->buf], &byte, 1, "");
    LLVMValueRef v = LLVMBuildLoad2(e->b, LLVMVectorType(e->i8, pairs), p, "");
    LLVMSetAlignment(v, e->target->host ? (unsigned)common_step(ek, at) / 2 : 1);
    v = LLVMBuildZExt(e->b, v, LLVMVectorType(e->i16, pairs), "");
    LLVMValueRef high = LLVMBuildShl(e->b, v, emit_int_like(v, e->i16, 4), "");
    v = LLVMBuildAnd(e->b, LLVMBuildOr(e->b, v, high, ""), emit_int_like(v, e->i16, 0x0f0f), "");
    v = LLVMBuildBitCast(e->b, v, LLVMVectorType(e->i8, 2 * pairs), "");
    return t == DTYPE_I4 ? emit_wrap_packed(e, t, v) : v;
}

LLVMValueRef emit_load(struct emit_kernel *ek, const struct eaddress *at, bool *out_varying)
{
    struct emit *e = ek->e;
    enum dtype t = ek->k->bufs[at->buf].dtype;
    int64_t lane = eaffine_lane(&at->affine);
    *out_varying = ek->lanes > 1 && (at->varying || lane != 0);
    if (!*out_varying)
        return load_element(ek, at->buf, eaffine_value(ek, &at->affine));
    LLVMTypeRef mt = emit_memory_type(e, t);
    if (is_contiguous(ek, at)) {
        LLVMValueRef v = LLVMBuildLoad2(e->b, LLVMVectorType(mt, (unsigned)ek->lanes),
                                        emit_pointer(ek, at->buf, &at->affine), "");
        LLVMSetAlignment(v, run_alignment(ek, at));
        return from_memory(ek, t, v);
    }
    if (e->target->has_gather)
        return gather(ek, at, emit_splat(ek, LLVMConstInt(e->i1, 1, 0)));
    if (is_packed_run(ek, at))
        return load_packed(ek, at);
    LLVMValueRef v = LLVMGetPoison(emit_lane_type(ek, t, true));
    for (int i = 0; i < ek->lanes; i++)
        v = LLVMBuildInsertElement(e->b, v, load_element(ek, at->buf, lane_offset(ek, at, i)),
                                   emit_index(e, i), "");
    return v;
}

void emit_store(struct emit_kernel *ek, const struct eaddress *at, LLVMValueRef v, bool varying)
{
    struct emit *e = ek->e;
    enum dtype t = ek->k->bufs[at->buf].dtype;
    if (ek->lanes == 1) {
        store_element(ek, at->buf, eaffine_value(ek, &at->affine), v);
        return;
    }
    if (!varying)
        v = emit_splat(ek, v);
    if (is_contiguous(ek, at)) {
        LLVMValueRef p = emit_pointer(ek, at->buf, &at->affine);
        LLVMValueRef s = LLVMBuildStore(e->b, to_memory(ek, t, v), p);
        LLVMSetAlignment(s, run_alignment(ek, at));
        return;
    }
    if (e->target->has_gather) {
        scatter(ek, at, v);
        return;
    }
    for (int i = 0; i < ek->lanes; i++) {
        LLVMValueRef lane = LLVMBuildExtractElement(e->b, v, emit_index(e, i), "");
        store_element(ek, at->buf, lane_offset(ek, at, i), lane);
    }
}

/* The test that index d of an access is in range: NULL where it is known to be. */
static LLVMValueRef test_index(struct emit_kernel *ek, const struct kinst *in, int d,
                               bool *out_varying)
{
    struct emit *e = ek->e;
    const struct kbuf *buf = &ek->k->bufs[in->buf];
    struct eaffine a;
    LLVMValueRef i, extent = extent_value(ek, buf, d);
    if (emit_affine(ek, in->args[d], &a)) {
        int64_t least, most;
        if (buf->extent_buf[d] < 0 && eaffine_range(ek, &a, &least, &most) && least >= 0 &&
            most < buf->dims[d])
            return NULL;
        i = eaffine_full(ek, &a, out_varying);
    } else {
        /* It comes from data: cut to the width of an address it might seem to be inside. */
        *out_varying = ek->varying[in->args[d]];
        i = emit_get(ek, in->args[d], *out_varying);
        extent = emit_from_index(e, extent);
    }
    if (*out_varying)
        extent = emit_splat(ek, extent);
    return LLVMBuildICmp(e->b, LLVMIntULT, i, extent, "");
}

/* Whether an access is in range: what holds for all lanes, and lane by lane; NULL: it does. */
struct in_range {
    LLVMValueRef uniform, varying;
};

static struct in_range test_indices(struct emit_kernel *ek, const struct kinst *in)
{
    struct in_range r = {NULL, NULL};
    for (int d = 0; d < ek->k->bufs[in->buf].rank; d++) {
        bool vary;
        LLVMValueRef c = test_index(ek, in, d, &vary);
        if (!c)
            continue;
        LLVMValueRef *all = vary ? &r.varying : &r.uniform;
        *all = *all ? LLVMBuildAnd(ek->e->b, *all, c, "") : c;
    }
    return r;
}

/* Element by element, for some lanes must not touch their address, or lie apart.  One condition is
   for all lanes or for each. */
static LLVMValueRef load_lanes(struct emit_kernel *ek, const struct eaddress *at, LLVMValueRef ok,
                               bool for_each)
{
    struct emit *e = ek->e;
    if (e->target->has_gather)
        return gather(ek, at, for_each ? ok : emit_splat(ek, ok));
    LLVMValueRef r = LLVMGetPoison(emit_lane_type(ek, ek->k->bufs[at->buf].dtype, true));
    for (int i = 0; i < ek->lanes; i++) {
        LLVMValueRef bit = for_each ? LLVMBuildExtractElement(e->b, ok, emit_index(e, i), "") : ok;
        LLVMValueRef off = LLVMBuildSelect(e->b, bit, lane_offset(ek, at, i), emit_index(e, 0), "");
        r = LLVMBuildInsertElement(e->b, r, load_element(ek, at->buf, off), emit_index(e, i), "");
    }
    return r;
}

/* All lanes in one load, from the start of the buffer where the condition does not hold. */
static LLVMValueRef load_run(struct emit_kernel *ek, const struct eaddress *at, LLVMValueRef ok,
                             bool *out_varying)
{
    struct emit *e = ek->e;
    LLVMValueRef base = eaffine_value(ek, &at->affine);
    LLVMValueRef from = LLVMBuildSelect(e->b, ok, base, emit_index(e, 0), "");
    struct eaffine safe = eaffine_const(0);
    if (e->target->host && is_contiguous(ek, at)) {
        /* The start is as aligned as any run. */
        int64_t step = common_step(ek, at);
        from = LLVMBuildExactSDiv(e->b, from, emit_index(e, step), "");
        eaffine_add_term(&safe, emit_add_var(ek, from, 0), step);
    } else {
        eaffine_add_term(&safe, emit_add_var(ek, from, 0), 1);
    }
    eaffine_add_term(&safe, EVAR_LANE, eaffine_lane(&at->affine));
    struct eaddress clamped = {.buf = at->buf, .affine = safe};
    return emit_load(ek, &clamped, out_varying);
}

/*
 * load_or: where the indices are out of range, element 0 is read instead and dropped, so that no
 * branch is needed.  A buffer without elements may lie nowhere, but there the test is false when
 * compiling, and the load goes as dead code.
 */
void emit_load_or(struct emit_kernel *ek, kval v)
{
    struct emit *e = ek->e;
    const struct kinst *in = kernel_inst(ek->k, v);
    kval otherwise = in->args[in->n_args - 1];
    struct in_range test = test_indices(ek, in);
    struct eaddress at = emit_address(ek, in->buf, in->args);
    LLVMValueRef r, ok = test.uniform;
    bool vary = true;
    if (!test.uniform && !test.varying) {
        r = emit_load(ek, &at, &vary);
        emit_set(ek, v, r, vary);
        return;
    }
    if (test.varying) {
        ok = ok ? LLVMBuildAnd(e->b, test.varying, emit_splat(ek, ok), "") : test.varying;
        r = load_lanes(ek, &at, ok, true);
    } else if (ek->lanes > 1 && !is_contiguous(ek, &at) &&
               (at.varying || (eaffine_lane(&at.affine) && !e->target->has_gather))) {
        r = load_lanes(ek, &at, ok, false);
    } else {
        r = load_run(ek, &at, ok, &vary);
    }
    vary = vary || ek->varying[otherwise];
    if (vary && LLVMGetTypeKind(LLVMTypeOf(r)) != LLVMVectorTypeKind)
        r = emit_splat(ek, r);
    r = LLVMBuildSelect(e->b, ok, r, emit_get(ek, otherwise, vary), "");
    emit_set(ek, v, r, vary);
}

/*
 * eval_lanes.c: the arithmetic of kernel_ops.def over lanes.  kernel_scalar.c states the same for
 * one value, and is what the tests compare with.
 *
 * Loops of the full width have a constant number of rounds, which compilers turn into vector code.
 * Multiplication and addition are never one statement, so that no compiler contracts them.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "ir/eval_internal.h"
#include "ir/kernel_scalar.h"

#define EACH(statement)                                                                            \
    do {                                                                                           \
        if (n == EVAL_LANES) {                                                                     \
            for (int l = 0; l < EVAL_LANES; l++)                                                   \
                statement;                                                                         \
        } else {                                                                                   \
            for (int l = 0; l < n; l++)                                                            \
                statement;                                                                         \
        }                                                                                          \
    } while (0)

static void wrap(enum dtype t, union lanes *out, int n)
{
    switch (t) {
    case DTYPE_I64:
    case DTYPE_U64:
        break;
    case DTYPE_I32:
        EACH(out->i[l] = (int32_t)(uint32_t)out->i[l]);
        break;
    case DTYPE_U32:
        EACH(out->i[l] = (uint32_t)out->i[l]);
        break;
    default:
        EACH(out->i[l] = kscalar_wrap(t, out->i[l]));
        break;
    }
}

static void round_half(enum dtype t, union lanes *out, int n)
{
    if (t == DTYPE_F16)
        EACH(out->f[l] = dtype_f16_to_f32(dtype_f32_to_f16(out->f[l])));
    else if (t == DTYPE_BF16)
        EACH(out->f[l] = dtype_bf16_to_f32(dtype_f32_to_bf16(out->f[l])));
}

void eval_copy(enum dtype t, union lanes *out, const union lanes *a, int n)
{
    if (dtype_is_float(t) && t != DTYPE_F64)
        memmove(out->f, a->f, (size_t)n * sizeof(float));
    else
        memmove(out->i, a->i, (size_t)n * sizeof(int64_t));
}

/* `suffix`: of the functions in math.h. */
#define FLOAT_UNARY(member, suffix)                                                                \
    do {                                                                                           \
        switch (op) {                                                                              \
        case KOP_NEG:                                                                              \
            EACH(out->member[l] = -a->member[l]);                                                  \
            break;                                                                                 \
        case KOP_ABS:                                                                              \
            EACH(out->member[l] = fabs##suffix(a->member[l]));                                     \
            break;                                                                                 \
        case KOP_SQRT:                                                                             \
            EACH(out->member[l] = sqrt##suffix(a->member[l]));                                     \
            break;                                                                                 \
        case KOP_FLOOR:                                                                            \
            EACH(out->member[l] = floor##suffix(a->member[l]));                                    \
            break;                                                                                 \
        case KOP_CEIL:                                                                             \
            EACH(out->member[l] = ceil##suffix(a->member[l]));                                     \
            break;                                                                                 \
        case KOP_TRUNC:                                                                            \
            EACH(out->member[l] = trunc##suffix(a->member[l]));                                    \
            break;                                                                                 \
        default:                                                                                   \
            assert(op == KOP_RINT);                                                                \
            EACH(out->member[l] = nearbyint##suffix(a->member[l]));                                \
            break;                                                                                 \
        }                                                                                          \
    } while (0)

void eval_unary(enum kop op, enum dtype t, union lanes *out, const union lanes *a, int n)
{
    bool is_signed = dtype_kind(t) == DTYPE_KIND_INT;
    if (t == DTYPE_F64) {
        FLOAT_UNARY(d, );
        return;
    }
    if (dtype_is_float(t)) {
        FLOAT_UNARY(f, f);
        if (op != KOP_NEG && op != KOP_ABS) /* exact; and a NaN keeps its bits */
            round_half(t, out, n);
        return;
    }
    switch (op) {
    case KOP_NEG:
        EACH(out->i[l] = (int64_t)(0 - (uint64_t)a->i[l]));
        break;
    case KOP_ABS:
        EACH(out->i[l] = is_signed && a->i[l] < 0 ? (int64_t)(0 - (uint64_t)a->i[l]) : a->i[l]);
        break;
    default:
        assert(op == KOP_NOT);
        if (t == DTYPE_BOOL)
            EACH(out->i[l] = !a->i[l]);
        else
            EACH(out->i[l] = ~a->i[l]);
        break;
    }
    wrap(t, out, n);
}

#define FLOAT_BINARY(member)                                                                       \
    do {                                                                                           \
        switch (op) {                                                                              \
        case KOP_ADD:                                                                              \
            EACH(out->member[l] = a->member[l] + b->member[l]);                                    \
            break;                                                                                 \
        case KOP_SUB:                                                                              \
            EACH(out->member[l] = a->member[l] - b->member[l]);                                    \
            break;                                                                                 \
        case KOP_MUL:                                                                              \
            EACH(out->member[l] = a->member[l] * b->member[l]);                                    \
            break;                                                                                 \
        case KOP_DIV:                                                                              \
            EACH(out->member[l] = a->member[l] / b->member[l]);                                    \
            break;                                                                                 \
        case KOP_MIN:                                                                              \
            EACH(out->member[l] = a->member[l] < b->member[l] ? a->member[l] : b->member[l]);      \
            break;                                                                                 \
        default:                                                                                   \
            assert(op == KOP_MAX);                                                                 \
            EACH(out->member[l] = a->member[l] > b->member[l] ? a->member[l] : b->member[l]);      \
            break;                                                                                 \
        }                                                                                          \
    } while (0)

static void binary_int(enum kop op, enum dtype t, union lanes *out, const union lanes *va,
                       const union lanes *vb, int n)
{
    const int64_t *a = va->i, *b = vb->i;
    int64_t *r = out->i;
    switch (op) {
    case KOP_ADD:
        EACH(r[l] = (int64_t)((uint64_t)a[l] + (uint64_t)b[l]));
        break;
    case KOP_SUB:
        EACH(r[l] = (int64_t)((uint64_t)a[l] - (uint64_t)b[l]));
        break;
    case KOP_MUL:
        EACH(r[l] = (int64_t)((uint64_t)a[l] * (uint64_t)b[l]));
        break;
    case KOP_MIN:
        if (t == DTYPE_U64)
            EACH(r[l] = (uint64_t)a[l] < (uint64_t)b[l] ? a[l] : b[l]);
        else
            EACH(r[l] = a[l] < b[l] ? a[l] : b[l]);
        return;
    case KOP_MAX:
        if (t == DTYPE_U64)
            EACH(r[l] = (uint64_t)a[l] > (uint64_t)b[l] ? a[l] : b[l]);
        else
            EACH(r[l] = a[l] > b[l] ? a[l] : b[l]);
        return;
    case KOP_AND:
        EACH(r[l] = a[l] & b[l]);
        return;
    case KOP_OR:
        EACH(r[l] = a[l] | b[l]);
        return;
    case KOP_XOR:
        EACH(r[l] = a[l] ^ b[l]);
        return;
    default: /* divisions and shifts */
        for (int l = 0; l < n; l++)
            r[l] = kscalar_binary(op, t, (union kscalar){.i = a[l]}, (union kscalar){.i = b[l]}).i;
        return;
    }
    wrap(t, out, n);
}

void eval_binary(enum kop op, enum dtype t, union lanes *out, const union lanes *a,
                 const union lanes *b, int n)
{
    if (t == DTYPE_F64) {
        FLOAT_BINARY(d);
    } else if (dtype_is_float(t)) {
        FLOAT_BINARY(f);
        round_half(t, out, n);
    } else {
        binary_int(op, t, out, a, b, n);
    }
}

#define COMPARE(cast, member)                                                                      \
    do {                                                                                           \
        switch (op) {                                                                              \
        case KOP_EQ:                                                                               \
            EACH(out->i[l] = (cast)a->member[l] == (cast)b->member[l]);                            \
            break;                                                                                 \
        case KOP_NE:                                                                               \
            EACH(out->i[l] = (cast)a->member[l] != (cast)b->member[l]);                            \
            break;                                                                                 \
        case KOP_LT:                                                                               \
            EACH(out->i[l] = (cast)a->member[l] < (cast)b->member[l]);                             \
            break;                                                                                 \
        default:                                                                                   \
            assert(op == KOP_LE);                                                                  \
            EACH(out->i[l] = (cast)a->member[l] <= (cast)b->member[l]);                            \
            break;                                                                                 \
        }                                                                                          \
    } while (0)

void eval_compare(enum kop op, enum dtype t, union lanes *out, const union lanes *a,
                  const union lanes *b, int n)
{
    if (t == DTYPE_F64)
        COMPARE(double, d);
    else if (dtype_is_float(t))
        COMPARE(float, f);
    else if (t == DTYPE_U64)
        COMPARE(uint64_t, i);
    else
        COMPARE(int64_t, i);
}

void eval_select(enum dtype t, union lanes *out, const union lanes *c, const union lanes *a,
                 const union lanes *b, int n)
{
    if (dtype_is_float(t) && t != DTYPE_F64)
        EACH(out->f[l] = c->i[l] ? a->f[l] : b->f[l]);
    else
        EACH(out->i[l] = c->i[l] ? a->i[l] : b->i[l]);
}

/* One lane as a scalar and back, for the conversions that nobody waits for. */
static union kscalar get(enum dtype t, const union lanes *s, int l)
{
    union kscalar r;
    if (t == DTYPE_F64)
        r.f = s->d[l];
    else if (dtype_is_float(t))
        r.f = (double)s->f[l];
    else
        r.i = s->i[l];
    return r;
}

static void put(enum dtype t, union lanes *s, int l, union kscalar v)
{
    if (t == DTYPE_F64)
        s->d[l] = v.f;
    else if (dtype_is_float(t))
        s->f[l] = (float)v.f;
    else
        s->i[l] = v.i;
}

void eval_cast(enum dtype to, enum dtype from, union lanes *out, const union lanes *a, int n)
{
    bool from_float = dtype_is_float(from), from_wide = from == DTYPE_F64;
    if (!from_float && to != DTYPE_BOOL && !dtype_is_float(to)) {
        EACH(out->i[l] = a->i[l]);
        wrap(to, out, n);
    } else if (from_float && !from_wide && to == DTYPE_F32) {
        EACH(out->f[l] = a->f[l]);
    } else if (from_float && !from_wide && (to == DTYPE_F16 || to == DTYPE_BF16)) {
        EACH(out->f[l] = a->f[l]);
        round_half(to, out, n);
    } else if (!from_float && from != DTYPE_U64 && to == DTYPE_F32) {
        EACH(out->f[l] = (float)a->i[l]);
    } else if (from_float && !from_wide && to == DTYPE_F64) {
        EACH(out->d[l] = (double)a->f[l]);
    } else {
        for (int l = 0; l < n; l++)
            put(to, out, l, kscalar_cast(to, from, get(from, a, l)));
    }
}

void eval_bitcast(enum dtype to, enum dtype from, union lanes *out, const union lanes *a, int n)
{
    if (to == DTYPE_F32 || from == DTYPE_F32) {
        /* Copied, not converted: a NaN keeps its payload. */
        for (int l = 0; l < n; l++) {
            uint32_t bits = (uint32_t)a->i[l];
            if (from == DTYPE_F32)
                memcpy(&bits, &a->f[l], sizeof bits);
            if (to == DTYPE_F32)
                memcpy(&out->f[l], &bits, sizeof bits);
            else
                out->i[l] = kscalar_wrap(to, bits);
        }
        return;
    }
    for (int l = 0; l < n; l++)
        put(to, out, l, kscalar_bitcast(to, from, get(from, a, l)));
}

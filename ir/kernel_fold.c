#include "ir/kernel_fold.h"

#include <math.h>

bool kernel_raw_const(const struct kernel *k, kval v, union kscalar *out)
{
    const struct kinst *i = kernel_inst(k, v);
    if (i->op != KOP_CONST)
        return false;
    if (dtype_is_float(i->type))
        out->f = i->imm.f;
    else
        out->i = i->imm.i;
    return true;
}

void kernel_raw_set_const(struct kernel *k, kval v, union kscalar value)
{
    struct kinst *i = kernel_inst(k, v);
    i->op = KOP_CONST;
    i->buf = -1;
    i->n_args = 0;
    i->args = NULL;
    if (dtype_is_float(i->type))
        i->imm.f = isnan(value.f) ? (double)NAN : value.f;
    else
        i->imm.i = value.i;
}

/* x op c where that is x to the bit (NaN payloads aside). */
static bool is_right_identity(enum kop op, enum dtype type, union kscalar c)
{
    if (dtype_is_float(type)) {
        switch (op) {
        case KOP_ADD:
            return c.f == 0 && signbit(c.f);
        case KOP_SUB:
            return c.f == 0 && !signbit(c.f);
        case KOP_MUL:
        case KOP_DIV:
            return c.f == 1;
        default:
            return false;
        }
    }
    switch (op) {
    case KOP_ADD:
    case KOP_SUB:
    case KOP_OR:
    case KOP_XOR:
    case KOP_SHL:
    case KOP_SHR:
        return c.i == 0;
    case KOP_MUL:
    case KOP_DIV:
        return c.i == 1;
    default:
        return false;
    }
}

static bool commutes(enum kop op)
{
    return op == KOP_ADD || op == KOP_MUL || op == KOP_OR || op == KOP_XOR || op == KOP_AND;
}

static bool is_absorbed(enum kop op, enum dtype type, union kscalar c)
{
    return (op == KOP_MUL || op == KOP_AND) && !dtype_is_float(type) && c.i == 0;
}

static struct kernel_fold fold_binary(const struct kernel *k, enum kop op, enum dtype type, kval a,
                                      kval b)
{
    struct kernel_fold f = {0};
    union kscalar ca, cb;
    bool a_const = kernel_raw_const(k, a, &ca), b_const = kernel_raw_const(k, b, &cb);
    if (a_const && b_const) {
        bool shift = op == KOP_SHL || op == KOP_SHR;
        if (shift && (uint64_t)cb.i >= dtype_bits(type))
            return f; /* not allowed, and left to the validator and its author */
        f.is_const = true;
        f.value = kscalar_binary(op, type, ca, cb);
    } else if (b_const && is_right_identity(op, type, cb)) {
        f.same = a;
    } else if (a_const && commutes(op) && is_right_identity(op, type, ca)) {
        f.same = b;
    } else if (b_const && is_absorbed(op, type, cb)) {
        f.same = b;
    } else if (a_const && is_absorbed(op, type, ca)) {
        f.same = a;
    }
    return f;
}

static struct kernel_fold fold_conversion(const struct kernel *k, enum kop op, enum dtype to,
                                          kval a)
{
    struct kernel_fold f = {0};
    enum dtype from = kernel_inst(k, a)->type;
    union kscalar s;
    if (from == to) {
        f.same = a;
        return f;
    }
    if (!kernel_raw_const(k, a, &s))
        return f;
    f.value = op == KOP_CAST ? kscalar_cast(to, from, s) : kscalar_bitcast(to, from, s);
    /* The bits of a NaN are not those that a constant keeps. */
    bool nan = (dtype_is_float(from) && isnan(s.f)) || (dtype_is_float(to) && isnan(f.value.f));
    f.is_const = op == KOP_CAST || !nan;
    return f;
}

struct kernel_fold kernel_raw_fold(const struct kernel *k, enum kop op, enum dtype type, int n_args,
                                   const kval *args)
{
    struct kernel_fold f = {0};
    union kscalar a, b;
    switch (kop_kind(op)) {
    case KOP_KIND_UNARY:
        if (n_args == 1 && kernel_raw_const(k, args[0], &a)) {
            f.is_const = true;
            f.value = kscalar_unary(op, type, a);
        }
        return f;
    case KOP_KIND_BINARY:
        return fold_binary(k, op, type, args[0], args[1]);
    case KOP_KIND_COMPARE:
        if (kernel_raw_const(k, args[0], &a) && kernel_raw_const(k, args[1], &b)) {
            f.is_const = true;
            f.value.i = kscalar_compare(op, kernel_inst(k, args[0])->type, a, b);
        }
        return f;
    default:
        break;
    }
    if (op == KOP_CAST || op == KOP_BITCAST)
        return fold_conversion(k, op, type, args[0]);
    if (op == KOP_SELECT) {
        if (kernel_raw_const(k, args[0], &a))
            f.same = a.i ? args[1] : args[2];
        else if (args[1] == args[2])
            f.same = args[1];
    }
    return f;
}

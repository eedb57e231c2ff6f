/*
 * Calls of the user's functions (bundle.h, sheaf_extern_call): what is constant lies in tables, the
 * addresses are put together on the stack.
 */
#include "bundle/emit/emit_plain.h"

/* Among the other constants: the section of NAME_info is one that linkers may drop. */
static LLVMValueRef table(struct emit *e, LLVMValueRef *rows, size_t n)
{
    if (n == 0)
        return LLVMConstNull(e->ptr);
    LLVMValueRef t = edata_constant(e, "", LLVMConstArray2(LLVMTypeOf(rows[0]), rows, n));
    LLVMSetLinkage(t, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(t, LLVMGlobalUnnamedAddr);
    return t;
}

/* ---- attributes ---- */

static LLVMValueRef values_of(struct emit *e, const struct kextern_attr *a)
{
    size_t n = a->kind == KEXTERN_TENSOR ? 0 : kextern_abi_count(a);
    LLVMValueRef *v = arena_array(e->arena, n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = a->kind == KEXTERN_INTS     ? plain_i64(e, (uint64_t)a->u.ints.v[i])
               : a->kind == KEXTERN_FLOATS ? LLVMConstReal(e->f32, (double)a->u.floats.v[i])
                                           : edata_string(e, a->u.strings.v[i]);
    return table(e, v, n);
}

static LLVMValueRef attributes_of(struct emit *e, const struct kextern *call)
{
    LLVMValueRef *row = arena_array(e->arena, (size_t)call->n_attrs, sizeof *row);
    for (int i = 0; i < call->n_attrs; i++) {
        const struct kextern_attr *a = &call->attrs[i];
        struct edata f = {.e = e};
        edata_put(&f, edata_string(e, a->name));
        edata_put(&f, plain_i32(e, kextern_abi_kind(a)));
        edata_put(&f, plain_i32(e, kextern_abi_count(a)));
        edata_put(&f, values_of(e, a));
        row[i] = edata_finish(&f);
    }
    return table(e, row, (size_t)call->n_attrs);
}

/* ---- tensors ---- */

static LLVMValueRef constant_dims(struct emit *e, const struct kbuf *b)
{
    LLVMValueRef dim[MAX_RANK];
    for (int d = 0; d < b->rank; d++)
        dim[d] = plain_i64(e, (uint64_t)b->dims[d]);
    return table(e, dim, (size_t)b->rank);
}

/* The extents, those read that are known only now. */
static LLVMValueRef dims_of(struct emit_kernel *ek, const struct kbuf *b)
{
    struct emit *e = ek->e;
    bool fixed = true;
    for (int d = 0; d < b->rank; d++)
        fixed = fixed && b->extent_buf[d] < 0;
    if (fixed)
        return constant_dims(e, b);
    LLVMValueRef dims = emit_alloca(ek, LLVMArrayType2(e->i64, (uint64_t)b->rank));
    for (int d = 0; d < b->rank; d++) {
        LLVMValueRef at = emit_index(e, d), v = plain_i64(e, (uint64_t)b->dims[d]);
        if (b->extent_buf[d] >= 0)
            v = LLVMBuildLoad2(e->b, e->i64, ek->buf[b->extent_buf[d]], "");
        LLVMBuildStore(e->b, v, LLVMBuildInBoundsGEP2(e->b, e->i64, dims, &at, 1, ""));
    }
    return dims;
}

static void store_field(struct emit *e, LLVMTypeRef type, LLVMValueRef at, unsigned i,
                        LLVMValueRef v)
{
    LLVMBuildStore(e->b, v, LLVMBuildStructGEP2(e->b, type, at, i, ""));
}

/* An array of struct sheaf_extern_input or sheaf_extern_output, which have the same fields. */
static LLVMValueRef tensors(struct emit_kernel *ek, const int *buf, int n)
{
    struct emit *e = ek->e;
    LLVMTypeRef fields[] = {e->ptr, e->ptr, e->i32, e->i32};
    LLVMTypeRef row = LLVMStructTypeInContext(e->ctx, fields, 4, 0);
    if (n == 0)
        return LLVMConstNull(e->ptr);
    LLVMValueRef all = emit_alloca(ek, LLVMArrayType2(row, (uint64_t)n));
    for (int i = 0; i < n; i++) {
        const struct kbuf *b = buf[i] < 0 ? NULL : &ek->k->bufs[buf[i]];
        LLVMValueRef index = emit_index(e, i);
        LLVMValueRef at = LLVMBuildInBoundsGEP2(e->b, row, all, &index, 1, "");
        store_field(e, row, at, 0, b ? ek->buf[buf[i]] : LLVMConstNull(e->ptr));
        store_field(e, row, at, 1, b ? dims_of(ek, b) : LLVMConstNull(e->ptr));
        store_field(e, row, at, 2, plain_i32(e, b ? (int64_t)dtype_code(b->dtype) : 0));
        store_field(e, row, at, 3, plain_i32(e, b ? b->rank : 0));
    }
    return all;
}

void emit_extern(struct emit_kernel *ek, const struct kextern *call)
{
    struct emit *e = ek->e;
    LLVMTypeRef fields[] = {e->ptr, e->ptr, e->ptr, e->i32, e->i32, e->i32, e->i32};
    LLVMTypeRef type = LLVMStructTypeInContext(e->ctx, fields, 7, 0);
    LLVMValueRef inputs = tensors(ek, call->in, call->n_in + call->n_tensors);
    LLVMValueRef outputs = tensors(ek, call->out, call->n_out);
    LLVMValueRef at = emit_alloca(ek, type);
    store_field(e, type, at, 0, inputs);
    store_field(e, type, at, 1, outputs);
    store_field(e, type, at, 2, attributes_of(e, call));
    store_field(e, type, at, 3, plain_i32(e, call->n_in));
    store_field(e, type, at, 4, plain_i32(e, call->n_out));
    store_field(e, type, at, 5, plain_i32(e, call->n_attrs));
    store_field(e, type, at, 6, plain_i32(e, 0));
    plain_call_extern(e, kextern_symbol(e->arena, call->op), e->void_, &at, 1);
}

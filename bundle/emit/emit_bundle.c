/* NAME_config and NAME_info: the structs of bundle.h as constant data of the target. */
#include <stdio.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "ir/version.h"

struct field {
    struct emit *e;
    LLVMValueRef v[16];
    unsigned n;
};

static void put(struct field *f, LLVMValueRef v)
{
    f->v[f->n++] = v;
}

static LLVMValueRef u32(struct emit *e, uint32_t v)
{
    return LLVMConstInt(e->i32, v, 0);
}

static LLVMValueRef u64(struct emit *e, uint64_t v)
{
    return LLVMConstInt(e->i64, v, 0);
}

static LLVMValueRef private_data(struct emit *e, LLVMValueRef init)
{
    LLVMValueRef g = LLVMAddGlobal(e->mod, LLVMTypeOf(init), "");
    LLVMSetInitializer(g, init);
    LLVMSetGlobalConstant(g, 1);
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    return g;
}

static LLVMValueRef string(struct emit *e, const char *s)
{
    LLVMValueRef g = private_data(e, LLVMConstStringInContext2(e->ctx, s, strlen(s), 0));
    LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
    return g;
}

static LLVMValueRef u64_array(struct emit *e, const uint64_t *v, int n)
{
    LLVMValueRef elem[MAX_RANK];
    for (int i = 0; i < n; i++)
        elem[i] = u64(e, v[i]);
    return private_data(e, LLVMConstArray2(e->i64, elem, (uint64_t)n));
}

static LLVMValueRef finish(struct field *f)
{
    return LLVMConstStructInContext(f->e->ctx, f->v, f->n, 0);
}

static LLVMValueRef config_entry(struct emit *e, const struct program *p,
                                 const struct emit_symbol *s)
{
    const struct pbuf *b = &p->bufs[s->buf];
    struct field f = {.e = e};
    put(&f, string(e, s->name));
    put(&f, LLVMConstInt(e->size, (uint64_t)b->offset, 0));
    put(&f, LLVMConstInt(e->size, (uint64_t)layout_elems(&b->layout, b->dims), 0));
    put(&f, LLVMConstInt(e->i8, b->area == AREA_MUTABLE, 0));
    return finish(&f);
}

static LLVMValueRef extents(struct emit *e, const struct program *p, const struct pbuf *b)
{
    uint64_t offset[MAX_RANK];
    bool any = false;
    for (int d = 0; d < b->rank; d++) {
        offset[d] = UINT64_MAX;
        if (b->extent_buf[d] >= 0) {
            offset[d] = (uint64_t)p->bufs[b->extent_buf[d]].offset;
            any = true;
        }
    }
    return any ? u64_array(e, offset, b->rank) : LLVMConstNull(e->ptr);
}

static LLVMValueRef info_entry(struct emit *e, const struct program *p, const struct emit_symbol *s)
{
    const struct pbuf *b = &p->bufs[s->buf];
    uint64_t dims[MAX_RANK];
    for (int d = 0; d < b->rank; d++)
        dims[d] = (uint64_t)b->dims[d];
    struct field f = {.e = e};
    put(&f, string(e, b->name));
    put(&f, u32(e, dtype_code(b->dtype)));
    put(&f, u32(e, b->area == AREA_CONSTANT ? SHEAF_ROLE_CONSTANT : (uint32_t)b->role));
    put(&f, u32(e, (uint32_t)b->rank));
    put(&f, LLVMConstReal(e->f32, (double)b->quant.scale));
    put(&f, u32(e, (uint32_t)b->quant.zero_point));
    put(&f, u32(e, 0));
    put(&f, u64(e, (uint64_t)b->bytes));
    put(&f, b->rank ? u64_array(e, dims, b->rank) : LLVMConstNull(e->ptr));
    put(&f, string(e, layout_print(&b->layout, e->arena)));
    put(&f, extents(e, p, b));
    return finish(&f);
}

static LLVMValueRef table(struct emit *e, const struct emit_request *req,
                          LLVMValueRef (*entry)(struct emit *, const struct program *,
                                                const struct emit_symbol *))
{
    if (req->n_symbols == 0)
        return LLVMConstNull(e->ptr);
    LLVMValueRef *rows = arena_array(e->arena, req->n_symbols, sizeof *rows);
    for (size_t i = 0; i < req->n_symbols; i++)
        rows[i] = entry(e, req->program, &req->symbols[i]);
    return private_data(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, req->n_symbols));
}

static LLVMValueRef exported(struct emit *e, const struct emit_request *req, const char *suffix,
                             LLVMValueRef init)
{
    LLVMValueRef g = LLVMAddGlobal(e->mod, LLVMTypeOf(init),
                                   arena_printf(e->arena, "%s_%s", req->entry, suffix));
    LLVMSetInitializer(g, init);
    LLVMSetGlobalConstant(g, 1);
    return g;
}

void emit_bundle_data(struct emit *e, const struct emit_request *req)
{
    const struct program *p = req->program;
    struct field config = {.e = e};
    for (int a = 0; a < AREA_COUNT; a++)
        put(&config, LLVMConstInt(e->size, (uint64_t)p->area_bytes[a], 0));
    put(&config, LLVMConstInt(e->size, PROGRAM_ALIGNMENT, 0));
    put(&config, LLVMConstInt(e->size, req->n_symbols, 0));
    put(&config, table(e, req, config_entry));
    LLVMValueRef config_symbol = exported(e, req, "config", finish(&config));

    struct field info = {.e = e};
    put(&info, u32(e, SHEAF_INFO_VERSION));
    put(&info, u32(e, sizeof(struct sheaf_bundle_info)));
    put(&info, string(e, req->entry));
    put(&info, string(e, SHEAF_TOOL));
    put(&info, string(e, req->target->triple));
    put(&info, string(e, req->target->cpu));
    put(&info, string(e, req->target->features));
    LLVMValueRef digest[16];
    for (int i = 0; i < 16; i++)
        digest[i] = LLVMConstInt(e->i8, req->weights_digest[i], 0);
    put(&info, LLVMConstArray2(e->i8, digest, 16));
    put(&info, u32(e, SHEAF_FP_CALLER));
    put(&info, u32(e, 0));
    put(&info, config_symbol);
    put(&info, table(e, req, info_entry));
    exported(e, req, "info", finish(&info));
}

/* NAME_config and NAME_info: the structs of bundle.h as constant data of the target. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "bundle/emit/emit_plain.h"
#include "bundle/read/object.h"
#include "ir/version.h"

struct field {
    struct emit *e;
    LLVMValueRef v[24];
    unsigned n;
};

static void put(struct field *f, LLVMValueRef v)
{
    f->v[f->n++] = v;
}

static LLVMValueRef constant(struct emit *e, const char *name, LLVMValueRef init)
{
    LLVMValueRef g = LLVMAddGlobal(e->mod, LLVMTypeOf(init), name);
    LLVMSetInitializer(g, init);
    LLVMSetGlobalConstant(g, 1);
    return g;
}

/* Firmware that knows its network by the macros alone has no need of the tables: its linker drops
   a section that nothing refers to. */
static LLVMValueRef in_own_section(struct emit *e, LLVMValueRef g)
{
    if (e->target->has_function_sections)
        LLVMSetSection(g, ".rodata.bundle");
    return g;
}

static LLVMValueRef private_data(struct emit *e, LLVMValueRef init)
{
    LLVMValueRef g = in_own_section(e, constant(e, "", init));
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    return g;
}

/* Linkers put equal ones together, if they lie in the usual section.  LLVM would align long ones.
 */
static LLVMValueRef string(struct emit *e, const char *s)
{
    LLVMValueRef g = constant(e, "", LLVMConstStringInContext2(e->ctx, s, strlen(s), 0));
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    if (e->target->has_function_sections)
        LLVMSetAlignment(g, 1);
    LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
    return g;
}

static LLVMValueRef u64_array(struct emit *e, const uint64_t *v, int n)
{
    LLVMValueRef elem[MAX_RANK];
    for (int i = 0; i < n; i++)
        elem[i] = plain_i64(e, v[i]);
    return private_data(e, LLVMConstArray2(e->i64, elem, (uint64_t)n));
}

static LLVMValueRef finish(struct field *f)
{
    return LLVMConstStructInContext(f->e->ctx, f->v, f->n, 0);
}

static LLVMValueRef config_row(struct emit *e, const struct program *p, const struct emit_symbol *s)
{
    const struct pbuf *b = &p->bufs[s->buf];
    struct field f = {.e = e};
    put(&f, string(e, s->name));
    put(&f, LLVMConstInt(e->index, (uint64_t)b->offset, 0));
    put(&f, LLVMConstInt(e->index, (uint64_t)layout_elems(&b->layout, b->dims), 0));
    put(&f, LLVMConstInt(e->i8, b->area == AREA_MUTABLE ? 1 : program_is_overlaid(b) ? 2 : 0, 0));
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

static LLVMValueRef info_row(struct emit *e, const struct program *p, const struct emit_symbol *s)
{
    const struct pbuf *b = &p->bufs[s->buf];
    uint64_t dims[MAX_RANK];
    for (int d = 0; d < b->rank; d++)
        dims[d] = (uint64_t)b->dims[d];
    struct field f = {.e = e};
    put(&f, string(e, b->name));
    put(&f, plain_i32(e, dtype_code(b->dtype)));
    put(&f, plain_i32(e, b->area == AREA_CONSTANT ? SHEAF_ROLE_CONSTANT : (uint32_t)b->role));
    put(&f, plain_i32(e, (uint32_t)b->rank));
    put(&f, LLVMConstReal(e->f32, (double)b->quant.scale));
    put(&f, plain_i32(e, (uint32_t)b->quant.zero_point));
    put(&f, plain_i32(e, 0));
    put(&f, plain_i64(e, (uint64_t)b->bytes));
    put(&f, b->rank ? u64_array(e, dims, b->rank) : LLVMConstNull(e->ptr));
    put(&f, string(e, layout_print(&b->layout, e->arena)));
    put(&f, extents(e, p, b));
    return finish(&f);
}

static LLVMValueRef table(struct emit *e, const struct emit_entry *entry,
                          LLVMValueRef (*row)(struct emit *, const struct program *,
                                              const struct emit_symbol *))
{
    if (entry->n_symbols == 0)
        return LLVMConstNull(e->ptr);
    LLVMValueRef *rows = arena_array(e->arena, entry->n_symbols, sizeof *rows);
    for (size_t i = 0; i < entry->n_symbols; i++) {
        const struct emit_symbol *s = &entry->symbols[i];
        rows[i] = row(e, entry->parts[s->part].program, s);
    }
    return private_data(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, entry->n_symbols));
}

static LLVMValueRef exported(struct emit *e, const struct emit_entry *entry, const char *suffix,
                             LLVMValueRef init)
{
    const char *name = arena_printf(e->arena, "%s_%s", entry->name, suffix);
    return in_own_section(e, constant(e, name, init));
}

/* They stand behind all others. */
static size_t count_overlaid(const struct emit_entry *entry)
{
    size_t n = 0;
    for (size_t i = 0; i < entry->n_symbols; i++) {
        const struct emit_symbol *s = &entry->symbols[i];
        n += program_is_overlaid(&entry->parts[s->part].program->bufs[s->buf]);
    }
    return n;
}

/* The areas are the same for all parts. */
static LLVMValueRef config(struct emit *e, const struct emit_entry *entry)
{
    const struct program *p = entry->parts[0].program;
    struct field f = {.e = e};
    for (int a = 0; a < AREA_COUNT; a++)
        put(&f, LLVMConstInt(e->index, (uint64_t)p->area_bytes[a], 0));
    put(&f, LLVMConstInt(e->index, PROGRAM_ALIGNMENT, 0));
    put(&f, LLVMConstInt(e->index, entry->n_symbols - count_overlaid(entry), 0));
    put(&f, table(e, entry, config_row));
    return finish(&f);
}

static LLVMValueRef digest(struct emit *e, const struct emit_request *req)
{
    LLVMValueRef byte[16];
    for (int i = 0; i < 16; i++)
        byte[i] = LLVMConstInt(e->i8, req->weights_digest[i], 0);
    return LLVMConstArray2(e->i8, byte, 16);
}

static LLVMValueRef variants(struct emit *e, const struct emit_entry *entry)
{
    LLVMValueRef *rows = arena_array(e->arena, entry->n_parts, sizeof *rows);
    for (size_t i = 0; i < entry->n_parts; i++) {
        struct field f = {.e = e};
        put(&f, string(e, entry->parts[i].target->cpu));
        put(&f, string(e, entry->parts[i].target->features));
        rows[i] = finish(&f);
    }
    return private_data(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, entry->n_parts));
}

static LLVMValueRef function(struct emit *e, const struct emit_entry *entry, const char *suffix)
{
    return LLVMGetNamedFunction(e->mod, arena_printf(e->arena, "%s_%s", entry->name, suffix));
}

/* Among the fields of NAME_info. */
static const unsigned late_position[] = {[EMIT_STACK_BYTES] = 15, [EMIT_LAYOUT_ID] = 17};

void emit_entry_data(struct emit *e, const struct emit_request *req, const struct emit_entry *entry)
{
    LLVMValueRef config_symbol = exported(e, entry, "config", config(e, entry));
    bool several = entry->n_parts > 1;
    const struct target *t = several ? e->target : entry->parts[0].target;
    struct field f = {.e = e};
    put(&f, plain_i32(e, SHEAF_INFO_VERSION));
    put(&f, plain_i32(e, 0)); /* its size, see below */
    put(&f, string(e, entry->name));
    put(&f, string(e, SHEAF_TOOL));
    put(&f, string(e, t->triple));
    put(&f, string(e, t->cpu));
    put(&f, string(e, t->features));
    put(&f, digest(e, req));
    put(&f, plain_i32(e, SHEAF_FP_CALLER));
    put(&f, plain_i32(e, several ? (uint32_t)entry->n_parts : 0));
    put(&f, config_symbol);
    put(&f, table(e, entry, info_row));
    put(&f, several ? variants(e, entry) : LLVMConstNull(e->ptr));
    put(&f, several ? function(e, entry, "select") : LLVMConstNull(e->ptr));
    put(&f, several ? function(e, entry, "run") : LLVMConstNull(e->ptr));
    assert(f.n == late_position[EMIT_STACK_BYTES]);
    put(&f, plain_i64(e, 0)); /* see emit_set_late */
    put(&f, plain_i64(e, (uint64_t)program_macs(entry->parts[0].program)));
    assert(f.n == late_position[EMIT_LAYOUT_ID]);
    put(&f, plain_i64(e, 0));
    put(&f, plain_i64(e, count_overlaid(entry)));
    LLVMTargetDataRef layout = LLVMGetModuleDataLayout(e->mod);
    f.v[1] = plain_i32(e, (uint32_t)LLVMABISizeOfType(layout, LLVMTypeOf(finish(&f))));
    exported(e, entry, "info", finish(&f));
}

static void patch(struct emit *e, struct bytes *object, const char *symbol, uint64_t at, uint64_t v)
{
    struct object o;
    struct object_symbol s;
    struct object_section section;
    if (object_open(object->data, object->size, &o))
        return;
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        if (!object_symbol(&o, i, &s) || strcmp(s.name, symbol) != 0)
            continue;
        bool inside = object_section(&o, s.section, &section) && at + 8 <= s.size &&
                      s.value + s.size <= section.size;
        assert(inside);
        if (!inside)
            return;
        uint8_t *data = arena_copy(e->arena, object->data, object->size);
        for (int b = 0; b < 8; b++)
            data[section.offset + s.value + at + (uint64_t)b] = (uint8_t)(v >> 8 * b);
        object->data = data;
        return;
    }
}

void emit_set_late(struct emit *e, const struct emit_entry *entry, enum emit_late_field field,
                   uint64_t value, struct bytes *object)
{
    const char *name = arena_printf(e->arena, "%s_info", entry->name);
    LLVMValueRef global = LLVMGetNamedGlobal(e->mod, name), init = LLVMGetInitializer(global);
    LLVMTypeRef type = LLVMTypeOf(init);
    unsigned at = late_position[field];
    struct field f = {.e = e};
    for (unsigned i = 0; i < LLVMCountStructElementTypes(type); i++)
        put(&f, i == at ? plain_i64(e, value) : LLVMGetAggregateElement(init, i));
    LLVMSetInitializer(global, finish(&f));
    patch(e, object, name, LLVMOffsetOfElement(e->layout, type, at), value);
}

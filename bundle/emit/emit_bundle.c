/* NAME_config and NAME_info: the structs of bundle.h as constant data of the target. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "bundle/emit/emit_plain.h"
#include "bundle/read/object.h"
#include "ir/version.h"

static LLVMValueRef u64_array(struct emit *e, const uint64_t *v, int n)
{
    LLVMValueRef elem[MAX_RANK];
    for (int i = 0; i < n; i++)
        elem[i] = plain_i64(e, v[i]);
    return edata_private(e, LLVMConstArray2(e->i64, elem, (uint64_t)n));
}

static LLVMValueRef config_row(struct emit *e, const struct program *p, const struct emit_symbol *s)
{
    const struct pbuf *b = &p->bufs[s->buf];
    struct edata f = {.e = e};
    edata_put(&f, edata_string(e, s->name));
    edata_put(&f, LLVMConstInt(e->index, (uint64_t)b->offset, 0));
    edata_put(&f, LLVMConstInt(e->index, (uint64_t)layout_elems(&b->layout, b->dims), 0));
    edata_put(&f, LLVMConstInt(e->i8,
                               b->area == AREA_MUTABLE  ? 1
                               : program_is_overlaid(b) ? 2
                                                        : 0,
                               0));
    return edata_finish(&f);
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
    struct edata f = {.e = e};
    edata_put(&f, edata_string(e, b->name));
    edata_put(&f, plain_i32(e, dtype_code(b->dtype)));
    edata_put(&f, plain_i32(e, b->area == AREA_CONSTANT ? SHEAF_ROLE_CONSTANT : (uint32_t)b->role));
    edata_put(&f, plain_i32(e, (uint32_t)b->rank));
    edata_put(&f, LLVMConstReal(e->f32, (double)b->quant.scale));
    edata_put(&f, plain_i32(e, (uint32_t)b->quant.zero_point));
    edata_put(&f, plain_i32(e, 0));
    edata_put(&f, plain_i64(e, (uint64_t)b->bytes));
    edata_put(&f, b->rank ? u64_array(e, dims, b->rank) : LLVMConstNull(e->ptr));
    edata_put(&f, edata_string(e, layout_print(&b->layout, e->arena)));
    edata_put(&f, extents(e, p, b));
    return edata_finish(&f);
}

static LLVMValueRef table(struct emit *e, const struct emit_entry *entry,
                          LLVMValueRef (*row)(struct emit *, const struct program *,
                                              const struct emit_symbol *))
{
    LLVMValueRef *rows = arena_array(e->arena, entry->n_symbols + 1, sizeof *rows);
    for (size_t i = 0; i < entry->n_symbols; i++) {
        const struct emit_symbol *s = &entry->symbols[i];
        rows[i] = row(e, entry->parts[s->part].program, s);
    }
    return edata_rows(e, rows, entry->n_symbols);
}

static LLVMValueRef exported(struct emit *e, const struct emit_entry *entry, const char *suffix,
                             LLVMValueRef init)
{
    const char *name = arena_printf(e->arena, "%s_%s", entry->name, suffix);
    return edata_in_own_section(e, edata_constant(e, name, init));
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
    struct edata f = {.e = e};
    for (int a = 0; a < AREA_COUNT; a++)
        edata_put(&f, LLVMConstInt(e->index, (uint64_t)p->area_bytes[a], 0));
    edata_put(&f, LLVMConstInt(e->index, PROGRAM_ALIGNMENT, 0));
    edata_put(&f, LLVMConstInt(e->index, entry->n_symbols - count_overlaid(entry), 0));
    edata_put(&f, table(e, entry, config_row));
    return edata_finish(&f);
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
        struct edata f = {.e = e};
        edata_put(&f, edata_string(e, entry->parts[i].target->cpu));
        edata_put(&f, edata_string(e, entry->parts[i].target->features));
        rows[i] = edata_finish(&f);
    }
    return edata_rows(e, rows, entry->n_parts);
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
    struct edata f = {.e = e};
    edata_put(&f, plain_i32(e, SHEAF_INFO_VERSION));
    edata_put(&f, plain_i32(e, 0)); /* its size, see below */
    edata_put(&f, edata_string(e, entry->name));
    edata_put(&f, edata_string(e, SHEAF_TOOL));
    edata_put(&f, edata_string(e, t->triple));
    edata_put(&f, edata_string(e, t->cpu));
    edata_put(&f, edata_string(e, t->features));
    edata_put(&f, digest(e, req));
    edata_put(&f, plain_i32(e, SHEAF_FP_CALLER));
    edata_put(&f, plain_i32(e, several ? (uint32_t)entry->n_parts : 0));
    edata_put(&f, config_symbol);
    edata_put(&f, table(e, entry, info_row));
    edata_put(&f, several ? variants(e, entry) : LLVMConstNull(e->ptr));
    edata_put(&f, several ? function(e, entry, "select") : LLVMConstNull(e->ptr));
    edata_put(&f, several ? function(e, entry, "run") : LLVMConstNull(e->ptr));
    assert(f.n == late_position[EMIT_STACK_BYTES]);
    edata_put(&f, plain_i64(e, 0)); /* see emit_set_late */
    edata_put(&f, plain_i64(e, (uint64_t)program_macs(entry->parts[0].program)));
    assert(f.n == late_position[EMIT_LAYOUT_ID]);
    edata_put(&f, plain_i64(e, 0));
    edata_put(&f, plain_i64(e, count_overlaid(entry)));
    edata_put(&f, entry->parts[0].target->host ? emit_plan(e, entry) : LLVMConstNull(e->ptr));
    LLVMTargetDataRef layout = LLVMGetModuleDataLayout(e->mod);
    f.v[1] = plain_i32(e, (uint32_t)LLVMABISizeOfType(layout, LLVMTypeOf(edata_finish(&f))));
    exported(e, entry, "info", edata_finish(&f));
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
    struct edata f = {.e = e};
    for (unsigned i = 0; i < LLVMCountStructElementTypes(type); i++)
        edata_put(&f, i == at ? plain_i64(e, value) : LLVMGetAggregateElement(init, i));
    LLVMSetInitializer(global, edata_finish(&f));
    patch(e, object, name, LLVMOffsetOfElement(e->layout, type, at), value);
}

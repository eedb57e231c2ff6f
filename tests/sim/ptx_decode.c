#include "tests/sim/ptx_decode.h"

#include <stdlib.h>

enum { SLOT_ALIGN = 64, SPECIAL_BYTES = 8 * PTX_LANES };

bool ptx_decode_fail(struct ptx_decoder *d, const char *why)
{
    return error_set(d->err, SHEAF_ERROR_FORMAT, "PTX line %d, '%.*s': %s", d->from->line,
                     d->from->n_chars, d->from->text, why);
}

bool ptx_decode_has(const struct ptx_decoder *d, const char *part)
{
    for (int i = 1; i < d->n_parts; i++)
        if (strcmp(d->parts[i], part) == 0)
            return true;
    return false;
}

enum ptx_type ptx_decode_type(const struct ptx_decoder *d, int from_end)
{
    int i = d->n_parts - 1 - from_end;
    return i < 1 ? PTX_N_TYPES : ptx_type_by_name(d->parts[i], strlen(d->parts[i]));
}

/* ---- operands ---- */

struct pool_entry {
    uint64_t value;
    unsigned n_bytes;
    int32_t slot;
    struct pool_entry *next; /* of the same hash */
};

int32_t ptx_decode_constant(struct ptx_module *m, unsigned n_bytes, uint64_t value)
{
    if (n_bytes < 8)
        value &= (UINT64_C(1) << 8 * n_bytes) - 1;
    struct pool_entry **head =
        &m->pool_index[(value * UINT64_C(0x9e3779b97f4a7c15) + n_bytes) >> (64 - PTX_POOL_LOG2)];
    for (const struct pool_entry *e = *head; e; e = e->next)
        if (e->value == value && e->n_bytes == n_bytes)
            return e->slot;
    size_t size = n_bytes * PTX_LANES < SLOT_ALIGN ? SLOT_ALIGN : n_bytes * PTX_LANES;
    if (m->pool_bytes + size > m->pool_cap) {
        size_t cap = 2 * m->pool_cap + 64 * size;
        uint8_t *more = arena_alloc(&m->arena, cap);
        if (m->pool_bytes)
            memcpy(more, m->pool, m->pool_bytes);
        m->pool = more;
        m->pool_cap = cap;
    }
    for (int lane = 0; lane < PTX_LANES; lane++)
        memcpy(m->pool + m->pool_bytes + (size_t)lane * n_bytes, &value, n_bytes);
    struct pool_entry *e = arena_new(&m->arena, struct pool_entry);
    *e = (struct pool_entry){value, n_bytes, ~(int32_t)m->pool_bytes, *head};
    *head = e;
    m->pool_bytes += size;
    return e->slot;
}

static int32_t predicate_constant(struct ptx_module *m, bool value)
{
    return ptx_decode_constant(m, 4, value ? UINT32_MAX : 0);
}

static bool decode_register(struct ptx_decoder *d, const struct ptx_operand *o, enum ptx_type type,
                            bool wide, int32_t *out_slot)
{
    unsigned have = ptx_types[o->type].bytes, want = ptx_types[type].bytes;
    if (want == 1 && !wide)
        want = 2;
    if (wide ? have < want : have != want)
        return ptx_decode_fail(d, "a register is not as wide as the instruction's type");
    *out_slot = o->slot + d->function->base;
    return true;
}

bool ptx_decode_slot(struct ptx_decoder *d, const struct ptx_operand *o, enum ptx_type type,
                     bool wide, int32_t *out_slot)
{
    unsigned bytes = ptx_types[type].bytes;
    switch (o->kind) {
    case PTX_OPERAND_REGISTER:
        return decode_register(d, o, type, wide, out_slot);
    case PTX_OPERAND_SPECIAL:
        if (bytes != ptx_types[o->type].bytes)
            return ptx_decode_fail(d, "a special register is not as wide as the type");
        *out_slot = d->function->base + d->function->special_slots + o->slot * SPECIAL_BYTES;
        return true;
    case PTX_OPERAND_INTEGER:
        *out_slot = type == PTX_pred
                        ? predicate_constant(d->module, o->value != 0)
                        : ptx_decode_constant(d->module, bytes < 2 ? 2 : bytes, (uint64_t)o->value);
        return true;
    case PTX_OPERAND_F32:
    case PTX_OPERAND_F64:
        if (bytes != (o->kind == PTX_OPERAND_F32 ? 4 : 8))
            return ptx_decode_fail(d, "a floating-point constant is not as wide as the type");
        *out_slot = ptx_decode_constant(d->module, bytes, (uint64_t)o->value);
        return true;
    case PTX_OPERAND_VARIABLE: {
        uint64_t address = o->variable->address + (uint64_t)o->value;
        if (o->variable->space == PTX_LOCAL)
            address += d->function->local_base;
        if (bytes < 4)
            return ptx_decode_fail(d, "an address has 32 or 64 bits");
        *out_slot = ptx_decode_constant(d->module, bytes, address);
        return true;
    }
    case PTX_OPERAND_SINK:
        *out_slot = PTX_NO_SLOT;
        return true;
    default:
        return ptx_decode_fail(d, "an operand does not fit");
    }
}

bool ptx_decode_operand(struct ptx_decoder *d, int i, enum ptx_type type)
{
    if (i >= d->from->n_operands)
        return ptx_decode_fail(d, "operands are missing");
    d->in->n_bytes[i < 4 ? i : 3] = ptx_types[type].bytes;
    const struct ptx_operand *o = &d->from->operands[i];
    if (i == 0 && o->kind != PTX_OPERAND_REGISTER)
        return ptx_decode_fail(d, "the destination is not a register");
    return ptx_decode_slot(d, o, type, false, &d->in->slot[i]);
}

bool ptx_decode_address(struct ptx_decoder *d, const struct ptx_operand *o, int at)
{
    if (o->kind != PTX_OPERAND_ADDRESS)
        return ptx_decode_fail(d, "an address in brackets is expected");
    const struct ptx_operand *base = o->elems;
    d->in->value = o->value;
    if (base->kind == PTX_OPERAND_REGISTER && ptx_types[base->type].bytes == 4) {
        d->in->more = 4;
        return ptx_decode_slot(d, base, PTX_u32, false, &d->in->slot[at]);
    }
    d->in->more = 8;
    return ptx_decode_slot(d, base, PTX_u64, false, &d->in->slot[at]);
}

bool ptx_decode_integer(struct ptx_decoder *d, int i, int64_t *out_value)
{
    if (i >= d->from->n_operands || d->from->operands[i].kind != PTX_OPERAND_INTEGER)
        return ptx_decode_fail(d, "a whole number is expected");
    *out_value = d->from->operands[i].value;
    return true;
}

bool ptx_decode_list(struct ptx_decoder *d, const struct ptx_operand *o, int n, enum ptx_type type,
                     int at)
{
    const struct ptx_operand *elems = o->kind == PTX_OPERAND_LIST ? o->elems : o;
    if ((o->kind == PTX_OPERAND_LIST ? o->n_elems : 1) != n || at + n > PTX_MAX_SLOTS)
        return ptx_decode_fail(d, "a list of registers has the wrong length");
    for (int i = 0; i < n; i++)
        if (!ptx_decode_slot(d, &elems[i], type, false, &d->in->slot[at + i]))
            return false;
    return true;
}

/* ---- places ---- */

/* The arrays of shared memory that a function uses lie one behind the other, the dynamic last. */
static void place_shared(struct ptx_function *f, struct ptx_operand *o, bool dynamic)
{
    for (int i = 0; i < o->n_elems; i++)
        place_shared(f, &o->elems[i], dynamic);
    struct ptx_variable *v = o->kind == PTX_OPERAND_VARIABLE ? o->variable : NULL;
    if (!v || v->space != PTX_SHARED || v->owner == f || v->is_dynamic != dynamic)
        return;
    v->owner = f;
    v->address = (f->shared_bytes + v->align - 1) / v->align * v->align;
    if (dynamic)
        f->dynamic_start = v->address = (f->shared_bytes + 15) / 16 * 16;
    else
        f->shared_bytes = v->address + v->n_bytes;
}

static void place_all_shared(struct ptx_function *f)
{
    for (int dynamic = 0; dynamic < 2; dynamic++)
        for (size_t i = 0; i < f->n_statements; i++)
            for (int j = 0; j < f->statements[i].n_operands; j++)
                place_shared(f, &f->statements[i].operands[j], dynamic);
    if (f->dynamic_start == 0)
        f->dynamic_start = (f->shared_bytes + 15) / 16 * 16;
}

/*
 * Functions that are called have registers and local memory of their own, before those of kernels:
 * there is no recursion.  Kernels share the place behind.
 */
static void place_registers(struct ptx_module *m)
{
    for (int entries = 0; entries < 2; entries++)
        for (struct ptx_function *f = m->functions; f; f = f->next) {
            if (f->is_entry != entries || !f->exists)
                continue;
            f->special_slots = f->n_slots_bytes;
            f->n_slots_bytes += f->specials ? PTX_LANES * SPECIAL_BYTES : 0;
            f->return_slot = f->n_slots_bytes;
            f->n_slots_bytes += 4 * PTX_LANES;
            f->base = m->functions_bytes;
            f->local_base = m->functions_local;
            uint64_t local_end = f->local_base + (f->local_bytes + 15) / 16 * 16;
            if (!entries) {
                m->functions_bytes += f->n_slots_bytes;
                m->functions_local = local_end;
            }
            if (f->base + f->n_slots_bytes > m->warp_bytes)
                m->warp_bytes = f->base + f->n_slots_bytes;
            if (local_end > m->local_bytes)
                m->local_bytes = local_end;
        }
}

/* ---- statements ---- */

static bool split_opcode(struct ptx_decoder *d)
{
    const char *s = d->from->opcode;
    d->n_parts = 0;
    for (;;) {
        size_t n = strcspn(s, ".");
        if (d->n_parts == PTX_MAX_PARTS || n >= PTX_PART_CHARS)
            return ptx_decode_fail(d, "the instruction is not known");
        memcpy(d->parts[d->n_parts], s, n);
        d->parts[d->n_parts++][n] = 0;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static bool decode_statement(struct ptx_decoder *d)
{
    static const struct {
        const char *prefix;
        bool (*decode)(struct ptx_decoder *d);
    } families[] = {
#define PTX_FAMILY(prefix, family) {prefix, ptx_decode_##family},
#include "tests/sim/ptx_decode.def"
#undef PTX_FAMILY
    };
    if (!split_opcode(d))
        return false;
    const struct ptx_operand *guard = d->from->guard;
    d->in->guard = guard ? guard->slot + d->function->base : PTX_NO_SLOT;
    d->in->guard_not = guard && guard->negated;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].prefix, d->parts[0]) == 0)
            return families[i].decode(d);
    return ptx_decode_alu(d);
}

static const struct ptx_statement falls_off = {.text = "ret", .n_chars = 3, .opcode = "ret"};

static bool decode_function(struct ptx_module *m, struct ptx_function *f, struct error *err)
{
    struct ptx_decoder d = {.module = m, .function = f, .err = err};
    place_all_shared(f);
    if (!f->is_entry && f->shared_bytes > 0)
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "PTX function '%s': shared memory of a function is not simulated",
                         f->name);
    for (size_t i = 0; i <= f->n_statements; i++) {
        d.from = i < f->n_statements ? &f->statements[i] : &falls_off;
        d.in = &m->code[f->start + i];
        d.in->function = f;
        d.in->from = d.from;
        for (int k = 0; k < PTX_MAX_SLOTS; k++)
            d.in->slot[k] = PTX_NO_SLOT;
        if (!decode_statement(&d))
            return false;
    }
    return true;
}

bool ptx_decode(struct ptx_module *m, struct error *err)
{
    place_registers(m);
    /* Callers need to know where functions begin. */
    for (struct ptx_function *f = m->functions; f; f = f->next) {
        f->start = (uint32_t)m->n_code;
        f->n_code = f->exists ? (uint32_t)f->n_statements + 1 : 0;
        m->n_code += f->n_code;
    }
    m->code = arena_array(&m->arena, m->n_code + 1, sizeof *m->code);
    for (struct ptx_function *f = m->functions; f; f = f->next)
        if (f->exists && !decode_function(m, f, err))
            return false;
    return true;
}

/* ---- modules ---- */

struct ptx_module *ptx_load(struct ptx_memory *memory, const char *text, struct error *err)
{
    struct ptx_module *m = calloc(1, sizeof *m);
    if (!m) {
        error_set(err, SHEAF_ERROR_MEMORY, "no memory for a module");
        return NULL;
    }
    arena_init(&m->arena);
    m->memory = memory;
    m->text = arena_strdup(&m->arena, text);
    if (ptx_parse(m, err) && ptx_decode(m, err))
        return m;
    ptx_unload(m);
    return NULL;
}

void ptx_unload(struct ptx_module *m)
{
    if (!m)
        return;
    for (const struct ptx_variable *v = m->variables; v; v = v->next)
        if (v->address && v->space != PTX_SHARED)
            ptx_memory_free(m->memory, v->address);
    arena_done(&m->arena);
    free(m);
}

struct ptx_function *ptx_find(struct ptx_module *m, const char *name)
{
    for (struct ptx_function *f = m->functions; f; f = f->next)
        if (f->is_entry && f->exists && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/*
 * ld, st, atom and red: every access is checked before it is done.
 */
#include "tests/sim/ptx_check.h"
#include "tests/sim/ptx_decode.h"
#include "tests/sim/ptx_float.h"

/* ---- addresses ---- */

static uint64_t address_of(const struct ptx_warp *w, const struct ptx_insn *in, int lane)
{
    const void *base = ptx_reg(w, in->slot[0]);
    if (in->more == 4)
        return ((const uint32_t *)base)[lane] + (uint64_t)in->value;
    return ((const uint64_t *)base)[lane] + (uint64_t)in->value;
}

static void addresses_of(const struct ptx_warp *w, const struct ptx_insn *in,
                         uint64_t out[PTX_LANES])
{
    const void *base = ptx_reg(w, in->slot[0]);
    if (in->more == 4)
        for (int i = 0; i < PTX_LANES; i++)
            out[i] = ((const uint32_t *)base)[i] + (uint64_t)in->value;
    else
        for (int i = 0; i < PTX_LANES; i++)
            out[i] = ((const uint64_t *)base)[i] + (uint64_t)in->value;
}

/* How many lanes from `lane` on have addresses that differ by `step` from one to the next. */
static int run_length(const uint64_t a[PTX_LANES], uint32_t mask, int lane, uint64_t step)
{
    int end = lane + 1;
    while (end < PTX_LANES && mask >> end & 1 && a[end] - a[end - 1] == step)
        end++;
    return end - lane;
}

/* The space of a generic address, which becomes one of that space. */
static unsigned resolve(unsigned space, uint64_t *address)
{
    if (space != PTX_GENERIC)
        return space;
    if (*address - PTX_SHARED_WINDOW < PTX_WINDOW_BYTES) {
        *address -= PTX_SHARED_WINDOW;
        return PTX_SHARED;
    }
    if (*address - PTX_LOCAL_WINDOW < PTX_WINDOW_BYTES) {
        *address -= PTX_LOCAL_WINDOW;
        return PTX_LOCAL;
    }
    return PTX_GLOBAL;
}

/* Local memory and parameters: bounds and alignment only. */
static uint8_t *plain_place(struct ptx_warp *w, int lane, unsigned space, uint64_t at, unsigned n,
                            bool writes)
{
    const struct ptx_function *kernel = w->block->run->kernel;
    bool local = space == PTX_LOCAL;
    uint64_t size = local ? kernel->module->local_bytes : kernel->param_bytes;
    const char *verb = writes ? "writes" : "reads", *name = local ? "local memory" : "parameters";
    if (at % n != 0)
        ptx_stop(w, lane, PTX_FAULT_ALIGNMENT,
                 "%s %u bytes at 0x%llx of %s, which is not a multiple of that", verb, n,
                 (unsigned long long)at, name);
    if (at > size || n > size - at || (writes && !local))
        ptx_stop(w, lane, PTX_FAULT_ADDRESS, "%s %u bytes at 0x%llx of %s, which has %llu", verb, n,
                 (unsigned long long)at, name, (unsigned long long)size);
    return local ? ptx_local(w, lane) + at : (uint8_t *)(uintptr_t)w->block->run->params + at;
}

PTX_INLINE uint8_t *read_place(struct ptx_warp *w, const struct ptx_insn *in, int lane,
                               uint64_t address, unsigned n)
{
    switch (resolve(in->space, &address)) {
    case PTX_GLOBAL:
    case PTX_CONST:
        return ptx_check_read(w, lane, address, n, in->order);
    case PTX_SHARED:
        return ptx_check_shared_read(w, lane, address, n, in->order);
    case PTX_LOCAL:
        return plain_place(w, lane, PTX_LOCAL, address, n, false);
    default:
        return plain_place(w, lane, PTX_PARAM, address, n, false);
    }
}

PTX_INLINE uint8_t *write_place(struct ptx_warp *w, const struct ptx_insn *in, int lane,
                                uint64_t address, unsigned n)
{
    switch (resolve(in->space, &address)) {
    case PTX_GLOBAL:
    case PTX_CONST:
        return ptx_check_write(w, lane, address, n, in->order);
    case PTX_SHARED:
        return ptx_check_shared_write(w, lane, address, n,
                                      in->order & PTX_STRONG ? PTX_MARK_ATOMIC : 0);
    case PTX_LOCAL:
        return plain_place(w, lane, PTX_LOCAL, address, n, true);
    default:
        return plain_place(w, lane, PTX_PARAM, address, n, true);
    }
}

/* What makes device memory a means of synchronization. */
static void acquire(struct ptx_warp *w, const struct ptx_insn *in, uint64_t address)
{
    if (in->order & PTX_STRONG && resolve(in->space, &address) == PTX_GLOBAL)
        ptx_check_acquire(w, address, in->order);
}

static void release(struct ptx_warp *w, const struct ptx_insn *in, uint64_t address)
{
    if (in->order & PTX_STRONG && resolve(in->space, &address) == PTX_GLOBAL)
        ptx_check_release(w, address, in->order);
}

/* ---- ld and st ---- */

/* A value of n bytes into a register of n_bytes[0], signed types extended. */
PTX_INLINE void load_element(uint8_t *to, const uint8_t *from, unsigned n, unsigned to_bytes,
                             bool is_signed)
{
    uint64_t u = 0;
    memcpy(&u, from, n);
    if (is_signed && n < 8)
        u = (uint64_t)((int64_t)(u << (64 - 8 * n)) >> (64 - 8 * n));
    memcpy(to, &u, to_bytes);
}

/* The elements of one lane, which lie at `from`. */
PTX_INLINE void load_lane(const struct ptx_warp *w, const struct ptx_insn *in, int lane,
                          const uint8_t *from, unsigned n, unsigned n_elems)
{
    bool is_signed = ptx_types[in->type].kind == 's';
    unsigned step = in->n_bytes[0];
    for (unsigned k = 0; k < n_elems; k++) {
        if (in->slot[1 + k] == PTX_NO_SLOT)
            continue;
        uint8_t *to = (uint8_t *)ptx_reg(w, in->slot[1 + k]) + (unsigned)lane * step;
        if (step == n)
            memcpy(to, from + k * n, n);
        else
            load_element(to, from + k * n, n, step, is_signed);
    }
}

/* Of n_lanes lanes, `step` bytes apart. */
PTX_INLINE void load_lanes(const struct ptx_warp *w, const struct ptx_insn *in, int lane,
                           int n_lanes, const uint8_t *from, unsigned step, unsigned n,
                           unsigned n_elems)
{
    if (n_elems == 1 && step == n && in->n_bytes[0] == n && in->slot[1] != PTX_NO_SLOT) {
        memcpy((uint8_t *)ptx_reg(w, in->slot[1]) + (unsigned)lane * n, from,
               (unsigned)n_lanes * n);
        return;
    }
    for (int i = 0; i < n_lanes; i++)
        load_lane(w, in, lane + i, from + (unsigned)i * step, n, n_elems);
}

static const uint8_t *read_row(struct ptx_warp *w, const struct ptx_insn *in, int lane,
                               uint64_t address, unsigned n, unsigned each)
{
    switch (resolve(in->space, &address)) {
    case PTX_GLOBAL:
    case PTX_CONST:
        return ptx_check_read_row(w, address, n, each, in->order);
    case PTX_SHARED:
        return ptx_check_shared_read_row(w, lane, address, n, each, in->order);
    default:
        return NULL;
    }
}

static uint8_t *write_row(struct ptx_warp *w, const struct ptx_insn *in, int lane, uint64_t address,
                          unsigned n, unsigned each)
{
    if (in->order & PTX_STRONG)
        return NULL;
    switch (resolve(in->space, &address)) {
    case PTX_GLOBAL:
    case PTX_CONST:
        return ptx_check_write_row(w, address, n, each, in->order);
    case PTX_SHARED:
        return ptx_check_shared_write_row(w, lane, address, n, each, 0);
    default:
        return NULL;
    }
}

/*
 * Lanes that read the same bytes are one access.  In shared memory two of them are checked: from
 * then on the bytes are marked as read by several lanes of the warp.
 */
PTX_INLINE bool may_share(struct ptx_warp *w, const struct ptx_insn *in, int lane, uint64_t address,
                          unsigned each)
{
    uint64_t at = address;
    unsigned space = resolve(in->space, &at);
    if (in->order & PTX_STRONG || space == PTX_LOCAL)
        return false;
    if (space == PTX_SHARED)
        read_place(w, in, lane, address, each);
    return true;
}

/* Vectors are checked as a whole: they must be aligned as such. */
PTX_INLINE void load(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask, unsigned n,
                     unsigned n_elems)
{
    const unsigned each = n * n_elems;
    uint64_t a[PTX_LANES];
    addresses_of(w, in, a);
    for (int lane = ptx_first_lane(mask); lane < PTX_LANES;) {
        if (!(mask >> lane & 1)) {
            lane++;
            continue;
        }
        int n_lanes = run_length(a, mask, lane, each);
        unsigned step = each;
        const uint8_t *from = NULL;
        if (n_lanes > 1) {
            from = read_row(w, in, lane, a[lane], (unsigned)n_lanes * each, each);
        } else if (run_length(a, mask, lane, 0) > 1 && may_share(w, in, lane + 1, a[lane], each)) {
            n_lanes = run_length(a, mask, lane, 0);
            step = 0;
        }
        if (!from) {
            n_lanes = step ? 1 : n_lanes;
            from = read_place(w, in, lane, a[lane], each);
        }
        load_lanes(w, in, lane, n_lanes, from, step, n, n_elems);
        if (in->order & PTX_STRONG)
            acquire(w, in, a[lane]);
        lane += n_lanes;
    }
}

PTX_INLINE void store(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask, unsigned n,
                      unsigned n_elems)
{
    const unsigned each = n * n_elems, step = in->n_bytes[0];
    uint64_t a[PTX_LANES];
    addresses_of(w, in, a);
    for (int lane = ptx_first_lane(mask); lane < PTX_LANES;) {
        if (!(mask >> lane & 1)) {
            lane++;
            continue;
        }
        int n_lanes = run_length(a, mask, lane, each);
        if (in->order & PTX_STRONG)
            release(w, in, a[lane]);
        uint8_t *to = NULL;
        if (n_lanes > 1)
            to = write_row(w, in, lane, a[lane], (unsigned)n_lanes * each, each);
        if (!to) {
            n_lanes = 1;
            to = write_place(w, in, lane, a[lane], each);
        }
        for (unsigned k = 0; k < n_elems; k++) {
            const uint8_t *from = ptx_reg(w, in->slot[1 + k]);
            for (int i = 0; i < n_lanes; i++)
                memcpy(to + (unsigned)i * each + k * n, from + (unsigned)(lane + i) * step, n);
        }
        lane += n_lanes;
    }
}

/* Bytes of an element and elements as constants, so that loops and copies are unrolled. */
#define ACCESS_SHAPES(S)                                                                           \
    S(1, 1)                                                                                        \
    S(1, 2)                                                                                        \
    S(1, 4)                                                                                        \
    S(2, 1)                                                                                        \
    S(2, 2)                                                                                        \
    S(2, 4)                                                                                        \
    S(4, 1)                                                                                        \
    S(4, 2)                                                                                        \
    S(4, 4)                                                                                        \
    S(8, 1)                                                                                        \
    S(8, 2)
#define SHAPE(n, elems)                                                                            \
    static void run_load_##n##_##elems(struct ptx_warp *w, const struct ptx_insn *in,              \
                                       uint32_t mask)                                              \
    {                                                                                              \
        load(w, in, mask, n, elems);                                                               \
    }                                                                                              \
    static void run_store_##n##_##elems(struct ptx_warp *w, const struct ptx_insn *in,             \
                                        uint32_t mask)                                             \
    {                                                                                              \
        store(w, in, mask, n, elems);                                                              \
    }
ACCESS_SHAPES(SHAPE)
#undef SHAPE

/* ---- atomic operations ---- */

static uint64_t widen(uint64_t u, unsigned type)
{
    unsigned shift = 64 - 8u * ptx_types[type].bytes;
    return ptx_types[type].kind == 's' ? (uint64_t)((int64_t)(u << shift) >> shift) : u;
}

static uint32_t add_pair(uint32_t a, uint32_t b, bool bf16)
{
    uint32_t r = 0;
    for (int i = 0; i < 32; i += 16) {
        uint16_t x = (uint16_t)(a >> i), y = (uint16_t)(b >> i);
        r |= (uint32_t)(bf16 ? ptx_to_bf16(ptx_from_bf16(x) + ptx_from_bf16(y))
                             : ptx_to_f16(ptx_from_f16(x) + ptx_from_f16(y)))
             << i;
    }
    return r;
}

static uint64_t add(uint64_t a, uint64_t b, unsigned type)
{
    switch (type) {
    case PTX_f32:
        return dtype_bits_of_f32(dtype_f32_of_bits((uint32_t)a) + dtype_f32_of_bits((uint32_t)b));
    case PTX_f64:
        return dtype_bits_of_f64(dtype_f64_of_bits(a) + dtype_f64_of_bits(b));
    case PTX_f16:
    case PTX_f16x2:
        return add_pair((uint32_t)a, (uint32_t)b, false);
    case PTX_bf16:
    case PTX_bf16x2:
        return add_pair((uint32_t)a, (uint32_t)b, true);
    default:
        return a + b;
    }
}

enum { ADD, MIN, MAX, AND, OR, XOR, EXCH, CAS, INC, DEC, N_ATOMICS };
static const char *const atomics[N_ATOMICS] = {"add", "min",  "max", "and", "or",
                                               "xor", "exch", "cas", "inc", "dec"};

static uint64_t combine(const struct ptx_insn *in, uint64_t old, uint64_t b, uint64_t c)
{
    uint64_t x = widen(old, in->type), y = widen(b, in->type);
    bool less = ptx_types[in->type].kind == 's' ? (int64_t)x < (int64_t)y : x < y;
    switch (in->kind) {
    case ADD:
        return add(old, b, in->type);
    case MIN:
        return less ? old : b;
    case MAX:
        return less ? b : old;
    case AND:
        return old & b;
    case OR:
        return old | b;
    case XOR:
        return old ^ b;
    case EXCH:
        return b;
    case CAS:
        return old == b ? c : old;
    case INC:
        return old >= b ? 0 : old + 1;
    default:
        return old == 0 || old > b ? b : old - 1;
    }
}

/* Lane after lane; the order is open on the device. */
static void run_atomic(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    unsigned n = ptx_types[in->type].bytes;
    uint8_t old_values[8 * PTX_LANES];
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = ptx_first_lane(rest);
        uint64_t address = address_of(w, in, lane), old = 0, b = 0, c = 0;
        memcpy(&b, (const uint8_t *)ptx_reg(w, in->slot[2]) + (unsigned)lane * n, n);
        if (in->kind == CAS)
            memcpy(&c, (const uint8_t *)ptx_reg(w, in->slot[3]) + (unsigned)lane * n, n);
        /* Those bits that nobody wrote may stay what they are. */
        if (in->kind == AND || in->kind == OR)
            write_place(w, in, lane, address, n);
        memcpy(&old, read_place(w, in, lane, address, n), n);
        acquire(w, in, address);
        release(w, in, address);
        uint64_t result = combine(in, old, b, c);
        memcpy(write_place(w, in, lane, address, n), &result, n);
        memcpy(old_values + (unsigned)lane * n, &old, n);
    }
    if (in->slot[1] != PTX_NO_SLOT)
        ptx_store_lanes(ptx_reg(w, in->slot[1]), old_values, n, mask);
}

/* ---- decoding ---- */

static void decode_space(struct ptx_decoder *d)
{
    static const struct {
        const char *part;
        enum ptx_space space;
    } spaces[] = {{"global", PTX_GLOBAL},
                  {"const", PTX_CONST},
                  {"shared", PTX_SHARED},
                  {"local", PTX_LOCAL},
                  {"shared::cta", PTX_SHARED}};
    d->in->space = PTX_GENERIC;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (ptx_decode_has(d, spaces[i].part))
            d->in->space = (uint8_t)spaces[i].space;
    if (!ptx_decode_has(d, "param"))
        return;
    const struct ptx_operand *o = d->from->operands;
    for (int i = 0; i < d->from->n_operands; i++)
        if (o[i].kind == PTX_OPERAND_ADDRESS)
            d->in->space =
                (uint8_t)(o[i].elems->kind == PTX_OPERAND_VARIABLE ? o[i].elems->variable->space
                                                                   : PTX_PARAM);
}

static void decode_order(struct ptx_decoder *d, bool atomic)
{
    unsigned order = atomic || ptx_decode_has(d, "volatile") || ptx_decode_has(d, "relaxed") ||
                             ptx_decode_has(d, "mmio")
                         ? PTX_STRONG
                         : 0;
    /* Of a narrower scope nothing is ordered between blocks. */
    if (ptx_decode_has(d, "acquire") || ptx_decode_has(d, "acq_rel"))
        order |= PTX_STRONG | PTX_ACQUIRE;
    if (ptx_decode_has(d, "release") || ptx_decode_has(d, "acq_rel"))
        order |= PTX_STRONG | PTX_RELEASE;
    if (ptx_decode_has(d, "nc"))
        order |= PTX_NON_COHERENT;
    d->in->order = (uint8_t)order;
}

typedef void run_fn(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask);

static run_fn *shape(unsigned n, unsigned elems, bool is_load)
{
#define SHAPE(bytes, count)                                                                        \
    if (n == bytes && elems == count)                                                              \
        return is_load ? run_load_##bytes##_##count : run_store_##bytes##_##count;
    ACCESS_SHAPES(SHAPE)
#undef SHAPE
    return NULL;
}

/* Address in slot 0, the values in slots 1 to n_elems; all registers as wide as the first. */
static bool decode_access(struct ptx_decoder *d, bool is_load)
{
    struct ptx_insn *in = d->in;
    enum ptx_type type = ptx_decode_type(d, 0);
    if (type == PTX_N_TYPES || ptx_types[type].bytes > 8 || d->from->n_operands != 2)
        return ptx_decode_fail(d, "the access is not known");
    const struct ptx_operand *values = &d->from->operands[is_load ? 0 : 1];
    int n = ptx_decode_has(d, "v4") ? 4 : ptx_decode_has(d, "v2") ? 2 : 1;
    const struct ptx_operand *elems = values->kind == PTX_OPERAND_LIST ? values->elems : values;
    if ((values->kind == PTX_OPERAND_LIST ? values->n_elems : 1) != n)
        return ptx_decode_fail(d, "the list of registers has the wrong length");
    decode_space(d);
    decode_order(d, false);
    in->type = (uint8_t)type;
    in->n_elems = (uint8_t)n;
    unsigned width = 0;
    for (int k = 0; k < n; k++) {
        if (!ptx_decode_slot(d, &elems[k], type, true, &in->slot[1 + k]))
            return false;
        if (is_load && elems[k].kind != PTX_OPERAND_REGISTER && elems[k].kind != PTX_OPERAND_SINK)
            return ptx_decode_fail(d, "the destination is not a register");
        unsigned bytes = elems[k].kind == PTX_OPERAND_REGISTER ? ptx_types[elems[k].type].bytes
                         : ptx_types[type].bytes < 2           ? 2
                                                               : ptx_types[type].bytes;
        if (elems[k].kind != PTX_OPERAND_SINK && width != 0 && width != bytes)
            return ptx_decode_fail(d, "registers of a vector differ in width");
        width = elems[k].kind == PTX_OPERAND_SINK ? width : bytes;
    }
    in->n_bytes[0] = (uint8_t)width;
    in->run = shape(ptx_types[type].bytes, (unsigned)n, is_load);
    if (!in->run || width == 0)
        return ptx_decode_fail(d, "the access is not known");
    return ptx_decode_address(d, &d->from->operands[is_load ? 1 : 0], 0);
}

bool ptx_decode_ld(struct ptx_decoder *d)
{
    return decode_access(d, true);
}

bool ptx_decode_st(struct ptx_decoder *d)
{
    return decode_access(d, false);
}

/* Address in slot 0, the old value in 1, operands in 2 and 3. */
static bool decode_atomic(struct ptx_decoder *d, int first)
{
    struct ptx_insn *in = d->in;
    enum ptx_type type = ptx_decode_type(d, 0);
    const struct ptx_operand *o = d->from->operands;
    in->kind = N_ATOMICS;
    for (int i = 0; i < N_ATOMICS; i++)
        if (ptx_decode_has(d, atomics[i]))
            in->kind = (uint8_t)i;
    int n = in->kind == CAS ? 2 : 1;
    bool fits = type != PTX_N_TYPES && ptx_types[type].bytes >= 2 && ptx_types[type].bytes <= 8;
    if (in->kind == N_ATOMICS || !fits || d->from->n_operands != first + 1 + n ||
        (ptx_types[type].kind == 'f' && in->kind != ADD))
        return ptx_decode_fail(d, "the atomic operation is not known");
    decode_space(d);
    decode_order(d, true);
    in->type = (uint8_t)type;
    in->run = run_atomic;
    if (first == 1 && !ptx_decode_slot(d, &o[0], type, false, &in->slot[1]))
        return false;
    for (int i = 0; i < n; i++)
        if (!ptx_decode_slot(d, &o[first + 1 + i], type, false, &in->slot[2 + i]))
            return false;
    return ptx_decode_address(d, &o[first], 0);
}

bool ptx_decode_atom(struct ptx_decoder *d)
{
    return decode_atomic(d, 1);
}

bool ptx_decode_red(struct ptx_decoder *d)
{
    return decode_atomic(d, 0);
}

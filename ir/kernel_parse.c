/*
 * kernel_parse.c: reads the text form that kernel_text.c writes; docs/kernel-ir.md describes it.
 *
 * Recursive descent over one string.  The first error is recorded with its line; after it every
 * function just returns, and loops end because nothing matches any more.  Only syntax, numbers and
 * the arity of what the text itself relates are checked here; kernel_validate does the rest, and
 * the parser runs it.
 */
#include "ir/kernel.h"

#include <string.h>

#include "ir/checked.h"
#include "ir/kernel_extern.h"
#include "ir/kernel_fold.h"
#include "ir/kernel_raw.h"
#include "ir/kernel_text.h"
#include "ir/kernel_token.h"

enum { MAX_NUMBER = 1 << 24, MAX_DEPTH = 40, MAX_ARGS = 2 * KREGION_MAX_VALUES };

struct parser {
    struct ktokens *text;
    struct kernel *k;
    kval *value; /* by number in the text; 0: not defined */
    size_t n_values;
    struct kblock *block; /* that instructions go to */
    int depth;
};

/* ---- values ---- */

static void define(struct parser *p, int number, kval v)
{
    while (p->n_values <= (size_t)number) {
        size_t cap = p->n_values ? p->n_values * 2 : 64;
        kval *more = arena_array(p->text->arena, cap, sizeof *more);
        if (p->n_values)
            memcpy(more, p->value, p->n_values * sizeof *more);
        p->value = more;
        p->n_values = cap;
    }
    if (p->value[number])
        ktoken_fail(p->text, "a number that is defined twice");
    p->value[number] = v;
}

static int number(struct parser *p)
{
    ktoken_expect(p->text, "%");
    return ktoken_small(p->text, MAX_NUMBER, "a number out of range");
}

static kval value(struct parser *p)
{
    if (ktoken_is_literal(p->text)) {
        union kscalar s;
        enum dtype t = ktoken_literal(p->text, &s);
        if (ktoken_failed(p->text))
            return 0;
        kval v = kernel_raw_inst(p->k, KOP_CONST, t, 0, NULL);
        kernel_raw_set_const(p->k, v, s);
        kernel_raw_append(p->k, p->block, v);
        return v;
    }
    int n = number(p);
    if (ktoken_failed(p->text))
        return 0;
    if ((size_t)n >= p->n_values || !p->value[n]) {
        ktoken_fail(p->text, "a number that is not defined before");
        return 0;
    }
    return p->value[n];
}

static int values(struct parser *p, kval *out, int max)
{
    int n = 0;
    do {
        if (n == max)
            ktoken_fail(p->text, "too many values");
        else
            out[n++] = value(p);
    } while (!ktoken_failed(p->text) && ktoken_accept(p->text, ","));
    return n;
}

static enum dtype type_of(const struct parser *p, kval v)
{
    return v ? kernel_inst(p->k, v)->type : DTYPE_NONE;
}

static int buffer(struct parser *p)
{
    ktoken_expect(p->text, "@");
    int b = ktoken_small(p->text, MAX_NUMBER, "a buffer number out of range");
    if (!ktoken_failed(p->text) && (size_t)b >= p->k->n_bufs)
        ktoken_fail(p->text, "a buffer that does not exist");
    return ktoken_failed(p->text) ? 0 : b;
}

/* ---- regions ---- */

static void instructions(struct parser *p);

/* "{ ... }" into b. */
static void braces(struct parser *p, struct kblock *b)
{
    struct kblock *outer = p->block;
    ktoken_expect(p->text, "{");
    if (++p->depth > MAX_DEPTH)
        ktoken_fail(p->text, "regions are nested too deeply");
    p->block = b;
    instructions(p);
    p->block = outer;
    p->depth--;
    ktoken_expect(p->text, "}");
}

static void params(struct parser *p, struct kblock *b, int n, const enum dtype *types)
{
    ktoken_expect(p->text, "(");
    for (int i = 0; i < n && !ktoken_failed(p->text); i++) {
        if (i)
            ktoken_expect(p->text, ",");
        int id = number(p);
        define(p, id, kernel_raw_param(p->k, b, types[i]));
    }
    ktoken_expect(p->text, ")");
}

/* What the results of a region are called: the numbers before "=", or where there are none the one
   label, number[0]. */
struct names {
    int n, number[KREGION_MAX_VALUES];
};

static void define_results(struct parser *p, const struct names *names, kval region, int n,
                           const enum dtype *types)
{
    if (ktoken_failed(p->text))
        return;
    if (names->n != n) {
        ktoken_fail(p->text, "another number of results than the region has");
        return;
    }
    if (n == 0)
        define(p, names->number[0], region);
    for (int i = 0; i < n; i++) {
        kval r = region;
        if (n > 1) {
            r = kernel_raw_inst(p->k, KOP_RESULT, types[i], 1, &region);
            kernel_inst(p->k, r)->imm.i = i;
            kernel_raw_append(p->k, p->block, r);
        }
        define(p, names->number[i], r);
    }
}

/* "(%1 < 64, ...)"; for a contraction each index has its kind in front. */
static int dims(struct parser *p, int *out_number, kval *out_extent, enum kiter *out_kind)
{
    int n = 0;
    ktoken_expect(p->text, "(");
    while (!ktoken_failed(p->text) && !ktoken_peek(p->text, ")")) {
        if (n)
            ktoken_expect(p->text, ",");
        if (n == KREGION_MAX_DIMS) {
            ktoken_fail(p->text, "too many indices");
            break;
        }
        if (out_kind)
            out_kind[n] = (enum kiter)ktoken_one_of(p->text, kernel_iter_names, KITER_K + 1,
                                                    "expected batch, m, n or k");
        out_number[n] = number(p);
        ktoken_expect(p->text, "<");
        out_extent[n] = value(p);
        if (!ktoken_failed(p->text) && type_of(p, out_extent[n]) != DTYPE_I64)
            ktoken_fail(p->text, "an extent that is not i64");
        n++;
    }
    ktoken_expect(p->text, ")");
    return n;
}

static void affine(struct parser *p, struct kaffine *out)
{
    *out = kaffine_const(0);
    for (bool first = true; !ktoken_failed(p->text); first = false) {
        bool minus = ktoken_accept(p->text, "-");
        if (!minus && !first && !ktoken_accept(p->text, "+"))
            return;
        int64_t c = 1;
        if (!ktoken_peek(p->text, "%")) {
            c = ktoken_integer(p->text);
            if (!ktoken_accept(p->text, "*")) {
                out->offset += minus ? -c : c;
                continue;
            }
        }
        kval v = value(p);
        if (!ktoken_failed(p->text) && out->n_terms == KAFFINE_MAX_TERMS)
            ktoken_fail(p->text, "too many terms");
        if (!ktoken_failed(p->text))
            kaffine_add(out, v, minus ? -c : c);
    }
}

static void operand(struct parser *p, const char *name, struct koperand *o)
{
    ktoken_expect(p->text, name);
    o->buf = buffer(p);
    ktoken_expect(p->text, "[");
    for (int d = 0; !ktoken_failed(p->text) && d < p->k->bufs[o->buf].rank; d++) {
        if (d)
            ktoken_expect(p->text, ",");
        affine(p, &o->dim[d]);
    }
    ktoken_expect(p->text, "]");
    if (ktoken_accept(p->text, "pad")) {
        o->padded = true;
        o->pad = value(p);
    }
    if (ktoken_accept(p->text, "prologue")) {
        params(p, &o->prologue, 1, &p->k->bufs[o->buf].dtype);
        braces(p, &o->prologue);
    }
}

static void contract(struct parser *p, const struct names *names)
{
    struct kcontract *c = arena_new(p->text->arena, struct kcontract);
    int index_number[KREGION_MAX_DIMS];
    kval extent[KREGION_MAX_DIMS] = {0}, index[KREGION_MAX_DIMS];
    c->acc = ktoken_type(p->text);
    int n = dims(p, index_number, extent, c->kind);
    if (ktoken_failed(p->text))
        return;
    kval v = kernel_raw_region(p->k, KOP_CONTRACT, DTYPE_NONE, 0, NULL, n, extent, index);
    struct kregion *r = kernel_inst(p->k, v)->region;
    r->contract = c;
    for (int d = 0; d < n; d++)
        define(p, index_number[d], index[d]);
    ktoken_expect(p->text, "{");
    operand(p, "a", &c->a);
    operand(p, "b", &c->b);
    ktoken_expect(p->text, "epilogue");
    params(p, &r->block[0], 1, &c->acc);
    braces(p, &r->block[0]);
    ktoken_expect(p->text, "}");
    /* Pad values went before it. */
    kernel_raw_append(p->k, p->block, v);
    define_results(p, names, v, 0, NULL);
}

static void types_of(const struct parser *p, int n, const kval *v, enum dtype *out)
{
    for (int i = 0; i < n; i++)
        out[i] = type_of(p, v[i]);
}

static kval region(struct parser *p, enum kop op, int n_args, const kval *args, int n_dims,
                   const int *index_number, const kval *extent)
{
    kval index[KREGION_MAX_DIMS];
    enum dtype t = n_args && op != KOP_IF ? type_of(p, args[0]) : DTYPE_NONE;
    kval v = kernel_raw_region(p->k, op, t, n_args, args, n_dims, extent, index);
    for (int d = 0; d < n_dims; d++)
        define(p, index_number[d], index[d]);
    kernel_raw_append(p->k, p->block, v);
    return v;
}

static void loop(struct parser *p, const struct names *names)
{
    int index_number[KREGION_MAX_DIMS], param_number[KREGION_MAX_VALUES], n_args = 0;
    kval extent[KREGION_MAX_DIMS] = {0}, args[KREGION_MAX_VALUES];
    enum dtype types[KREGION_MAX_VALUES];
    int n = dims(p, index_number, extent, NULL);
    if (ktoken_accept(p->text, "with")) {
        ktoken_expect(p->text, "(");
        do {
            if (n_args == KREGION_MAX_VALUES) {
                ktoken_fail(p->text, "too many values");
                break;
            }
            param_number[n_args] = number(p);
            ktoken_expect(p->text, "=");
            args[n_args++] = value(p);
        } while (ktoken_accept(p->text, ","));
        ktoken_expect(p->text, ")");
    }
    if (ktoken_failed(p->text))
        return;
    types_of(p, n_args, args, types);
    kval v = region(p, KOP_LOOP, n_args, args, n, index_number, extent);
    struct kblock *b = &kernel_inst(p->k, v)->region->block[0];
    for (int i = 0; i < n_args; i++)
        define(p, param_number[i], kernel_raw_param(p->k, b, types[i]));
    braces(p, b);
    define_results(p, names, v, n_args, types);
}

static void reduction(struct parser *p, enum kop op, const struct names *names)
{
    int index_number[KREGION_MAX_DIMS];
    kval extent[KREGION_MAX_DIMS] = {0}, args[KREGION_MAX_VALUES];
    enum dtype types[2 * KREGION_MAX_VALUES];
    enum kcombine combine = (enum kcombine)ktoken_one_of(
        p->text, kernel_combine_names, KCOMBINE_BLOCK + 1, "expected a combining operation");
    bool unordered =
        op == KOP_REDUCE && combine == KCOMBINE_BLOCK && ktoken_accept(p->text, "unordered");
    int lanes = ktoken_accept(p->text, "lanes") ? ktoken_small(p->text, 1024, "too many lanes") : 1;
    int n = dims(p, index_number, extent, NULL);
    ktoken_expect(p->text, "from");
    ktoken_expect(p->text, "(");
    int n_args = values(p, args, KREGION_MAX_VALUES);
    ktoken_expect(p->text, ")");
    if (ktoken_failed(p->text))
        return;
    types_of(p, n_args, args, types);
    types_of(p, n_args, args, types + n_args);
    kval v = region(p, op, n_args, args, n, index_number, extent);
    struct kregion *r = kernel_inst(p->k, v)->region;
    r->combine = combine;
    r->lanes = lanes;
    r->unordered = unordered;
    braces(p, &r->block[0]);
    if (op == KOP_SCAN) {
        ktoken_expect(p->text, "each");
        params(p, &r->block[1], n_args, types);
        braces(p, &r->block[1]);
    } else if (combine == KCOMBINE_BLOCK) {
        ktoken_expect(p->text, "combine");
        params(p, &r->block[1], 2 * n_args, types);
        braces(p, &r->block[1]);
    }
    define_results(p, names, v, n_args, types);
}

static void conditional(struct parser *p, const struct names *names)
{
    enum dtype types[KREGION_MAX_VALUES];
    ktoken_expect(p->text, "(");
    kval c = value(p);
    ktoken_expect(p->text, ")");
    if (ktoken_failed(p->text))
        return;
    kval v = region(p, KOP_IF, 1, &c, 0, NULL, NULL);
    struct kregion *r = kernel_inst(p->k, v)->region;
    braces(p, &r->block[0]);
    if (ktoken_accept(p->text, "else"))
        braces(p, &r->block[1]);
    int n = ktoken_failed(p->text) ? 0 : kernel_raw_n_results(p->k, v);
    if (n > KREGION_MAX_VALUES)
        ktoken_fail(p->text, "too many values");
    if (ktoken_failed(p->text))
        return;
    if (n) {
        const struct kblock *b = &r->block[0];
        types_of(p, n, kernel_inst(p->k, b->insts[b->n - 1])->args, types);
        kernel_inst(p->k, v)->type = types[0];
    }
    define_results(p, names, v, n, types);
}

static void sort(struct parser *p, const struct names *names)
{
    int index_number[KREGION_MAX_DIMS];
    kval extent[KREGION_MAX_DIMS] = {0};
    enum dtype types[2 * KREGION_MAX_VALUES];
    int n_dims = dims(p, index_number, extent, NULL);
    if (ktoken_failed(p->text))
        return;
    kval v = region(p, KOP_SORT, 0, NULL, n_dims, index_number, extent);
    struct kregion *r = kernel_inst(p->k, v)->region;
    braces(p, &r->block[0]);
    size_t n_insts = r->block[0].n;
    const struct kinst *last = n_insts ? kernel_inst(p->k, r->block[0].insts[n_insts - 1]) : NULL;
    if (!ktoken_failed(p->text) && (!last || last->op != KOP_YIELD))
        ktoken_fail(p->text, "elements that are not yielded");
    if (ktoken_failed(p->text))
        return;
    int n = last->n_args;
    types_of(p, n, last->args, types);
    types_of(p, n, last->args, types + n);
    ktoken_expect(p->text, "before");
    params(p, &r->block[1], 2 * n, types);
    braces(p, &r->block[1]);
    ktoken_expect(p->text, "each");
    params(p, &r->block[2], n, types);
    braces(p, &r->block[2]);
    define_results(p, names, v, 0, NULL);
}

static void map(struct parser *p, const struct names *names)
{
    int index_number[KREGION_MAX_DIMS];
    kval extent[KREGION_MAX_DIMS] = {0};
    int n = dims(p, index_number, extent, NULL);
    if (ktoken_failed(p->text))
        return;
    kval v = region(p, KOP_MAP, 0, NULL, n, index_number, extent);
    braces(p, &kernel_inst(p->k, v)->region->block[0]);
    define_results(p, names, v, 0, NULL);
}

/* ---- instructions ---- */

static kval emit(struct parser *p, enum kop op, enum dtype t, int n, const kval *args)
{
    if (ktoken_failed(p->text))
        return 0;
    kval v = kernel_raw_inst(p->k, op, t, n, args);
    kernel_raw_append(p->k, p->block, v);
    return v;
}

static kval access(struct parser *p, enum kop op)
{
    kval args[MAX_RANK + 1] = {0};
    int b = buffer(p);
    ktoken_expect(p->text, "[");
    int n = ktoken_peek(p->text, "]") ? 0 : values(p, args, MAX_RANK);
    ktoken_expect(p->text, "]");
    if (!ktoken_failed(p->text) && n != p->k->bufs[b].rank)
        ktoken_fail(p->text, "another number of indices than the buffer has dimensions");
    if (op != KOP_LOAD) {
        ktoken_expect(p->text, op == KOP_STORE ? "=" : "else");
        args[n++] = value(p);
    }
    if (ktoken_failed(p->text))
        return 0;
    kval v = emit(p, op, op == KOP_STORE ? DTYPE_NONE : p->k->bufs[b].dtype, n, args);
    kernel_inst(p->k, v)->buf = b;
    return v;
}

static kval arithmetic(struct parser *p, enum kop op)
{
    kval args[MAX_ARGS] = {0};
    enum dtype t = op == KOP_CAST || op == KOP_BITCAST ? ktoken_type(p->text) : DTYPE_NONE;
    int n = values(p, args, MAX_ARGS);
    enum kop_kind kind = kop_kind(op);
    int want = kind == KOP_KIND_BINARY || kind == KOP_KIND_COMPARE ? 2 : op == KOP_SELECT ? 3 : 1;
    if (!ktoken_failed(p->text) && n != want)
        ktoken_fail(p->text, "another number of operands than the instruction has");
    if (kind == KOP_KIND_COMPARE)
        t = DTYPE_BOOL;
    else if (t == DTYPE_NONE)
        t = type_of(p, args[op == KOP_SELECT ? 1 : 0]);
    return emit(p, op, t, n, args);
}

static enum kop opcode(struct parser *p)
{
    const char *w = ktoken_word(p->text);
    for (int op = 1; op < KOP_COUNT; op++)
        if (strcmp(w, kop_name((enum kop)op)) == 0)
            return (enum kop)op;
    ktoken_fail(p->text, "expected an instruction");
    return KOP_NONE;
}

static void region_statement(struct parser *p, enum kop op, const struct names *names)
{
    switch (op) {
    case KOP_MAP:
        map(p, names);
        break;
    case KOP_LOOP:
        loop(p, names);
        break;
    case KOP_IF:
        conditional(p, names);
        break;
    case KOP_CONTRACT:
        contract(p, names);
        break;
    case KOP_SORT:
        sort(p, names);
        break;
    default:
        reduction(p, op, names);
        break;
    }
}

static void instruction(struct parser *p)
{
    struct names names = {0};
    if (ktoken_peek(p->text, "%")) {
        do {
            if (names.n == KREGION_MAX_VALUES) {
                ktoken_fail(p->text, "too many results");
                return;
            }
            names.number[names.n++] = number(p);
        } while (ktoken_accept(p->text, ","));
        ktoken_expect(p->text, "=");
    }
    enum kop op = opcode(p);
    if (ktoken_failed(p->text))
        return;
    if (kop_kind(op) == KOP_KIND_REGION) {
        if (!names.n)
            names.number[0] = number(p);
        region_statement(p, op, &names);
        return;
    }
    kval v = 0;
    kval args[KREGION_MAX_VALUES];
    if (op == KOP_YIELD) {
        int n = values(p, args, KREGION_MAX_VALUES);
        emit(p, op, DTYPE_NONE, n, args);
    } else if (op == KOP_LOAD || op == KOP_LOAD_OR || op == KOP_STORE) {
        v = access(p, op);
    } else if (op == KOP_EXTERN) {
        struct kextern *call = kextern_parse(p->text);
        v = emit(p, op, DTYPE_NONE, 0, NULL);
        if (v)
            kernel_inst(p->k, v)->call = call;
    } else if (kop_kind(op) == KOP_KIND_LEAF || op == KOP_RESULT) {
        ktoken_fail(p->text, "an instruction that the text form does not write");
    } else {
        v = arithmetic(p, op);
    }
    bool gives = op != KOP_YIELD && op != KOP_STORE && op != KOP_EXTERN;
    if (!ktoken_failed(p->text) && names.n != gives)
        ktoken_fail(p->text, gives ? "an instruction without its number"
                                   : "an instruction that has no value");
    if (!ktoken_failed(p->text) && gives)
        define(p, names.number[0], v);
}

static void instructions(struct parser *p)
{
    while (!ktoken_failed(p->text) && !ktoken_peek(p->text, "}")) {
        if (*p->text->at == '\0')
            ktoken_fail(p->text, "the text ends inside a block");
        else
            instruction(p);
    }
}

/* ---- buffers ---- */

static void content(struct parser *p, struct kbuf *b)
{
    struct tensor *t = arena_new(p->text->arena, struct tensor);
    t->dtype = b->dtype;
    t->rank = b->rank;
    memcpy(t->dims, b->dims, sizeof t->dims);
    b->constant = t;
    if (ktoken_accept(p->text, "...")) {
        ktoken_expect(p->text, "}");
        return;
    }
    int64_t n = 1;
    for (int d = 0; d < b->rank; d++)
        if (!checked_mul(n, b->dims[d], &n))
            n = INT64_MAX;
    if (n > KERNEL_TEXT_MAX_CONSTANT) {
        ktoken_fail(p->text, "more elements than the text form writes");
        return;
    }
    uint8_t *data = arena_alloc(p->text->arena, (size_t)dtype_bytes(b->dtype, n));
    t->data = data;
    for (int64_t i = 0; i < n && !ktoken_failed(p->text); i++) {
        union kscalar s;
        if (i)
            ktoken_expect(p->text, ",");
        if (ktoken_literal(p->text, &s) != b->dtype)
            ktoken_fail(p->text, "an element of another type than its buffer");
        if (!ktoken_failed(p->text))
            kscalar_write(b->dtype, data, i, s);
    }
    ktoken_expect(p->text, "}");
}

static void buffer_line(struct parser *p, enum kbuf_role role)
{
    int64_t sizes[MAX_RANK] = {0};
    int extent_buf[MAX_RANK], rank = 0;
    ktoken_expect(p->text, "@");
    int n = ktoken_small(p->text, MAX_NUMBER, "a buffer number out of range");
    if (!ktoken_failed(p->text) && (size_t)n != p->k->n_bufs)
        ktoken_fail(p->text, "buffers are numbered from 0 in their order");
    const char *name = ktoken_quoted(p->text);
    ktoken_expect(p->text, ":");
    enum dtype t = ktoken_type(p->text);
    ktoken_expect(p->text, "[");
    while (!ktoken_failed(p->text) && !ktoken_peek(p->text, "]")) {
        if (rank)
            ktoken_expect(p->text, ",");
        if (rank == MAX_RANK) {
            ktoken_fail(p->text, "too many dimensions");
            return;
        }
        extent_buf[rank] = -1;
        sizes[rank] = ktoken_integer(p->text);
        if (sizes[rank] < 0 || sizes[rank] > LIMIT_TENSOR_ELEMS)
            ktoken_fail(p->text, "an extent out of range");
        if (ktoken_accept(p->text, "@"))
            extent_buf[rank] = ktoken_small(p->text, MAX_NUMBER, "a buffer number out of range");
        rank++;
    }
    ktoken_expect(p->text, "]");
    if (ktoken_failed(p->text))
        return;
    int at = kernel_add_buf(p->k, name, t, role, rank, sizes);
    struct kbuf *b = &p->k->bufs[at];
    for (int d = 0; d < rank; d++)
        b->extent_buf[d] = extent_buf[d];
    struct error layout_err;
    error_init(&layout_err);
    if (!layout_parse(ktoken_word(p->text), rank, &b->layout, &layout_err))
        ktoken_fail(p->text, layout_err.text);
    if (ktoken_accept(p->text, "=")) {
        ktoken_expect(p->text, "{");
        content(p, b);
    }
}

static bool is_role(struct parser *p, enum kbuf_role *out)
{
    for (int r = 0; r <= KBUF_LOCAL; r++) {
        if (ktoken_accept(p->text, kernel_role_names[r])) {
            *out = (enum kbuf_role)r;
            return true;
        }
    }
    return false;
}

struct kernel *kernel_parse(struct arena *arena, const char *text, struct error *err)
{
    struct ktokens t = {.arena = arena, .at = text, .line = 1, .err = err};
    struct parser p = {.text = &t};
    if (ktoken_failed(&t))
        return NULL;
    ktoken_expect(&t, "kernel");
    p.k = kernel_create(arena, ktoken_quoted(&t));
    p.block = &p.k->body;
    ktoken_expect(&t, "{");
    enum kbuf_role role;
    while (is_role(&p, &role))
        buffer_line(&p, role);
    instructions(&p);
    ktoken_expect(&t, "}");
    ktoken_expect_end(&t);
    if (ktoken_failed(&t) || !kernel_validate(p.k, err))
        return NULL;
    return p.k;
}

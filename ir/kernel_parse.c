/*
 * kernel_parse.c: reads the text form that kernel_text.c writes; docs/kernel-ir.md describes it.
 *
 * Recursive descent over one string.  The first error is recorded with its line; after it every
 * function just returns, and loops end because nothing matches any more.  Only syntax, numbers and
 * the arity of what the text itself relates are checked here; kernel_validate does the rest, and
 * the parser runs it.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/checked.h"
#include "ir/kernel_fold.h"
#include "ir/kernel_raw.h"
#include "ir/kernel_text.h"

enum { MAX_NUMBER = 1 << 24, MAX_DEPTH = 40, MAX_ARGS = 2 * KREGION_MAX_VALUES };

struct parser {
    struct arena *arena;
    const char *at;
    int line;
    struct error *err;
    struct kernel *k;
    kval *value; /* by number in the text; 0: not defined */
    size_t n_values;
    struct kblock *block; /* that instructions go to */
    int depth;
};

static bool failed(const struct parser *p)
{
    return p->err->status != SHEAF_OK;
}

static void fail(struct parser *p, const char *what)
{
    error_set(p->err, SHEAF_ERROR_FORMAT, "kernel text, line %d: %s", p->line, what);
}

/* ---- tokens ---- */

static void skip_space(struct parser *p)
{
    for (;; p->at++) {
        if (*p->at == '\n')
            p->line++;
        else if (*p->at == '#')
            while (p->at[1] && p->at[1] != '\n')
                p->at++;
        else if (!isspace((unsigned char)*p->at))
            return;
    }
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool peek(struct parser *p, const char *token)
{
    skip_space(p);
    size_t n = strlen(token);
    if (failed(p) || strncmp(p->at, token, n) != 0)
        return false;
    return !is_word_char(token[n - 1]) || !is_word_char(p->at[n]);
}

static bool accept(struct parser *p, const char *token)
{
    if (!peek(p, token))
        return false;
    p->at += strlen(token);
    return true;
}

static void expect(struct parser *p, const char *token)
{
    if (failed(p) || accept(p, token))
        return;
    error_set(p->err, SHEAF_ERROR_FORMAT, "kernel text, line %d: expected '%s'", p->line, token);
}

/* The next word, "" where there is none. */
static const char *word(struct parser *p)
{
    skip_space(p);
    size_t n = 0;
    while (is_word_char(p->at[n]))
        n++;
    const char *w = arena_strndup(p->arena, p->at, failed(p) ? 0 : n);
    p->at += n;
    return w;
}

static int one_of(struct parser *p, const char *const *names, int n, const char *what)
{
    const char *w = word(p);
    for (int i = 0; i < n; i++)
        if (strcmp(w, names[i]) == 0)
            return i;
    fail(p, what);
    return 0;
}

static int64_t integer(struct parser *p)
{
    skip_space(p);
    char *end;
    errno = 0;
    bool negative = *p->at == '-';
    uint64_t u = strtoull(p->at + negative, &end, 10);
    if (end == p->at + negative || !isdigit((unsigned char)p->at[negative]) || errno)
        fail(p, "expected an integer");
    else
        p->at = end;
    return (int64_t)(negative ? 0 - u : u);
}

static int small(struct parser *p, int64_t max, const char *what)
{
    int64_t v = integer(p);
    if (v >= 0 && v <= max)
        return (int)v;
    fail(p, what);
    return 0;
}

static enum dtype type(struct parser *p)
{
    enum dtype t = dtype_parse(word(p));
    if (t == DTYPE_NONE)
        fail(p, "expected an element type");
    return t;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *quoted(struct parser *p)
{
    struct strbuf s;
    strbuf_init(&s, p->arena);
    expect(p, "\"");
    while (!failed(p) && *p->at != '"') {
        char c = *p->at;
        p->at += c != '\0'; /* never past the end of the text */
        if (c == '\0' || c == '\n') {
            fail(p, "a name without its closing quote");
        } else if (c == '\\' && *p->at == 'x') {
            int hi = hex_digit(p->at[1]), lo = hi < 0 ? -1 : hex_digit(p->at[2]);
            if (lo < 0 || hi * 16 + lo == 0)
                fail(p, "a malformed escape in a name");
            c = (char)(hi * 16 + lo);
            p->at += lo < 0 ? 0 : 3;
            strbuf_addn(&s, &c, 1);
        } else {
            if (c == '\\' && *p->at)
                c = *p->at++;
            strbuf_addn(&s, &c, 1);
        }
    }
    expect(p, "\"");
    return strbuf_text(&s);
}

/* ---- values ---- */

static void define(struct parser *p, int number, kval v)
{
    while (p->n_values <= (size_t)number) {
        size_t cap = p->n_values ? p->n_values * 2 : 64;
        kval *more = arena_array(p->arena, cap, sizeof *more);
        if (p->n_values)
            memcpy(more, p->value, p->n_values * sizeof *more);
        p->value = more;
        p->n_values = cap;
    }
    if (p->value[number])
        fail(p, "a number that is defined twice");
    p->value[number] = v;
}

static int number(struct parser *p)
{
    expect(p, "%");
    return small(p, MAX_NUMBER, "a number out of range");
}

static bool is_literal(struct parser *p)
{
    skip_space(p);
    return *p->at == '-' || isdigit((unsigned char)*p->at) || peek(p, "true") ||
           peek(p, "false") || peek(p, "inf") || peek(p, "nan");
}

/* A number with its type (see kernel_print_literal). */
static enum dtype literal(struct parser *p, union kscalar *out)
{
    skip_space(p);
    out->i = 0;
    if (accept(p, "true") || accept(p, "false")) {
        out->i = p->at[-2] == 'u';
        return DTYPE_BOOL;
    }
    const char *start = p->at;
    size_t n = *start == '-';
    bool is_float = !isdigit((unsigned char)start[n]);
    if (is_float && strncmp(start + n, "inf", 3) != 0 && strncmp(start + n, "nan", 3) != 0) {
        fail(p, "expected a value");
        return DTYPE_NONE;
    }
    if (is_float)
        n += 3;
    while (isdigit((unsigned char)start[n]) || (start[n] && strchr(".e", start[n])) ||
           ((start[n] == '-' || start[n] == '+') && start[n - 1] == 'e')) {
        is_float |= !isdigit((unsigned char)start[n]);
        n++;
    }
    const char *text = arena_strndup(p->arena, start, n);
    char *end;
    errno = 0;
    if (is_float)
        out->f = strtod(text, &end);
    else
        out->i = integer(p);
    if (is_float && (*end || end == text))
        fail(p, "expected a value");
    if (is_float && !failed(p))
        p->at = start + n;
    enum dtype t = is_float ? DTYPE_F32 : DTYPE_I64;
    if (accept(p, ":"))
        t = type(p);
    if (failed(p))
        return t;
    if (dtype_is_float(t) != is_float) {
        fail(p, "a literal that does not fit its type");
        return t;
    }
    bool exact = is_float ? isnan(out->f) || kscalar_round(t, out->f) == out->f
                          : kscalar_wrap(t, out->i) == out->i &&
                                (out->i >= 0 || (*start == '-') == (t != DTYPE_U64));
    if (is_float && !exact)
        out->f = kscalar_round(t, out->f); /* decimals are the shortest, not the exact ones */
    else if (!exact)
        fail(p, "a literal that does not fit its type");
    return t;
}

static kval value(struct parser *p)
{
    if (is_literal(p)) {
        union kscalar s;
        enum dtype t = literal(p, &s);
        if (failed(p))
            return 0;
        kval v = kernel_raw_inst(p->k, KOP_CONST, t, 0, NULL);
        kernel_raw_set_const(p->k, v, s);
        kernel_raw_append(p->k, p->block, v);
        return v;
    }
    int n = number(p);
    if (failed(p))
        return 0;
    if ((size_t)n >= p->n_values || !p->value[n]) {
        fail(p, "a number that is not defined before");
        return 0;
    }
    return p->value[n];
}

static int values(struct parser *p, kval *out, int max)
{
    int n = 0;
    do {
        if (n == max)
            fail(p, "too many values");
        else
            out[n++] = value(p);
    } while (!failed(p) && accept(p, ","));
    return n;
}

static enum dtype type_of(const struct parser *p, kval v)
{
    return v ? kernel_inst(p->k, v)->type : DTYPE_NONE;
}

static int buffer(struct parser *p)
{
    expect(p, "@");
    int b = small(p, MAX_NUMBER, "a buffer number out of range");
    if (!failed(p) && (size_t)b >= p->k->n_bufs)
        fail(p, "a buffer that does not exist");
    return failed(p) ? 0 : b;
}

/* ---- regions ---- */

static void instructions(struct parser *p);

/* "{ ... }" into b. */
static void braces(struct parser *p, struct kblock *b)
{
    struct kblock *outer = p->block;
    expect(p, "{");
    if (++p->depth > MAX_DEPTH)
        fail(p, "regions are nested too deeply");
    p->block = b;
    instructions(p);
    p->block = outer;
    p->depth--;
    expect(p, "}");
}

static void params(struct parser *p, struct kblock *b, int n, const enum dtype *types)
{
    expect(p, "(");
    for (int i = 0; i < n && !failed(p); i++) {
        if (i)
            expect(p, ",");
        int id = number(p);
        define(p, id, kernel_raw_param(p->k, b, types[i]));
    }
    expect(p, ")");
}

/* What the results of a region are called: the numbers before "=", or where there are none the one
   label, number[0]. */
struct names {
    int n, number[KREGION_MAX_VALUES];
};

static void define_results(struct parser *p, const struct names *names, kval region, int n,
                           const enum dtype *types)
{
    if (failed(p))
        return;
    if (names->n != n) {
        fail(p, "another number of results than the region has");
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
    expect(p, "(");
    while (!failed(p) && !peek(p, ")")) {
        if (n)
            expect(p, ",");
        if (n == KREGION_MAX_DIMS) {
            fail(p, "too many indices");
            break;
        }
        if (out_kind)
            out_kind[n] = (enum kiter)one_of(p, kernel_iter_names, KITER_K + 1,
                                             "expected batch, m, n or k");
        out_number[n] = number(p);
        expect(p, "<");
        out_extent[n] = value(p);
        if (!failed(p) && type_of(p, out_extent[n]) != DTYPE_I64)
            fail(p, "an extent that is not i64");
        n++;
    }
    expect(p, ")");
    return n;
}

static void affine(struct parser *p, struct kaffine *out)
{
    *out = kaffine_const(0);
    for (bool first = true; !failed(p); first = false) {
        bool minus = accept(p, "-");
        if (!minus && !first && !accept(p, "+"))
            return;
        int64_t c = 1;
        if (!peek(p, "%")) {
            c = integer(p);
            if (!accept(p, "*")) {
                out->offset += minus ? -c : c;
                continue;
            }
        }
        kval v = value(p);
        if (!failed(p) && out->n_terms == KAFFINE_MAX_TERMS)
            fail(p, "too many terms");
        if (!failed(p))
            kaffine_add(out, v, minus ? -c : c);
    }
}

static void operand(struct parser *p, const char *name, struct koperand *o)
{
    expect(p, name);
    o->buf = buffer(p);
    expect(p, "[");
    for (int d = 0; !failed(p) && d < p->k->bufs[o->buf].rank; d++) {
        if (d)
            expect(p, ",");
        affine(p, &o->dim[d]);
    }
    expect(p, "]");
    if (accept(p, "pad")) {
        o->padded = true;
        o->pad = value(p);
    }
    if (accept(p, "prologue")) {
        params(p, &o->prologue, 1, &p->k->bufs[o->buf].dtype);
        braces(p, &o->prologue);
    }
}

static void contract(struct parser *p, const struct names *names)
{
    struct kcontract *c = arena_new(p->arena, struct kcontract);
    int index_number[KREGION_MAX_DIMS];
    kval extent[KREGION_MAX_DIMS] = {0}, index[KREGION_MAX_DIMS];
    c->acc = type(p);
    int n = dims(p, index_number, extent, c->kind);
    if (failed(p))
        return;
    kval v = kernel_raw_region(p->k, KOP_CONTRACT, DTYPE_NONE, 0, NULL, n, extent, index);
    struct kregion *r = kernel_inst(p->k, v)->region;
    r->contract = c;
    for (int d = 0; d < n; d++)
        define(p, index_number[d], index[d]);
    expect(p, "{");
    operand(p, "a", &c->a);
    operand(p, "b", &c->b);
    expect(p, "epilogue");
    params(p, &r->block[0], 1, &c->acc);
    braces(p, &r->block[0]);
    expect(p, "}");
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
    if (accept(p, "with")) {
        expect(p, "(");
        do {
            if (n_args == KREGION_MAX_VALUES) {
                fail(p, "too many values");
                break;
            }
            param_number[n_args] = number(p);
            expect(p, "=");
            args[n_args++] = value(p);
        } while (accept(p, ","));
        expect(p, ")");
    }
    if (failed(p))
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
    enum kcombine combine = (enum kcombine)one_of(p, kernel_combine_names, KCOMBINE_BLOCK + 1,
                                                  "expected a combining operation");
    int lanes = accept(p, "lanes") ? small(p, 1024, "too many lanes") : 1;
    int n = dims(p, index_number, extent, NULL);
    expect(p, "from");
    expect(p, "(");
    int n_args = values(p, args, KREGION_MAX_VALUES);
    expect(p, ")");
    if (failed(p))
        return;
    types_of(p, n_args, args, types);
    types_of(p, n_args, args, types + n_args);
    kval v = region(p, op, n_args, args, n, index_number, extent);
    struct kregion *r = kernel_inst(p->k, v)->region;
    r->combine = combine;
    r->lanes = lanes;
    braces(p, &r->block[0]);
    if (op == KOP_SCAN) {
        expect(p, "each");
        params(p, &r->block[1], n_args, types);
        braces(p, &r->block[1]);
    } else if (combine == KCOMBINE_BLOCK) {
        expect(p, "combine");
        params(p, &r->block[1], 2 * n_args, types);
        braces(p, &r->block[1]);
    }
    define_results(p, names, v, n_args, types);
}

static void conditional(struct parser *p, const struct names *names)
{
    enum dtype types[KREGION_MAX_VALUES];
    expect(p, "(");
    kval c = value(p);
    expect(p, ")");
    if (failed(p))
        return;
    kval v = region(p, KOP_IF, 1, &c, 0, NULL, NULL);
    struct kregion *r = kernel_inst(p->k, v)->region;
    braces(p, &r->block[0]);
    if (accept(p, "else"))
        braces(p, &r->block[1]);
    int n = failed(p) ? 0 : kernel_raw_n_results(p->k, v);
    if (n > KREGION_MAX_VALUES)
        fail(p, "too many values");
    if (failed(p))
        return;
    if (n) {
        const struct kblock *b = &r->block[0];
        types_of(p, n, kernel_inst(p->k, b->insts[b->n - 1])->args, types);
        kernel_inst(p->k, v)->type = types[0];
    }
    define_results(p, names, v, n, types);
}

static void map(struct parser *p, const struct names *names)
{
    int index_number[KREGION_MAX_DIMS];
    kval extent[KREGION_MAX_DIMS] = {0};
    int n = dims(p, index_number, extent, NULL);
    if (failed(p))
        return;
    kval v = region(p, KOP_MAP, 0, NULL, n, index_number, extent);
    braces(p, &kernel_inst(p->k, v)->region->block[0]);
    define_results(p, names, v, 0, NULL);
}

/* ---- instructions ---- */

static kval emit(struct parser *p, enum kop op, enum dtype t, int n, const kval *args)
{
    if (failed(p))
        return 0;
    kval v = kernel_raw_inst(p->k, op, t, n, args);
    kernel_raw_append(p->k, p->block, v);
    return v;
}

static kval access(struct parser *p, enum kop op)
{
    kval args[MAX_RANK + 1] = {0};
    int b = buffer(p);
    expect(p, "[");
    int n = peek(p, "]") ? 0 : values(p, args, MAX_RANK);
    expect(p, "]");
    if (!failed(p) && n != p->k->bufs[b].rank)
        fail(p, "another number of indices than the buffer has dimensions");
    if (op != KOP_LOAD) {
        expect(p, op == KOP_STORE ? "=" : "else");
        args[n++] = value(p);
    }
    if (failed(p))
        return 0;
    kval v = emit(p, op, op == KOP_STORE ? DTYPE_NONE : p->k->bufs[b].dtype, n, args);
    kernel_inst(p->k, v)->buf = b;
    return v;
}

static kval arithmetic(struct parser *p, enum kop op)
{
    kval args[MAX_ARGS] = {0};
    enum dtype t = op == KOP_CAST || op == KOP_BITCAST ? type(p) : DTYPE_NONE;
    int n = values(p, args, MAX_ARGS);
    enum kop_kind kind = kop_kind(op);
    int want = kind == KOP_KIND_BINARY || kind == KOP_KIND_COMPARE ? 2 : op == KOP_SELECT ? 3 : 1;
    if (!failed(p) && n != want)
        fail(p, "another number of operands than the instruction has");
    if (kind == KOP_KIND_COMPARE)
        t = DTYPE_BOOL;
    else if (t == DTYPE_NONE)
        t = type_of(p, args[op == KOP_SELECT ? 1 : 0]);
    return emit(p, op, t, n, args);
}

static enum kop opcode(struct parser *p)
{
    const char *w = word(p);
    for (int op = 1; op < KOP_COUNT; op++)
        if (strcmp(w, kop_name((enum kop)op)) == 0)
            return (enum kop)op;
    fail(p, "expected an instruction");
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
    default:
        reduction(p, op, names);
        break;
    }
}

static void instruction(struct parser *p)
{
    struct names names = {0};
    if (peek(p, "%")) {
        do {
            if (names.n == KREGION_MAX_VALUES) {
                fail(p, "too many results");
                return;
            }
            names.number[names.n++] = number(p);
        } while (accept(p, ","));
        expect(p, "=");
    }
    enum kop op = opcode(p);
    if (failed(p))
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
    } else if (kop_kind(op) == KOP_KIND_LEAF || op == KOP_RESULT) {
        fail(p, "an instruction that the text form does not write");
    } else {
        v = arithmetic(p, op);
    }
    bool gives = op != KOP_YIELD && op != KOP_STORE;
    if (!failed(p) && names.n != gives)
        fail(p, gives ? "an instruction without its number" : "an instruction that has no value");
    if (!failed(p) && gives)
        define(p, names.number[0], v);
}

static void instructions(struct parser *p)
{
    while (!failed(p) && !peek(p, "}")) {
        if (*p->at == '\0')
            fail(p, "the text ends inside a block");
        else
            instruction(p);
    }
}

/* ---- buffers ---- */

static void content(struct parser *p, struct kbuf *b)
{
    struct tensor *t = arena_new(p->arena, struct tensor);
    t->dtype = b->dtype;
    t->rank = b->rank;
    memcpy(t->dims, b->dims, sizeof t->dims);
    b->constant = t;
    if (accept(p, "...")) {
        expect(p, "}");
        return;
    }
    int64_t n = 1;
    for (int d = 0; d < b->rank; d++)
        if (!checked_mul(n, b->dims[d], &n))
            n = INT64_MAX;
    if (n > KERNEL_TEXT_MAX_CONSTANT) {
        fail(p, "more elements than the text form writes");
        return;
    }
    uint8_t *data = arena_alloc(p->arena, (size_t)dtype_bytes(b->dtype, n));
    t->data = data;
    for (int64_t i = 0; i < n && !failed(p); i++) {
        union kscalar s;
        if (i)
            expect(p, ",");
        if (literal(p, &s) != b->dtype)
            fail(p, "an element of another type than its buffer");
        if (!failed(p))
            kscalar_write(b->dtype, data, i, s);
    }
    expect(p, "}");
}

static void buffer_line(struct parser *p, enum kbuf_role role)
{
    int64_t sizes[MAX_RANK] = {0};
    int extent_buf[MAX_RANK], rank = 0;
    expect(p, "@");
    int n = small(p, MAX_NUMBER, "a buffer number out of range");
    if (!failed(p) && (size_t)n != p->k->n_bufs)
        fail(p, "buffers are numbered from 0 in their order");
    const char *name = quoted(p);
    expect(p, ":");
    enum dtype t = type(p);
    expect(p, "[");
    while (!failed(p) && !peek(p, "]")) {
        if (rank)
            expect(p, ",");
        if (rank == MAX_RANK) {
            fail(p, "too many dimensions");
            return;
        }
        extent_buf[rank] = -1;
        sizes[rank] = integer(p);
        if (sizes[rank] < 0 || sizes[rank] > LIMIT_TENSOR_ELEMS)
            fail(p, "an extent out of range");
        if (accept(p, "@"))
            extent_buf[rank] = small(p, MAX_NUMBER, "a buffer number out of range");
        rank++;
    }
    expect(p, "]");
    if (failed(p))
        return;
    int at = kernel_add_buf(p->k, name, t, role, rank, sizes);
    struct kbuf *b = &p->k->bufs[at];
    for (int d = 0; d < rank; d++)
        b->extent_buf[d] = extent_buf[d];
    struct error layout_err;
    error_init(&layout_err);
    if (!layout_parse(word(p), rank, &b->layout, &layout_err))
        fail(p, layout_err.text);
    if (accept(p, "=")) {
        expect(p, "{");
        content(p, b);
    }
}

static bool is_role(struct parser *p, enum kbuf_role *out)
{
    for (int r = 0; r <= KBUF_LOCAL; r++) {
        if (accept(p, kernel_role_names[r])) {
            *out = (enum kbuf_role)r;
            return true;
        }
    }
    return false;
}

struct kernel *kernel_parse(struct arena *arena, const char *text, struct error *err)
{
    struct parser p = {.arena = arena, .at = text, .line = 1, .err = err};
    if (failed(&p))
        return NULL;
    expect(&p, "kernel");
    p.k = kernel_create(arena, quoted(&p));
    p.block = &p.k->body;
    expect(&p, "{");
    enum kbuf_role role;
    while (is_role(&p, &role))
        buffer_line(&p, role);
    instructions(&p);
    expect(&p, "}");
    skip_space(&p);
    if (!failed(&p) && *p.at)
        fail(&p, "text after the kernel");
    if (failed(&p) || !kernel_validate(p.k, err))
        return NULL;
    return p.k;
}

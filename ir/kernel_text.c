/*
 * kernel_text.c: the text form of kernels; kernel_parse.c reads it.
 *
 * Values are numbered in the order in which the text defines them, whatever their kvals, so that
 * equal kernels have equal texts.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/kernel_extern.h"
#include "ir/kernel_raw.h"
#include "ir/kernel_scalar.h"
#include "ir/kernel_text.h"

const char *const kernel_combine_names[] = {"add", "mul", "min", "max", "and", "or", "block"};
const char *const kernel_iter_names[] = {"batch", "m", "n", "k"};
const char *const kernel_role_names[] = {"in", "out", "inout", "local"};

/* ---- numbering ---- */

struct numbering {
    const struct kernel *k;
    uint32_t *number;
    uint32_t next;
};

static void number_block(struct numbering *n, const struct kblock *b);

static void number_region(struct numbering *n, kval v)
{
    const struct kregion *r = kernel_inst(n->k, v)->region;
    int n_results = kernel_raw_n_results(n->k, v);
    n->number[v] = n->next;
    n->next += (uint32_t)(n_results ? n_results : 1);
    for (int d = 0; d < r->n_dims; d++)
        n->number[r->index[d]] = n->next++;
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n_blocks = kernel_raw_blocks(n->k, v, blocks);
    for (int i = 0; i < n_blocks; i++)
        number_block(n, blocks[i]);
}

static void number_block(struct numbering *n, const struct kblock *b)
{
    for (int p = 0; p < b->n_params; p++)
        n->number[b->param[p]] = n->next++;
    for (size_t i = 0; i < b->n; i++) {
        kval v = b->insts[i];
        const struct kinst *inst = kernel_inst(n->k, v);
        if (inst->region)
            number_region(n, v);
        else if (inst->op == KOP_RESULT && n->number[inst->args[0]] != UINT32_MAX)
            n->number[v] = n->number[inst->args[0]] + (uint32_t)inst->imm.i;
        else if (inst->op != KOP_CONST && inst->type != DTYPE_NONE)
            n->number[v] = n->next++;
    }
}

const uint32_t *kernel_number(const struct kernel *k, struct arena *a)
{
    struct numbering n = {.k = k, .number = arena_array(a, k->n_insts, sizeof(uint32_t))};
    memset(n.number, 0xff, k->n_insts * sizeof(uint32_t));
    number_block(&n, &k->body);
    return n.number;
}

/* ---- literals ---- */

/* The shortest decimal that reads back as v in its type. */
static void print_float(struct strbuf *out, enum dtype type, double v)
{
    if (isnan(v) || isinf(v)) {
        strbuf_add(out, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (kscalar_round(type, strtod(text, NULL)) == v)
            break;
    }
    strbuf_add(out, text);
    if (!strpbrk(text, ".e"))
        strbuf_add(out, ".0");
}

void kernel_print_literal(struct strbuf *out, enum dtype type, union kscalar s)
{
    if (type == DTYPE_BOOL)
        strbuf_add(out, s.i ? "true" : "false");
    else if (dtype_is_float(type))
        print_float(out, type, s.f);
    else if (type == DTYPE_U64)
        strbuf_printf(out, "%" PRIu64, (uint64_t)s.i);
    else
        strbuf_printf(out, "%" PRId64, s.i);
    if (type != DTYPE_BOOL && type != DTYPE_F32 && type != DTYPE_I64)
        strbuf_printf(out, ":%s", dtype_name(type));
}

/* ---- printing ---- */

struct printer {
    const struct kernel *k;
    struct strbuf *out;
    const uint32_t *number;
    bool key; /* no names, no content */
    int depth;
    size_t *at; /* by kval: where in the text it stands; NULL: nobody asks */
};

static void print_value(struct printer *p, kval v)
{
    const struct kinst *i = kernel_inst(p->k, v);
    if (i->op == KOP_CONST) {
        union kscalar s;
        if (dtype_is_float(i->type))
            s.f = i->imm.f;
        else
            s.i = i->imm.i;
        kernel_print_literal(p->out, i->type, s);
    } else if (p->number[v] == UINT32_MAX) {
        strbuf_add(p->out, "%?"); /* used but defined nowhere: the validator says so */
    } else {
        strbuf_printf(p->out, "%%%" PRIu32, p->number[v]);
    }
}

static void print_values(struct printer *p, int n, const kval *v)
{
    for (int i = 0; i < n; i++) {
        strbuf_add(p->out, i ? ", " : "");
        print_value(p, v[i]);
    }
}

static void indent(struct printer *p)
{
    for (int i = 0; i < p->depth; i++)
        strbuf_add(p->out, "  ");
}

static void print_block(struct printer *p, const struct kblock *b);

/* " {", the block, and "}" without an end of line. */
static void print_braces(struct printer *p, const struct kblock *b)
{
    strbuf_add(p->out, " {\n");
    print_block(p, b);
    indent(p);
    strbuf_add(p->out, "}");
}

static void print_params(struct printer *p, const char *word, const struct kblock *b)
{
    strbuf_printf(p->out, " %s (", word);
    print_values(p, b->n_params, b->param);
    strbuf_add(p->out, ")");
}

static void print_affine(struct printer *p, const struct kaffine *a)
{
    for (int t = 0; t < a->n_terms; t++) {
        int64_t c = a->term[t].coef;
        if (t)
            strbuf_add(p->out, c < 0 ? " - " : " + ");
        else if (c < 0)
            strbuf_add(p->out, "-");
        uint64_t size = c < 0 ? 0 - (uint64_t)c : (uint64_t)c;
        if (size != 1)
            strbuf_printf(p->out, "%" PRIu64 "*", size);
        print_value(p, a->term[t].var);
    }
    if (!a->n_terms)
        strbuf_printf(p->out, "%" PRId64, a->offset);
    else if (a->offset)
        strbuf_printf(p->out, " %c %" PRIu64, a->offset < 0 ? '-' : '+',
                      a->offset < 0 ? 0 - (uint64_t)a->offset : (uint64_t)a->offset);
}

static void print_operand(struct printer *p, const char *name, const struct koperand *o)
{
    indent(p);
    strbuf_printf(p->out, "%s @%d[", name, o->buf);
    for (int d = 0; d < p->k->bufs[o->buf].rank; d++) {
        strbuf_add(p->out, d ? ", " : "");
        print_affine(p, &o->dim[d]);
    }
    strbuf_add(p->out, "]");
    if (o->padded) {
        strbuf_add(p->out, " pad ");
        print_value(p, o->pad);
    }
    if (o->prologue.n) {
        print_params(p, "prologue", &o->prologue);
        print_braces(p, &o->prologue);
    }
    strbuf_add(p->out, "\n");
}

static void print_contract(struct printer *p, const struct kregion *r)
{
    strbuf_add(p->out, " {\n");
    p->depth++;
    print_operand(p, "a", &r->contract->a);
    print_operand(p, "b", &r->contract->b);
    indent(p);
    strbuf_add(p->out, "epilogue (");
    print_values(p, r->block[0].n_params, r->block[0].param);
    strbuf_add(p->out, ")");
    print_braces(p, &r->block[0]);
    strbuf_add(p->out, "\n");
    p->depth--;
    indent(p);
    strbuf_add(p->out, "}");
}

static void print_dims(struct printer *p, const struct kregion *r)
{
    strbuf_add(p->out, " (");
    for (int d = 0; d < r->n_dims; d++) {
        strbuf_add(p->out, d ? ", " : "");
        if (r->contract)
            strbuf_printf(p->out, "%s ", kernel_iter_names[r->contract->kind[d]]);
        print_value(p, r->index[d]);
        strbuf_add(p->out, " < ");
        print_value(p, r->extent[d]);
    }
    strbuf_add(p->out, ")");
}

static void print_start_values(struct printer *p, const struct kinst *i)
{
    strbuf_add(p->out, " from (");
    print_values(p, i->n_args, i->args);
    strbuf_add(p->out, ")");
}

static void print_loop(struct printer *p, const struct kinst *i)
{
    const struct kblock *b = &i->region->block[0];
    if (!i->n_args)
        return;
    strbuf_add(p->out, " with (");
    for (int a = 0; a < i->n_args; a++) {
        strbuf_add(p->out, a ? ", " : "");
        print_value(p, b->param[a]);
        strbuf_add(p->out, " = ");
        print_value(p, i->args[a]);
    }
    strbuf_add(p->out, ")");
}

static void print_region(struct printer *p, kval v)
{
    const struct kinst *i = kernel_inst(p->k, v);
    const struct kregion *r = i->region;
    int n_results = kernel_raw_n_results(p->k, v);
    for (int j = 0; j < n_results; j++)
        strbuf_printf(p->out, "%s%%%" PRIu32, j ? ", " : "", p->number[v] + (uint32_t)j);
    strbuf_printf(p->out, "%s%s", n_results ? " = " : "", kop_name(i->op));
    if (!n_results)
        strbuf_printf(p->out, " %%%" PRIu32, p->number[v]);
    if (i->op == KOP_CONTRACT)
        strbuf_printf(p->out, " %s", dtype_name(r->contract->acc));
    if (i->op == KOP_REDUCE || i->op == KOP_SCAN)
        strbuf_printf(p->out, " %s", kernel_combine_names[r->combine]);
    if (r->unordered)
        strbuf_add(p->out, " unordered");
    if (r->lanes != 1)
        strbuf_printf(p->out, " lanes %d", r->lanes);
    if (i->op != KOP_IF)
        print_dims(p, r);

    switch (i->op) {
    case KOP_LOOP:
        print_loop(p, i);
        print_braces(p, &r->block[0]);
        break;
    case KOP_REDUCE:
        print_start_values(p, i);
        print_braces(p, &r->block[0]);
        if (r->combine == KCOMBINE_BLOCK) {
            print_params(p, "combine", &r->block[1]);
            print_braces(p, &r->block[1]);
        }
        break;
    case KOP_SCAN:
        print_start_values(p, i);
        print_braces(p, &r->block[0]);
        print_params(p, "each", &r->block[1]);
        print_braces(p, &r->block[1]);
        break;
    case KOP_SORT:
        print_braces(p, &r->block[0]);
        print_params(p, "before", &r->block[1]);
        print_braces(p, &r->block[1]);
        print_params(p, "each", &r->block[2]);
        print_braces(p, &r->block[2]);
        break;
    case KOP_IF:
        strbuf_add(p->out, " (");
        print_values(p, i->n_args, i->args);
        strbuf_add(p->out, ")");
        print_braces(p, &r->block[0]);
        if (r->block[1].n) {
            strbuf_add(p->out, " else");
            print_braces(p, &r->block[1]);
        }
        break;
    case KOP_CONTRACT:
        print_contract(p, r);
        break;
    default:
        print_braces(p, &r->block[0]);
        break;
    }
    strbuf_add(p->out, "\n");
}

static void print_access(struct printer *p, const struct kinst *i)
{
    int rank = p->k->bufs[i->buf].rank;
    strbuf_printf(p->out, "%s @%d[", kop_name(i->op), i->buf);
    print_values(p, rank, i->args);
    strbuf_add(p->out, "]");
    if (i->op == KOP_LOAD)
        return;
    strbuf_add(p->out, i->op == KOP_STORE ? " = " : " else ");
    print_value(p, i->args[rank]);
}

static void print_inst(struct printer *p, kval v)
{
    const struct kinst *i = kernel_inst(p->k, v);
    if (i->op == KOP_CONST || i->op == KOP_RESULT)
        return; /* written where used, and with the region */
    if (p->at)
        p->at[v] = p->out->len;
    indent(p);
    if (i->region) {
        print_region(p, v);
        return;
    }
    if (i->type != DTYPE_NONE) {
        print_value(p, v);
        strbuf_add(p->out, " = ");
    }
    if (i->buf >= 0) {
        print_access(p, i);
    } else if (i->call) {
        kextern_print(p->out, i->call);
    } else {
        strbuf_printf(p->out, "%s ", kop_name(i->op));
        if (i->op == KOP_CAST || i->op == KOP_BITCAST)
            strbuf_printf(p->out, "%s ", dtype_name(i->type));
        print_values(p, i->n_args, i->args);
    }
    strbuf_add(p->out, "\n");
}

static void print_block(struct printer *p, const struct kblock *b)
{
    p->depth++;
    for (size_t i = 0; i < b->n; i++)
        print_inst(p, b->insts[i]);
    p->depth--;
}

/* ---- the kernel ---- */

void kernel_print_quoted(struct strbuf *out, const char *s)
{
    strbuf_add(out, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < 32 || c == 127)
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_addn(out, s, 1);
    }
    strbuf_add(out, "\"");
}

static void print_content(struct strbuf *out, const struct tensor *t)
{
    int64_t n = tensor_elems(t);
    if (!t->data || n > KERNEL_TEXT_MAX_CONSTANT) {
        strbuf_add(out, " = {...}");
        return;
    }
    strbuf_add(out, " = {");
    for (int64_t i = 0; i < n; i++) {
        strbuf_add(out, i ? ", " : "");
        kernel_print_literal(out, t->dtype, kscalar_read(t->dtype, t->data, i));
    }
    strbuf_add(out, "}");
}

static void print_buf(struct printer *p, int buf)
{
    const struct kbuf *b = &p->k->bufs[buf];
    strbuf_printf(p->out, "  %s @%d ", kernel_role_names[b->role], buf);
    if (!p->key) {
        kernel_print_quoted(p->out, b->name);
        strbuf_add(p->out, ": ");
    }
    strbuf_printf(p->out, "%s[", dtype_name(b->dtype));
    for (int d = 0; d < b->rank; d++) {
        strbuf_printf(p->out, "%s%" PRId64, d ? "," : "", b->dims[d]);
        if (b->extent_buf[d] >= 0)
            strbuf_printf(p->out, "@%d", b->extent_buf[d]);
    }
    strbuf_printf(p->out, "] %s", layout_print(&b->layout, p->out->arena));
    if (b->constant && p->key)
        strbuf_add(p->out, " constant"); /* a schedule may have it packed */
    else if (b->constant)
        print_content(p->out, b->constant);
    strbuf_add(p->out, "\n");
}

static void print_kernel(const struct kernel *k, struct strbuf *out, bool key, size_t *at)
{
    struct printer p = {
        .k = k, .out = out, .number = kernel_number(k, out->arena), .key = key, .at = at};
    strbuf_add(out, "kernel ");
    if (!key) {
        kernel_print_quoted(out, k->name);
        strbuf_add(out, " ");
    }
    strbuf_add(out, "{\n");
    for (size_t b = 0; b < k->n_bufs; b++)
        print_buf(&p, (int)b);
    print_block(&p, &k->body);
    strbuf_add(out, "}\n");
}

void kernel_print(const struct kernel *k, struct strbuf *out)
{
    print_kernel(k, out, false, NULL);
}

void kernel_print_places(const struct kernel *k, struct strbuf *out, size_t *out_at)
{
    print_kernel(k, out, false, out_at);
}

void kernel_print_key(const struct kernel *k, struct strbuf *out)
{
    print_kernel(k, out, true, NULL);
}

/*
 * The text form of a graph: printer (the parser is graph_parse.c).
 *
 *     graph "resnet" source "net.onnx" {
 *         input %x f32 [1,3,8,8]
 *         const %w f32 [4,3,1,1] = {0.5, 1, ...}      # or: fill 0.5, or: hex 0000003f...
 *         state %seed u64 [2]
 *         %y f32 [1,4,8,8] layout "abcd16b" quant 0.5 3 = conv "Conv_0" (%x, %w, _) {group=1}
 * region 2 %z i64 [2,9:%n], %n i64 [] = non_zero (%q)  # bound 9, true extent held by %n %r f32 [4]
 * = if (%c) do () { return %a } do () { return %b
 *         }
 *         return %y, %r
 *         bind %y %x                                  # output y is input x of the next call
 *     }
 *
 * A statement per line is usual but not required; `#` starts a comment.  A name that is not made of
 * letters, digits and _ . / : + - @ is quoted: %"a b".  "_" stands for an input or output left out.
 * Attributes at their defaults are left out, and so is a node's name where it is that of its first
 * output.  The bytes after `hex` are those of the storage, in order.  `host` behind a node's
 * attributes and region: it stays on the host of a device.
 */
#include "ir/graph.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/graph_text.h"

struct printer {
    struct strbuf *out;
    bool brief;
};

bool graph_text_bare(const char *name)
{
    if (!*name)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_./:+-@", *name))
            return false;
    return true;
}

static void print_string(struct printer *p, const char *s)
{
    strbuf_add(p->out, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            strbuf_printf(p->out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            strbuf_printf(p->out, "\\x%02x", c);
        else
            strbuf_addn(p->out, s, 1);
    }
    strbuf_add(p->out, "\"");
}

static void print_name(struct printer *p, const struct value *v)
{
    if (!v) {
        strbuf_add(p->out, "_");
        return;
    }
    strbuf_add(p->out, "%");
    if (graph_text_bare(v->name))
        strbuf_add(p->out, v->name);
    else
        print_string(p, v->name);
}

/* The shortest decimal that reads back as the same number; NaN as its bits. */
static void print_f64(struct printer *p, double v)
{
    char text[40];
    if (isnan(v)) {
        strbuf_printf(p->out, "nan.%016llx", (unsigned long long)dtype_bits_of_f64(v));
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    strbuf_add(p->out, text);
}

static void print_f32(struct printer *p, float v)
{
    char text[40];
    if (isnan(v)) {
        strbuf_printf(p->out, "nan.%08lx", (unsigned long)dtype_bits_of_f32(v));
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if (strtof(text, NULL) == v)
            break;
    }
    strbuf_add(p->out, text);
}

static void print_element(struct printer *p, const struct tensor *t, int64_t i)
{
    if (t->dtype == DTYPE_F64)
        print_f64(p, tensor_get(t, i));
    else if (dtype_is_float(t->dtype))
        print_f32(p, (float)tensor_get(t, i));
    else if (t->dtype == DTYPE_U64)
        strbuf_printf(p->out, "%llu", (unsigned long long)tensor_get_int(t, i));
    else
        strbuf_printf(p->out, "%lld", (long long)tensor_get_int(t, i));
}

static bool tensor_has_nan(const struct tensor *t, int64_t n)
{
    for (int64_t i = 0; dtype_is_float(t->dtype) && i < n; i++)
        if (isnan(tensor_get(t, i)))
            return true;
    return false;
}

/* Every element has the bytes of the first. */
static bool tensor_is_uniform(const struct tensor *t)
{
    unsigned bits = dtype_bits(t->dtype);
    if (bits < 8)
        return false;
    size_t elem = bits / 8, bytes = (size_t)tensor_bytes(t);
    const uint8_t *data = t->data;
    return bytes > elem && memcmp(data, data + elem, bytes - elem) == 0;
}

static void print_hex(struct printer *p, const uint8_t *data, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    char text[512];
    strbuf_add(p->out, "hex ");
    while (n) {
        size_t part = n < sizeof text / 2 ? n : sizeof text / 2;
        for (size_t i = 0; i < part; i++) {
            text[2 * i] = digit[data[i] >> 4];
            text[2 * i + 1] = digit[data[i] & 15];
        }
        strbuf_addn(p->out, text, 2 * part);
        data += part;
        n -= part;
    }
}

static void print_data(struct printer *p, const struct tensor *t)
{
    enum { INLINE_ELEMS = 16 };
    int64_t n = tensor_elems(t);
    if (n <= INLINE_ELEMS && !tensor_has_nan(t, n)) {
        strbuf_add(p->out, "{");
        for (int64_t i = 0; i < n; i++) {
            strbuf_add(p->out, i ? ", " : "");
            print_element(p, t, i);
        }
        strbuf_add(p->out, "}");
    } else if (tensor_bytes(t) <= GRAPH_TEXT_MAX_FILL_BYTES && tensor_is_uniform(t) &&
               !tensor_has_nan(t, 1)) {
        strbuf_add(p->out, "fill ");
        print_element(p, t, 0);
    } else if (p->brief) {
        strbuf_add(p->out, "...");
    } else {
        print_hex(p, t->data, (size_t)tensor_bytes(t));
    }
}

static void print_dims(struct printer *p, int rank, const int64_t *dims,
                       struct value *const *extent)
{
    strbuf_add(p->out, "[");
    for (int d = 0; d < rank; d++) {
        strbuf_printf(p->out, "%s%lld", d ? "," : "", (long long)dims[d]);
        if (extent && extent[d]) {
            strbuf_add(p->out, ":");
            print_name(p, extent[d]);
        }
    }
    strbuf_add(p->out, "]");
}

/* A value where it is defined: name, type, shape, and what is not usual about it. */
static void print_value(struct printer *p, const struct value *v)
{
    print_name(p, v);
    if (!v || v->dtype == DTYPE_NONE)
        return;
    strbuf_printf(p->out, " %s ", dtype_name(v->dtype));
    print_dims(p, v->shape.rank, v->shape.dims, v->shape.extent);
    if (!layout_is_plain(&v->layout))
        strbuf_printf(p->out, " layout \"%s\"", layout_print(&v->layout, p->out->arena));
    if (v->quant.scale != 0) {
        strbuf_add(p->out, " quant ");
        print_f32(p, v->quant.scale);
        strbuf_printf(p->out, " %d", (int)v->quant.zero_point);
    }
}

static void print_values(struct printer *p, struct value *const *v, size_t n, bool define)
{
    for (size_t i = 0; i < n; i++) {
        strbuf_add(p->out, i ? ", " : "");
        if (define)
            print_value(p, v[i]);
        else
            print_name(p, v[i]);
    }
}

static bool attr_is_default(const struct attr_desc *a, const char *field)
{
    switch (a->kind) {
    case ATTR_KIND_INT:
        return memcmp(field, &a->def_int, sizeof a->def_int) == 0;
    case ATTR_KIND_FLOAT:
        return memcmp(field, &a->def_float, sizeof a->def_float) == 0;
    case ATTR_KIND_STRING:
        return strcmp(*(const char *const *)(const void *)field, a->def_string) == 0;
    case ATTR_KIND_INTS:
        return !((const struct attr_ints *)(const void *)field)->v;
    case ATTR_KIND_FLOATS:
        return !((const struct attr_floats *)(const void *)field)->v;
    case ATTR_KIND_STRINGS:
        return !((const struct attr_strings *)(const void *)field)->v;
    case ATTR_KIND_TENSOR:
        return !*(const struct tensor *const *)(const void *)field;
    }
    return false;
}

static void print_attr(struct printer *p, const struct attr_desc *a, const void *field)
{
    strbuf_printf(p->out, "%s=", a->name);
    switch (a->kind) {
    case ATTR_KIND_INT:
        strbuf_printf(p->out, "%lld", (long long)*(const int64_t *)field);
        return;
    case ATTR_KIND_FLOAT:
        print_f32(p, *(const float *)field);
        return;
    case ATTR_KIND_STRING:
        print_string(p, *(const char *const *)field);
        return;
    case ATTR_KIND_INTS: {
        const struct attr_ints *l = field;
        for (size_t i = 0; i < l->n; i++)
            strbuf_printf(p->out, "%s%lld", i ? "," : "[", (long long)l->v[i]);
        strbuf_add(p->out, l->n ? "]" : "[]");
        return;
    }
    case ATTR_KIND_FLOATS: {
        const struct attr_floats *l = field;
        strbuf_add(p->out, "[");
        for (size_t i = 0; i < l->n; i++) {
            strbuf_add(p->out, i ? "," : "");
            print_f32(p, l->v[i]);
        }
        strbuf_add(p->out, "]");
        return;
    }
    case ATTR_KIND_STRINGS: {
        const struct attr_strings *l = field;
        strbuf_add(p->out, "[");
        for (size_t i = 0; i < l->n; i++) {
            strbuf_add(p->out, i ? "," : "");
            print_string(p, l->v[i]);
        }
        strbuf_add(p->out, "]");
        return;
    }
    case ATTR_KIND_TENSOR: {
        const struct tensor *t = *(const struct tensor *const *)field;
        strbuf_printf(p->out, "%s ", dtype_name(t->dtype));
        print_dims(p, t->rank, t->dims, NULL);
        strbuf_add(p->out, " ");
        print_data(p, t);
        return;
    }
    }
}

static void print_attrs(struct printer *p, const struct node *n)
{
    const struct op_desc *d = op_desc(n->op);
    int printed = 0;
    for (size_t i = 0; i < d->n_attrs; i++) {
        const char *field = (const char *)n->attrs + d->attrs[i].offset;
        if (attr_is_default(&d->attrs[i], field))
            continue;
        strbuf_add(p->out, printed++ ? ", " : " {");
        print_attr(p, &d->attrs[i], field);
    }
    strbuf_add(p->out, printed ? "}" : "");
}

static void print_indent(struct printer *p, int depth)
{
    for (int i = 0; i < depth; i++)
        strbuf_add(p->out, "    ");
}

static void print_nodes(struct printer *p, const struct block *b, int depth);

static void print_node(struct printer *p, const struct node *n, int depth)
{
    print_indent(p, depth);
    print_values(p, n->out, n->n_out, true);
    strbuf_printf(p->out, "%s= %s ", n->n_out ? " " : "", op_desc(n->op)->id);
    if (n->name && strcmp(n->name, graph_text_node_name(n)) != 0) {
        print_string(p, n->name);
        strbuf_add(p->out, " ");
    }
    strbuf_add(p->out, "(");
    print_values(p, n->in, n->n_in, false);
    strbuf_add(p->out, ")");
    print_attrs(p, n);
    if (n->region)
        strbuf_printf(p->out, " region %u", (unsigned)n->region);
    if (n->on_host)
        strbuf_add(p->out, " host");
    for (size_t i = 0; i < n->n_blocks; i++) {
        strbuf_add(p->out, " do (");
        print_values(p, n->blocks[i]->in, n->blocks[i]->n_in, true);
        strbuf_add(p->out, ") {\n");
        print_nodes(p, n->blocks[i], depth + 1);
        print_indent(p, depth);
        strbuf_add(p->out, "}");
    }
    strbuf_add(p->out, "\n");
}

static void print_nodes(struct printer *p, const struct block *b, int depth)
{
    for (size_t i = 0; i < b->n_nodes; i++)
        print_node(p, b->nodes[i], depth);
    print_indent(p, depth);
    strbuf_add(p->out, b->n_out ? "return " : "return");
    print_values(p, b->out, b->n_out, false);
    strbuf_add(p->out, "\n");
}

const char *graph_text_node_name(const struct node *n)
{
    return n->n_out && n->out[0] ? n->out[0]->name : op_desc(n->op)->id;
}

static void print_bindings(const struct graph *g, struct printer *p)
{
    for (size_t i = 0; i < g->n_bindings; i++) {
        strbuf_add(p->out, "    bind ");
        print_name(p, g->body.out[g->bindings[i].out]);
        strbuf_add(p->out, " ");
        print_name(p, g->body.in[g->bindings[i].in]);
        strbuf_add(p->out, "\n");
    }
}

static void print_graph(const struct graph *g, struct printer *p)
{
    strbuf_add(p->out, "graph ");
    print_string(p, g->name);
    if (g->source && *g->source) {
        strbuf_add(p->out, " source ");
        print_string(p, g->source);
    }
    if (g->max_items) {
        strbuf_add(p->out, " items ");
        print_string(p, g->items);
        strbuf_printf(p->out, " %lld", (long long)g->max_items);
    }
    strbuf_add(p->out, " {\n");
    for (size_t i = 0; i < g->body.n_in; i++) {
        strbuf_add(p->out, "    input ");
        print_value(p, g->body.in[i]);
        strbuf_add(p->out, "\n");
    }
    for (size_t i = 0; i < g->n_values; i++) {
        const struct value *v = g->values[i];
        if (v->role == VALUE_CONST) {
            strbuf_add(p->out, "    const ");
            print_value(p, v);
            strbuf_add(p->out, " = ");
            print_data(p, v->constant);
            strbuf_add(p->out, "\n");
        } else if (v->role == VALUE_STATE) {
            strbuf_add(p->out, "    state ");
            print_value(p, v);
            strbuf_add(p->out, "\n");
        }
    }
    print_nodes(p, &g->body, 1);
    print_bindings(g, p);
    strbuf_add(p->out, "}\n");
}

void graph_print(const struct graph *g, struct strbuf *out)
{
    struct printer p = {out, false};
    print_graph(g, &p);
}

void graph_print_brief(const struct graph *g, struct strbuf *out)
{
    struct printer p = {out, true};
    print_graph(g, &p);
}

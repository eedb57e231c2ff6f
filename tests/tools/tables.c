/*
 * tables.c: the generated pages of docs/:  tables operators|passes
 */
#include <stdio.h>
#include <string.h>

#include "ir/graph.h"
#include "ir/ops.h"
#include "ir/passes/passes.h"
#include "loader/import/onnx/onnx.h"

static const char *or_dash(const char *s)
{
    return s && *s ? s : "–";
}

static void print_arity(int min, int max)
{
    if (max < 0)
        printf("%d or more | ", min);
    else if (max == min)
        printf("%d | ", min);
    else
        printf("%d–%d | ", min, max);
}

static void print_attribute(const struct attr_desc *a)
{
    switch (a->kind) {
    case ATTR_KIND_INT:
        printf("`%s` = %lld", a->name, (long long)a->def_int);
        break;
    case ATTR_KIND_FLOAT:
        printf("`%s` = %g", a->name, (double)a->def_float);
        break;
    case ATTR_KIND_STRING:
        printf("`%s` = \"%s\"", a->name, a->def_string ? a->def_string : "");
        break;
    case ATTR_KIND_INTS:
    case ATTR_KIND_FLOATS:
    case ATTR_KIND_STRINGS:
        printf("`%s`: list", a->name);
        break;
    case ATTR_KIND_TENSOR:
        printf("`%s`: tensor", a->name);
        break;
    }
}

/* A vertical bar would end the cell. */
static void print_cell(const char *s)
{
    for (; *s; s++)
        if (*s == '|')
            fputs("\\|", stdout);
        else
            putchar(*s);
}

/* ---- element types ---- */

static const char *const nodes[] = {
#define NODE(text) text,
#include "tests/ir/nodes.def"
#undef NODE
};
enum { N_NODES = sizeof nodes / sizeof *nodes };

#define BIT(t) (1u << DTYPE_##t)
static const struct {
    const char *text;
    unsigned types;
} type_groups[] = {
    {"floats", BIT(F16) | BIT(BF16) | BIT(F32) | BIT(F64)},
    {"integers",
     BIT(I8) | BIT(I16) | BIT(I32) | BIT(I64) | BIT(U8) | BIT(U16) | BIT(U32) | BIT(U64)},
    {"integers of 2 and 4 bits", BIT(I4) | BIT(U4) | BIT(I2) | BIT(U2)},
    {"floats of 4 and 8 bits",
     BIT(F8E4M3FN) | BIT(F8E4M3FNUZ) | BIT(F8E5M2) | BIT(F8E5M2FNUZ) | BIT(F4E2M1)},
};

/* The same constant in another type. */
static const struct tensor *converted(struct arena *a, const struct tensor *t, enum dtype to)
{
    struct tensor *copy = tensor_new(a, to, t->rank, t->dims);
    for (int64_t i = 0; i < tensor_elems(t); i++)
        tensor_set(copy, i, tensor_get(t, i));
    return copy;
}

/* Whether inference takes the node when all inputs of the first one's type are of this one. */
static bool takes_type(const char *text, enum op op, enum dtype type)
{
    struct arena arena;
    struct error err;
    arena_init(&arena);
    error_init(&err);
    struct graph *g =
        graph_parse(&arena, arena_printf(&arena, "graph \"t\" { %s return }", text), &err);
    struct node *n = g ? g->body.nodes[g->body.n_nodes - 1] : NULL;
    bool takes = n && n->op == op && n->n_in && n->in[0];
    enum dtype first = takes ? n->in[0]->dtype : DTYPE_NONE;
    for (size_t i = 0; takes && i < n->n_in; i++) {
        struct value *v = n->in[i];
        if (!v || v->dtype != first)
            continue;
        v->dtype = type;
        if (v->constant)
            v->constant = converted(&arena, v->constant, type);
    }
    takes = takes && graph_infer(g, &err);
    arena_done(&arena);
    return takes;
}

/* Those that the first input may have, by asking the operator. */
static void print_types(enum op op)
{
    unsigned types = 0;
    const char *comma = "";
    for (int type = DTYPE_NONE + 1; type < DTYPE_COUNT; type++)
        for (int i = 0; i < N_NODES; i++)
            if (takes_type(nodes[i], op, (enum dtype)type))
                types |= 1u << type;
    if (!types)
        printf("–");
    for (size_t i = 0; i < sizeof type_groups / sizeof *type_groups; i++) {
        if ((types & type_groups[i].types) != type_groups[i].types)
            continue;
        types &= ~type_groups[i].types;
        printf("%s%s", comma, type_groups[i].text);
        comma = ", ";
    }
    for (int type = DTYPE_NONE + 1; type < DTYPE_COUNT; type++)
        if (types & 1u << type) {
            printf("%s%s", comma, dtype_name((enum dtype)type));
            comma = ", ";
        }
    printf(" | ");
}

/* ---- what the importer brings to the newest form, or composes ---- */

static const struct {
    const char *op_type;
    int32_t from, to;
    const char *function;
} adapt_rows[] = {
#define ADAPT(op_type, from, to, adapt) {op_type, from, to, #adapt},
#include "loader/import/onnx/adapt.def"
#undef ADAPT
};

static void print_adapted(void)
{
    printf("\n## Other forms\n\n"
           "Of the operators above every opset from 1 to %d is taken in which ONNX has them. Some "
           "opsets have another form,\n"
           "which the importer brings to the newest one (`loader/import/onnx/adapt.def`); other "
           "operators it composes.\n\n"
           "| ONNX operator | opsets | |\n|---|---|---|\n",
           ONNX_NEWEST_OPSET);
    for (size_t i = 0; i < sizeof adapt_rows / sizeof *adapt_rows; i++) {
        bool composed = strncmp(adapt_rows[i].function, "onnx_compose_", 13) == 0;
        printf("| %s | ", adapt_rows[i].op_type);
        if (adapt_rows[i].to == NEWEST && adapt_rows[i].from == 1)
            printf("all");
        else if (adapt_rows[i].to == NEWEST)
            printf("from %d on", adapt_rows[i].from);
        else
            printf("%d to %d", adapt_rows[i].from, adapt_rows[i].to);
        printf(" | %s |\n", composed ? "composed of others" : "brought to the newest form");
    }
}

static void print_operators(void)
{
    printf(
        "# Operators\n\n"
        "Generated from `ir/ops.def` by `tests/style/tables write`. The element types are those "
        "that the first input may have:\n"
        "floats are f16, bf16, f32 and f64, integers those of 8 to 64 bits.\n\n"
        "| operator | ONNX | Caffe2 | inputs | outputs | element types | attributes and defaults "
        "| meaning |\n"
        "|---|---|---|---|---|---|---|---|\n");
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const struct op_desc *d = op_desc((enum op)op);
        printf("| `%s` | %s | %s | ", d->id, or_dash(d->onnx), or_dash(d->caffe2));
        print_arity(d->min_in, d->max_in);
        print_arity(d->min_out, d->max_out);
        print_types((enum op)op);
        for (size_t i = 0; i < d->n_attrs; i++) {
            if (i)
                printf(", ");
            print_attribute(&d->attrs[i]);
        }
        printf("%s | ", d->n_attrs ? "" : "–");
        print_cell(d->doc);
        printf(" |\n");
    }
    print_adapted();
}

static void print_passes(void)
{
    printf("# Passes\n\n"
           "Generated from `ir/passes/passes.c` by `tests/style/tables write`.\n\n"
           "| pass | what it does |\n|---|---|\n");
    for (const struct pass *p = passes_table; p->name; p++) {
        printf("| `%s` | ", p->name);
        print_cell(p->doc);
        printf(" |\n");
    }
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    if (strcmp(what, "operators") == 0)
        print_operators();
    else if (strcmp(what, "passes") == 0)
        print_passes();
    else {
        fprintf(stderr, "usage: tables operators|passes\n");
        return 2;
    }
    return 0;
}

/*
 * tables.c: the generated pages of docs/:  tables operators|passes
 */
#include <stdio.h>
#include <string.h>

#include "ir/ops.h"
#include "ir/passes/passes.h"

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

static void print_operators(void)
{
    printf("# Operators\n\n"
           "Generated from `ir/ops.def` by `tests/style/tables write`.\n\n"
           "| operator | ONNX | Caffe2 | inputs | outputs | attributes and defaults | meaning |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const struct op_desc *d = op_desc((enum op)op);
        printf("| `%s` | %s | %s | ", d->id, or_dash(d->onnx), or_dash(d->caffe2));
        print_arity(d->min_in, d->max_in);
        print_arity(d->min_out, d->max_out);
        for (size_t i = 0; i < d->n_attrs; i++) {
            if (i)
                printf(", ");
            print_attribute(&d->attrs[i]);
        }
        printf("%s | ", d->n_attrs ? "" : "–");
        print_cell(d->doc);
        printf(" |\n");
    }
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

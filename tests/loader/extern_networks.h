/*
 * extern_networks.h: for tests of operators that are the user's: networks that have such, and the
 * functions for them.
 */
#ifndef SHEAF_TESTS_LOADER_EXTERN_NETWORKS_H
#define SHEAF_TESTS_LOADER_EXTERN_NETWORKS_H

#include "tests/loader/bundle_run.h"

/*
 * sheaf_extern_own_Blend: outputs[0] = alpha * inputs[0] + inputs[1], 0 where that is left out, +
 * the sum of the table; outputs[1], where it is wanted, is what it was given: numbers of inputs,
 * attributes, axes and elements of the table, and the first letter of `mode`.
 * sheaf_extern_own_Count: the number of elements of inputs[0], at its extents.
 */
static const char extern_functions[] =
    "static int64_t elements(uint32_t rank, const int64_t *dims)\n"
    "{\n"
    "    int64_t n = 1;\n"
    "    uint32_t d;\n"
    "    for (d = 0; d < rank; d++)\n"
    "        n *= dims[d];\n"
    "    return n;\n"
    "}\n"
    "static const struct sheaf_extern_attribute *find(const struct sheaf_extern_call *c,\n"
    "                                                 char first)\n"
    "{\n"
    "    uint32_t i;\n"
    "    for (i = 0; i < c->n_attributes; i++)\n"
    "        if (c->attributes[i].name[0] == first)\n"
    "            return &c->attributes[i];\n"
    "    return NULL;\n"
    "}\n"
    "void sheaf_extern_own_Blend(const struct sheaf_extern_call *c)\n"
    "{\n"
    "    const struct sheaf_extern_attribute *table = find(c, 't'), *mode = find(c, 'm');\n"
    "    const struct sheaf_extern_attribute *alpha = find(c, 'b'), *axes = find(c, 'a');\n"
    "    const struct sheaf_extern_input *t = table ? &c->inputs[table->n] : NULL;\n"
    "    const float *x = (const float *)c->inputs[0].data;\n"
    "    const float *y = (const float *)(c->n_inputs > 1 ? c->inputs[1].data : NULL);\n"
    "    float *z = (float *)c->outputs[0].data, sum = 0;\n"
    "    int64_t i, n_table = t ? elements(t->rank, t->dims) : 0;\n"
    "    int64_t n = elements(c->outputs[0].rank, c->outputs[0].dims);\n"
    "    for (i = 0; i < n_table; i++)\n"
    "        sum += ((const float *)t->data)[i];\n"
    "    for (i = 0; i < n; i++)\n"
    "        z[i] = alpha->values.floats[0] * x[i] + (y ? y[i] : 0) + sum;\n"
    "    if (c->n_outputs > 1 && c->outputs[1].data) {\n"
    "        int32_t *told = (int32_t *)c->outputs[1].data;\n"
    "        told[0] = (int32_t)c->n_inputs;\n"
    "        told[1] = (int32_t)c->n_attributes;\n"
    "        told[2] = axes ? (int32_t)(axes->values.ints[0] * 10 + axes->values.ints[1]) : 0;\n"
    "        told[3] = (int32_t)n_table;\n"
    "        told[4] = mode ? mode->values.strings[0][0] : 0;\n"
    "        told[5] = (int32_t)(c->inputs[0].dtype + c->inputs[1].dtype * 100);\n"
    "    }\n"
    "}\n"
    "void sheaf_extern_own_Count(const struct sheaf_extern_call *c)\n"
    "{\n"
    "    *(int64_t *)c->outputs[0].data = elements(c->inputs[0].rank, c->inputs[0].dims);\n"
    "}\n";

static inline void put_domain(struct strbuf *node, const char *name)
{
    pb_string(node, 3, name);
    pb_string(node, 7, "own");
}

static inline void put_value(struct onnx_model *m, const char *name, int type, const char *dims)
{
    onnx_value_info(&m->graph, 13, name, type, dims);
}

/* The table {1, 2, 4}. */
static inline void put_table(struct strbuf *node)
{
    static const float values[] = {1, 2, 4};
    struct strbuf t, attr;
    onnx_tensor_begin(&t, node->arena, "t", ONNX_F32, "3");
    pb_bytes(&t, 9, values, sizeof values);
    strbuf_init(&attr, node->arena);
    pb_string(&attr, 1, "table");
    pb_sub(&attr, 5, &t);
    pb_int(&attr, 20, 4);
    pb_sub(node, 5, &attr);
}

/*
 * n = -x; f, told = Blend(n, _, x, .5, table); g = Blend(relu(f), n, 2); count = Count(places that
 * are not zero in n): of x [2,3], so that y = g, told [6], count [].
 */
static inline void write_extern_net(const char *file)
{
    struct arena a;
    struct onnx_model m;
    struct strbuf node;
    arena_init(&a);
    onnx_begin(&m, &a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "N,3");
    onnx_node(&m.graph, "Neg", "x", "n", "");
    onnx_node_begin(&node, &a, "Blend", "n,,x", "f,told", "beta=0.5 axes=[1,2] mode='up'");
    put_table(&node);
    put_domain(&node, "first");
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "Relu", "f", "r", "");
    onnx_node_begin(&node, &a, "Blend", "r,n", "y", "beta=2.0");
    put_domain(&node, "second");
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "NonZero", "n", "where", "");
    onnx_node_begin(&node, &a, "Count", "where", "count", "");
    put_domain(&node, "third");
    pb_sub(&m.graph, 1, &node);
    put_value(&m, "f", ONNX_F32, "N,3");
    onnx_output(&m.graph, "y", ONNX_F32, "N,3");
    onnx_output(&m.graph, "told", ONNX_I32, "6");
    onnx_output(&m.graph, "count", ONNX_I64, "");
    finish_net(&m, file);
    arena_done(&a);
}

#define EXTERN_OPTIONS "-onnx-define-symbol=N,2 -extern-op=own.Blend,own.Count"

/* Of x = {1, -2, 0, 4, -5, 6}. */
#define EXTERN_INPUT  1, -2, 0, 4, -5, 6
#define EXTERN_OUTPUT 12, 18, 14, 6, 24, 2
#define EXTERN_TOLD   3, 4, 12, 3, 'u', 1
/* Of programs that are compiled. */
#define EXTERN_LIST(...) "{" #__VA_ARGS__ "}"
#define EXTERN_TEXT(...) EXTERN_LIST(__VA_ARGS__)
enum { EXTERN_COUNT = 10 };

/* own.c, with these functions, and own.so; they include FOLDER/NAME.h. */
static inline void write_extern_functions(const char *folder, const char *name)
{
    const char *text = support_printf("#include \"%s/%s.h\"\n%s", folder, name, extern_functions);
    support_write_file(path_of("own.c"), text, strlen(text));
    run_or_fail(support_printf("cd '%s' && %s -fPIC -O1 -Wall -Wextra -Wpedantic -Werror -c own.c "
                               "-o own.o && %s -shared own.o -o own.so",
                               support_tmp(), support_cc(), support_cc()),
                NULL);
}

#endif

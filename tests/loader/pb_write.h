/*
 * pb_write.h: writes protobuf messages, and on top of that small ONNX models and Caffe2 nets, for
 * the tests of the importer.  It knows the wire format by itself, so that a fault of the reader
 * does not hide behind the same fault here.
 *
 * Attributes are written as text, separated by blanks:
 *     axis=1 alpha=0.5 mode='edge' perm=[0,2,1] scales=[0.5,2.0]
 * A number with a point is a float; in a list the first number decides.
 */
#ifndef SHEAF_TESTS_LOADER_PB_WRITE_H
#define SHEAF_TESTS_LOADER_PB_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/strbuf.h"

/* ---- fields ---- */

static inline void pb_byte(struct strbuf *b, unsigned v)
{
    char c = (char)v;
    strbuf_addn(b, &c, 1);
}

static inline void pb_varint(struct strbuf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        pb_byte(b, (unsigned)(v & 0x7f) | 0x80u);
    pb_byte(b, (unsigned)v);
}

static inline void pb_int(struct strbuf *b, unsigned field, int64_t v)
{
    pb_varint(b, field << 3);
    pb_varint(b, (uint64_t)v);
}

static inline void pb_fixed32(struct strbuf *b, float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    for (unsigned i = 0; i < 4; i++)
        pb_byte(b, u >> (8 * i) & 0xffu);
}

static inline void pb_float(struct strbuf *b, unsigned field, float v)
{
    pb_varint(b, field << 3 | 5);
    pb_fixed32(b, v);
}

static inline void pb_bytes(struct strbuf *b, unsigned field, const void *data, size_t n)
{
    pb_varint(b, field << 3 | 2);
    pb_varint(b, n);
    strbuf_addn(b, data, n);
}

static inline void pb_string(struct strbuf *b, unsigned field, const char *s)
{
    pb_bytes(b, field, s, strlen(s));
}

static inline void pb_sub(struct strbuf *b, unsigned field, const struct strbuf *sub)
{
    pb_bytes(b, field, strbuf_text(sub), sub->len);
}

/* ---- lists in text ---- */

/* Calls fn for each word of a list separated by commas. */
static inline void pb_each_word(struct strbuf *b, const char *list,
                                void (*fn)(struct strbuf *, const char *word))
{
    while (*list) {
        size_t n = strcspn(list, ",");
        fn(b, arena_strndup(b->arena, list, n));
        list += n + (list[n] == ',');
    }
}

/* One attribute: its name, and its value as text. */
struct pb_attr {
    const char *name, *value;
};

/* Takes the next attribute off *text; false at the end. */
static inline bool pb_next_attr(struct arena *a, const char **text, struct pb_attr *out)
{
    const char *s = *text + strspn(*text, " ");
    if (!*s)
        return false;
    size_t name = strcspn(s, "="), end = strcspn(s, " ");
    out->name = arena_strndup(a, s, name);
    out->value = arena_strndup(a, s + name + 1, end - name - 1);
    *text = s + end;
    return true;
}

static inline bool pb_is_float(const char *value)
{
    return value[strspn(value, "[-0123456789")] == '.';
}

/* Field numbers of an attribute or argument. */
struct pb_attr_fields {
    unsigned f, i, s, floats, ints;
};

/* The value in the field that suits it; returns the field. */
static inline unsigned pb_attr_value(struct strbuf *b, const struct pb_attr_fields *fields,
                                     const char *value)
{
    bool is_float = pb_is_float(value), is_list = *value == '[';
    if (*value == '\'') {
        pb_bytes(b, fields->s, value + 1, strlen(value) - 2);
        return fields->s;
    }
    unsigned field = is_list    ? is_float ? fields->floats : fields->ints
                     : is_float ? fields->f
                                : fields->i;
    const char *at = value + is_list;
    while (*at && *at != ']') {
        char *end;
        if (is_float)
            pb_float(b, field, strtof(at, &end));
        else
            pb_int(b, field, strtoll(at, &end, 10));
        at = end + (*end == ',');
    }
    return field;
}

/* ---- ONNX ---- */

enum {
    ONNX_F32 = 1,
    ONNX_U8 = 2,
    ONNX_I8 = 3,
    ONNX_I32 = 6,
    ONNX_I64 = 7,
    ONNX_BOOL = 9,
    ONNX_I4 = 22
};

struct onnx_model {
    struct strbuf graph;
    int64_t opset;
};

static inline void onnx_begin(struct onnx_model *m, struct arena *a, int64_t opset)
{
    strbuf_init(&m->graph, a);
    m->opset = opset;
    pb_string(&m->graph, 2, "g");
}

static inline void onnx_dim(struct strbuf *shape, const char *word)
{
    struct strbuf dim;
    strbuf_init(&dim, shape->arena);
    if ((*word >= '0' && *word <= '9') || *word == '-')
        pb_int(&dim, 1, strtoll(word, NULL, 10));
    else if (*word != '?')
        pb_string(&dim, 2, word);
    pb_sub(shape, 1, &dim);
}

/* dims: "1,3,N,?", "" for a scalar, NULL for no shape at all. */
static inline void onnx_value_info(struct strbuf *graph, unsigned field, const char *name, int type,
                                   const char *dims)
{
    struct strbuf shape, tensor, wrap, info;
    strbuf_init(&shape, graph->arena);
    strbuf_init(&tensor, graph->arena);
    strbuf_init(&wrap, graph->arena);
    strbuf_init(&info, graph->arena);
    pb_int(&tensor, 1, type);
    if (dims) {
        pb_each_word(&shape, dims, onnx_dim);
        pb_sub(&tensor, 2, &shape);
    }
    pb_sub(&wrap, 1, &tensor);
    pb_string(&info, 1, name);
    pb_sub(&info, 2, &wrap);
    pb_sub(graph, field, &info);
}

static inline void onnx_input(struct strbuf *graph, const char *name, int type, const char *dims)
{
    onnx_value_info(graph, 11, name, type, dims);
}

static inline void onnx_output(struct strbuf *graph, const char *name, int type, const char *dims)
{
    onnx_value_info(graph, 12, name, type, dims);
}

static inline void onnx_tensor_dim(struct strbuf *tensor, const char *word)
{
    pb_int(tensor, 1, strtoll(word, NULL, 10));
}

/* A TensorProto without data. */
static inline void onnx_tensor_begin(struct strbuf *tensor, struct arena *a, const char *name,
                                     int type, const char *dims)
{
    strbuf_init(tensor, a);
    pb_each_word(tensor, dims, onnx_tensor_dim);
    pb_int(tensor, 2, type);
    pb_string(tensor, 8, name);
}

/* An initializer of zeros, as raw data. */
static inline void onnx_weights(struct strbuf *graph, const char *name, const char *dims)
{
    struct strbuf t;
    int64_t elems = 1;
    for (const char *d = dims; *d; d += strcspn(d, ","), d += *d == ',')
        elems *= strtoll(d, NULL, 10);
    onnx_tensor_begin(&t, graph->arena, name, ONNX_F32, dims);
    pb_bytes(&t, 9, arena_alloc(graph->arena, (size_t)elems * 4), (size_t)elems * 4);
    pb_sub(graph, 5, &t);
}

static inline void onnx_int64_word(struct strbuf *tensor, const char *word)
{
    pb_int(tensor, 7, strtoll(word, NULL, 10));
}

/* An initializer of type i64; dims "" for a scalar. */
static inline void onnx_ints(struct strbuf *graph, const char *name, const char *dims,
                             const char *values)
{
    struct strbuf t;
    onnx_tensor_begin(&t, graph->arena, name, ONNX_I64, dims);
    pb_each_word(&t, values, onnx_int64_word);
    pb_sub(graph, 5, &t);
}

static inline void onnx_node_input(struct strbuf *node, const char *word)
{
    pb_string(node, 1, word);
}

static inline void onnx_node_output(struct strbuf *node, const char *word)
{
    pb_string(node, 2, word);
}

static inline void onnx_attrs(struct strbuf *node, const char *attrs)
{
    static const struct pb_attr_fields fields = {2, 3, 4, 7, 8};
    static const int type_of[] = {[2] = 1, [3] = 2, [4] = 3, [7] = 6, [8] = 7};
    struct pb_attr a;
    while (pb_next_attr(node->arena, &attrs, &a)) {
        struct strbuf attr;
        strbuf_init(&attr, node->arena);
        pb_string(&attr, 1, a.name);
        pb_int(&attr, 20, type_of[pb_attr_value(&attr, &fields, a.value)]);
        pb_sub(node, 5, &attr);
    }
}

/* A NodeProto that is not yet part of a graph: further attributes may follow. */
static inline void onnx_node_begin(struct strbuf *node, struct arena *a, const char *op,
                                   const char *inputs, const char *outputs, const char *attrs)
{
    strbuf_init(node, a);
    pb_each_word(node, inputs, onnx_node_input);
    pb_each_word(node, outputs, onnx_node_output);
    pb_string(node, 4, op);
    onnx_attrs(node, attrs);
}

static inline void onnx_node(struct strbuf *graph, const char *op, const char *inputs,
                             const char *outputs, const char *attrs)
{
    struct strbuf node;
    onnx_node_begin(&node, graph->arena, op, inputs, outputs, attrs);
    pb_sub(graph, 1, &node);
}

/* An attribute that holds a graph. */
static inline void onnx_graph_attr(struct strbuf *node, const char *name,
                                   const struct strbuf *graph)
{
    struct strbuf attr;
    strbuf_init(&attr, node->arena);
    pb_string(&attr, 1, name);
    pb_sub(&attr, 6, graph);
    pb_int(&attr, 20, 5);
    pb_sub(node, 5, &attr);
}

/* The bytes of the model. */
static inline void onnx_end(const struct onnx_model *m, struct strbuf *out)
{
    struct strbuf opset;
    strbuf_init(out, m->graph.arena);
    strbuf_init(&opset, m->graph.arena);
    pb_int(out, 1, 8);
    pb_sub(out, 7, &m->graph);
    pb_string(&opset, 1, "");
    pb_int(&opset, 2, m->opset);
    pb_sub(out, 8, &opset);
}

/* ---- Caffe2 ---- */

static inline void caffe2_op(struct strbuf *net, const char *type, const char *inputs,
                             const char *outputs, const char *args)
{
    static const struct pb_attr_fields fields = {2, 3, 4, 5, 6};
    struct strbuf op;
    struct pb_attr a;
    strbuf_init(&op, net->arena);
    pb_each_word(&op, inputs, onnx_node_input); /* the same fields */
    pb_each_word(&op, outputs, onnx_node_output);
    pb_string(&op, 4, type);
    while (pb_next_attr(net->arena, &args, &a)) {
        struct strbuf arg;
        strbuf_init(&arg, net->arena);
        pb_string(&arg, 1, a.name);
        pb_attr_value(&arg, &fields, a.value);
        pb_sub(&op, 5, &arg);
    }
    pb_sub(net, 2, &op);
}

/* A blob of zeros of this shape in the weights. */
static inline void caffe2_weights(struct strbuf *net, const char *blob, const char *dims)
{
    int64_t elems = 1;
    struct strbuf values;
    strbuf_init(&values, net->arena);
    for (const char *d = dims; *d; d += strcspn(d, ","), d += *d == ',')
        elems *= strtoll(d, NULL, 10);
    for (int64_t i = 0; i < elems; i++)
        strbuf_add(&values, i ? ",0.0" : "0.0");
    caffe2_op(net, "GivenTensorFill", "", blob,
              arena_printf(net->arena, "shape=[%s] values=[%s]", dims, strbuf_text(&values)));
}

static inline void caffe2_external(struct strbuf *net, const char *inputs, const char *outputs)
{
    while (*inputs) {
        size_t n = strcspn(inputs, ",");
        pb_bytes(net, 7, inputs, n);
        inputs += n + (inputs[n] == ',');
    }
    while (*outputs) {
        size_t n = strcspn(outputs, ",");
        pb_bytes(net, 8, outputs, n);
        outputs += n + (outputs[n] == ',');
    }
}

#endif

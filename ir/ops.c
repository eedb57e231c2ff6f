/*
 * The operator table as data: every row of ops.def becomes one descriptor.
 */
#include "ir/ops.h"

#include <assert.h>
#include <string.h>

/* Attributes of each operator; a list ends at its first entry without a name. */
#define OP(id, onnx, caffe2, min_in, max_in, min_out, max_out, quant, flags, doc)                  \
    static const struct attr_desc id##_attr_table[] = {
#define ATTR(id, attr, attr_kind, i, f, s)                                                         \
    {.name = #attr,                                                                                \
     .kind = attr_kind,                                                                            \
     .offset = offsetof(struct id##_attrs, attr),                                                  \
     .def_int = i,                                                                                 \
     .def_float = f,                                                                               \
     .def_string = s},
#define ATTR_INT(id, name, def)    ATTR(id, name, ATTR_KIND_INT, def, 0, NULL)
#define ATTR_FLOAT(id, name, def)  ATTR(id, name, ATTR_KIND_FLOAT, 0, def, NULL)
#define ATTR_STRING(id, name, def) ATTR(id, name, ATTR_KIND_STRING, 0, 0, def)
#define ATTR_INTS(id, name)        ATTR(id, name, ATTR_KIND_INTS, 0, 0, NULL)
#define ATTR_FLOATS(id, name)      ATTR(id, name, ATTR_KIND_FLOATS, 0, 0, NULL)
#define ATTR_STRINGS(id, name)     ATTR(id, name, ATTR_KIND_STRINGS, 0, 0, NULL)
#define ATTR_TENSOR(id, name)      ATTR(id, name, ATTR_KIND_TENSOR, 0, 0, NULL)
#define OP_END(id)                                                                                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }                                                                                              \
    }                                                                                              \
    ;
#include "ir/ops.def"
#undef OP
#undef ATTR
#undef ATTR_INT
#undef ATTR_FLOAT
#undef ATTR_STRING
#undef ATTR_INTS
#undef ATTR_FLOATS
#undef ATTR_STRINGS
#undef ATTR_TENSOR
#undef OP_END

#define OP(op, onnx_name, caffe2_name, in_min, in_max, out_min, out_max, quantized, op_flags,      \
           text)                                                                                   \
    [OP_##op] = {.id = #op,                                                                        \
                 .onnx = onnx_name,                                                                \
                 .caffe2 = caffe2_name,                                                            \
                 .min_in = in_min,                                                                 \
                 .max_in = in_max,                                                                 \
                 .min_out = out_min,                                                               \
                 .max_out = out_max,                                                               \
                 .quant = quantized,                                                               \
                 .flags = op_flags,                                                                \
                 .doc = text,                                                                      \
                 .attrs_size = sizeof(struct op##_attrs),                                          \
                 .n_attrs = sizeof op##_attr_table / sizeof op##_attr_table[0] - 1,                \
                 .attrs = op##_attr_table,                                                         \
                 .infer = op##_infer,                                                              \
                 .lower = op##_lower},
#define ATTR_INT(id, name, def)
#define ATTR_FLOAT(id, name, def)
#define ATTR_STRING(id, name, def)
#define ATTR_INTS(id, name)
#define ATTR_FLOATS(id, name)
#define ATTR_STRINGS(id, name)
#define ATTR_TENSOR(id, name)
#define OP_END(id)
static const struct op_desc op_table[OP_COUNT] = {
#include "ir/ops.def"
};

const struct op_desc *op_desc(enum op op)
{
    assert(op > OP_NONE && op < OP_COUNT);
    return &op_table[op];
}

enum op op_by_id(const char *id)
{
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        if (!strcmp(op_table[op].id, id))
            return (enum op)op;
    return OP_NONE;
}

enum op op_by_onnx(const char *name)
{
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        if (name[0] && !strcmp(op_table[op].onnx, name))
            return (enum op)op;
    return OP_NONE;
}

enum op op_by_caffe2(const char *name)
{
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        if (name[0] && !strcmp(op_table[op].caffe2, name))
            return (enum op)op;
    return OP_NONE;
}

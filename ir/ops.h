/*
 * ops.h: the operator table (ops.def) as C.
 *
 * For each operator: OP_<id>, struct <id>_attrs, and in ir/ops/<id>.c
 *     bool <id>_infer(struct graph *, struct node *, struct error *);
 *     void <id>_lower(struct lower *);
 * infer sets dtype and shape of every output that is present, or says why it cannot; whatever it
 * accepts, lower can lower.
 */
#ifndef SHEAF_IR_OPS_H
#define SHEAF_IR_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph;
struct node;
struct error;
struct lower;
struct tensor;

enum op {
    OP_NONE,
#define OP(id, onnx, caffe2, min_in, max_in, min_out, max_out, quant, flags, doc) OP_##id,
#define ATTR_INT(id, name, def)
#define ATTR_FLOAT(id, name, def)
#define ATTR_STRING(id, name, def)
#define ATTR_INTS(id, name)
#define ATTR_FLOATS(id, name)
#define ATTR_STRINGS(id, name)
#define ATTR_TENSOR(id, name)
#define OP_END(id)
#include "ir/ops.def"
#undef OP
#undef OP_END
    OP_COUNT
};
#undef ATTR_INT
#undef ATTR_FLOAT
#undef ATTR_STRING
#undef ATTR_INTS
#undef ATTR_FLOATS
#undef ATTR_STRINGS
#undef ATTR_TENSOR

/* Values of list attributes; v is NULL where the attribute was not given. */
struct attr_ints {
    const int64_t *v;
    size_t n;
};
struct attr_floats {
    const float *v;
    size_t n;
};
struct attr_strings {
    const char *const *v;
    size_t n;
};

#define OP(id, onnx, caffe2, min_in, max_in, min_out, max_out, quant, flags, doc)                  \
    struct id##_attrs {                                                                            \
        char none; /* C has no empty structs */
#define ATTR_INT(id, name, def)    int64_t name;
#define ATTR_FLOAT(id, name, def)  float name;
#define ATTR_STRING(id, name, def) const char *name;
#define ATTR_INTS(id, name)        struct attr_ints name;
#define ATTR_FLOATS(id, name)      struct attr_floats name;
#define ATTR_STRINGS(id, name)     struct attr_strings name;
#define ATTR_TENSOR(id, name)      const struct tensor *name;
#define OP_END(id)                                                                                 \
    }                                                                                              \
    ;                                                                                              \
    bool id##_infer(struct graph *, struct node *, struct error *);                                \
    void id##_lower(struct lower *);
#include "ir/ops.def"
#undef OP
#undef OP_END
#undef ATTR_INT
#undef ATTR_FLOAT
#undef ATTR_STRING
#undef ATTR_INTS
#undef ATTR_FLOATS
#undef ATTR_STRINGS
#undef ATTR_TENSOR

enum attr_kind {
    ATTR_KIND_INT,
    ATTR_KIND_FLOAT,
    ATTR_KIND_STRING,
    ATTR_KIND_INTS,
    ATTR_KIND_FLOATS,
    ATTR_KIND_STRINGS,
    ATTR_KIND_TENSOR
};

struct attr_desc {
    const char *name;
    enum attr_kind kind;
    size_t offset; /* in struct <id>_attrs */
    int64_t def_int;
    float def_float;
    const char *def_string;
};

/* How quantization treats an operator (used by the quantizer). */
enum op_quant {
    QUANT_NONE,       /* stays in float */
    QUANT_SAME,       /* moves or selects values: inputs and outputs share their parameters */
    QUANT_CONTRACT,   /* contraction: integer operands, wide accumulator */
    QUANT_ELEMENTWISE /* computed per element with rescaled operands */
};

enum op_flag {
    OP_MAP = 1,      /* output element i depends on input elements i only (after broadcast) */
    OP_CONTRACT = 2, /* lowers to `contract` */
    OP_CONTROL = 4,  /* holds blocks; becomes a node of the program tree, not a kernel */
    OP_STATE = 8,    /* reads and writes its last input in place */
    OP_VIEW = 16,    /* same elements in the same row-major order: storage may be shared */
    OP_CHOICE = 32,  /* each element of the output is an element of some input */
    OP_HOST = 64,    /* of a device's network: stays on the host */
    OP_EXTERN = 128  /* a function of the user's computes it, which is known when the bundle runs */
};

struct op_desc {
    const char *id;     /* name in text forms */
    const char *onnx;   /* ONNX name in the default domain, "" where it has none */
    const char *caffe2; /* Caffe2 name, "" where it has none */
    int min_in, max_in, min_out, max_out; /* max -1: any number */
    enum op_quant quant;
    unsigned flags;
    const char *doc;
    size_t attrs_size;
    size_t n_attrs;
    const struct attr_desc *attrs;
    bool (*infer)(struct graph *, struct node *, struct error *);
    void (*lower)(struct lower *);
};

const struct op_desc *op_desc(enum op op);
enum op op_by_id(const char *id); /* OP_NONE where there is none */
enum op op_by_onnx(const char *name);
enum op op_by_caffe2(const char *name);

#endif

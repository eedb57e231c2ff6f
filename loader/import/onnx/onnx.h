/*
 * onnx.h: shared by the files of the ONNX importer (onnx_*.c); nobody else but tests includes it.
 *
 * The way of a node: graph.c resolves its inputs into a draft, adapt.c brings the draft
 * to the newest version of the operator, draft_emit makes it a node of the graph.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_ONNX_H
#define SHEAF_LOADER_IMPORT_ONNX_ONNX_H

#include "loader/import/build.h"
#include "loader/import/known.h"
#include "loader/import/name_map.h"
#include "loader/import/onnx.pb-c.h"

/* The newest version of the default operator set whose meaning is known here. */
enum { ONNX_NEWEST_OPSET = 28 };
/* In the tables of opsets (*.def): it and all that follow. */
enum { NEWEST = INT32_MAX };

enum { ONNX_STRING = 8 }; /* the code of the type, which is none of the IR's */

/* Before the names of ONNX Runtime's own operators, wherever they are looked up. */
#define ONNX_MICROSOFT "com.microsoft."
/* Before those of classical machine learning. */
#define ONNX_ML "ai.onnx.ml."
/* Before those that compute gradients and updates of weights. */
#define ONNX_TRAINING "ai.onnx.preview.training."

/* Names visible in a graph; an inner graph sees those of the graphs around it. */
struct onnx_scope {
    struct onnx_scope *parent;
    struct name_map values;       /* struct value */
    struct name_map left_out;     /* parameters of a function that its caller did not give */
    struct name_map initializers; /* Onnx__TensorProto: becomes a value when it is first used */
    struct name_map declared;     /* Onnx__TypeProto that the model states for a name */
};

struct onnx_files;
struct onnx_call;

struct onnx {
    struct importer im;
    int64_t opset;
    struct name_map used;      /* every name that some node takes as input or some graph returns */
    struct name_map symbols;   /* struct import_symbol: from the options, or set to the batch */
    struct name_map functions; /* Onnx__FunctionProto: the model's own */
    const struct onnx_call *call; /* the function in work; NULL: the model's graph */
    struct onnx_files *files;
    struct onnx_scope *scope;     /* of the graph in work */
    const struct value **strings; /* the values that are strings (string.c) */
    size_t n_strings, cap_strings;
    struct sequence **lists; /* whose length is known only at run time (list.c) */
    size_t n_lists, cap_lists;
    bool has_tried; /* nodes of rounds that were tried are in no block */
};

/* ---- tensor.c ---- */

/* `what` names the tensor in sentences: "initializer 'w'". */
bool onnx_tensor(struct onnx *o, const Onnx__TensorProto *p, const char *what,
                 const struct tensor **out_tensor);
/* "float8e4m3fn" for people; "type 99" for numbers without a name. */
const char *onnx_type_name(struct onnx *o, int64_t code);
void onnx_files_close(struct onnx *o);

/* ---- sparse.c ---- */

/* With its zeros. */
bool onnx_sparse_tensor(struct onnx *o, const Onnx__SparseTensorProto *p, const char *what,
                        const struct tensor **out_tensor);
/* The same as an initializer, which has the name of its values; NULL after a fault. */
const Onnx__TensorProto *onnx_sparse_initializer(struct onnx *o, const Onnx__SparseTensorProto *p);

/* ---- draft.c: nodes in work ---- */

struct draft_attr {
    const char *name;
    enum attr_kind kind;
    bool used;
    union {
        int64_t i;
        float f;
        const char *s;
        struct attr_ints ints;
        struct attr_floats floats;
        struct attr_strings strings;
        const struct tensor *tensor;
    } u;
};

struct draft {
    const Onnx__NodeProto *proto;
    const char *op_type;
    const char *name; /* of the node, for sentences too */
    enum op op;       /* OP_NONE: an adaptor has to deal with it */
    struct value **in;
    size_t n_in, cap_in;
    const char **out; /* "": left out */
    size_t n_out;
    struct draft_attr *attrs;
    size_t n_attrs, cap_attrs;
    bool done; /* an adaptor has made the outputs */
};

bool draft_error(struct onnx *o, const struct draft *d, enum sheaf_status status, const char *fmt,
                 ...) ERROR_PRINTF(4, 5);
/* Everything but the inputs; attributes that hold graphs are left to the adaptors. */
bool draft_init(struct onnx *o, const Onnx__NodeProto *p, struct draft *out_draft);
/* The attribute, marked as used; NULL where the node has none of that name. */
struct draft_attr *draft_take(struct draft *d, const char *name);
/* As draft_take, with a check of the kind; false only where the kind is wrong. */
bool draft_take_kind(struct onnx *o, struct draft *d, const char *name, enum attr_kind kind,
                     struct draft_attr **out_attr);
bool draft_take_int(struct onnx *o, struct draft *d, const char *name, int64_t otherwise,
                    int64_t *out_value);
bool draft_take_float(struct onnx *o, struct draft *d, const char *name, float otherwise,
                      float *out_value);
/* A further attribute. */
struct draft_attr *draft_add(struct onnx *o, struct draft *d, const char *name,
                             enum attr_kind kind);
/* Input `i` becomes v; inputs in between that are missing are left out. */
void draft_set_input(struct onnx *o, struct draft *d, size_t i, struct value *v);
struct value *draft_input(const struct draft *d, size_t i); /* NULL: left out */
/* Whether output i has a name that somebody uses. */
bool draft_output_used(const struct onnx *o, const struct draft *d, size_t i);
/* Every attribute has been used; else a sentence that names the first that was not. */
bool draft_check_attrs(struct onnx *o, struct draft *d);
/* The node, its outputs and their names in the scope. */
bool draft_emit(struct onnx *o, struct draft *d);
/* The first n inputs are there. */
bool draft_need_inputs(struct onnx *o, const struct draft *d, size_t n);
/* ---- for adaptors that compose ---- */
/* v is output i. */
void draft_bind(struct onnx *o, struct draft *d, size_t i, struct value *v);
const char *draft_output_name(const struct draft *d); /* of output 0 */
/* v is output 0, and the node is done; NULL: false, a fault has been told. */
bool draft_finish(struct onnx *o, struct draft *d, struct value *v);

/* Attributes of the node that is begun, from the draft. */
bool draft_set_attrs(struct onnx *o, struct draft *d, struct node *n);
/* x in f32 where it has floats of 16 bits, so that steps of a composition are not rounded to these;
   NULL stays so. */
struct value *onnx_widened(struct onnx *o, struct value *x);
/* draft_finish with v in the type. */
bool onnx_finish_as(struct onnx *o, struct draft *d, struct value *v, enum dtype dtype);

/* ---- attrs.c ---- */

/* The node has what its opset requires and nothing that is of other opsets alone; what changes
   nothing here is marked as used. */
bool onnx_check_attrs(struct onnx *o, struct draft *d);

/* ---- adapt.c, adapt_*.c: older versions ---- */

bool onnx_adapt(struct onnx *o, struct draft *d);
/* The operator's name, with its domain in front where that is not the default one. */
const char *onnx_op_type(struct arena *a, const Onnx__NodeProto *n);
bool onnx_is_supported(const char *op_type);

/* Brings a node of older opsets to the newest, or composes it of others. */
#define ADAPT(op_type, from, to, adapt) bool adapt(struct onnx *o, struct draft *d);
#include "loader/import/onnx/adapt.def"
#undef ADAPT

/* ---- control.c: inner graphs ---- */

/* Inputs of Loop, and of its body. */
enum { TRIP, COND, CARRIED };

/* NULL: the node has none of that name. */
const Onnx__GraphProto *onnx_graph_attr(const struct draft *d, const char *name);
/* The nodes of an inner graph at the end of the block in work, with these values for its inputs;
   its first outputs. */
bool onnx_inline(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
                 struct value *const *in, size_t n_in, struct value **out, size_t n_out);

/* Output i of an inner graph whose nodes are there; NULL after a fault. */
struct value *onnx_inner_output(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
                                size_t i);

/* ---- extern.c ---- */

/* The node calls a function of the user's. */
bool onnx_extern(struct onnx *o, struct draft *d);

/* ---- sequence.c: lists of values, which exist only while a model is read ---- */

bool onnx_is_sequence(const struct value *v); /* a list or an optional that holds nothing */
bool onnx_is_nothing(const struct value *v);
/* The tensors of a sequence as outputs of the model. */
bool onnx_sequence_outputs(struct onnx *o, const struct value *v, const char *name);
struct value *onnx_sequence(struct onnx *o, struct value *const *elements, size_t n);
struct value *onnx_nothing(struct onnx *o);
/* The operator looks at sequences, or passes them on. */
bool onnx_takes_sequences(const char *op_type);
/* ---- string.c: strings, which are bytes with a mark while a model is read ---- */

bool onnx_is_string(const struct onnx *o, const struct value *v);
/* v itself (u8, bytes along its last dimension), marked; NULL stays so. */
struct value *onnx_string(struct onnx *o, struct value *v);
/* Constant strings [n]. */
struct value *onnx_strings(struct onnx *o, const char *const *texts, size_t n);
int64_t onnx_string_bytes(const struct value *v); /* that each string has room for */
/* The same strings with room for more bytes. */
struct value *onnx_string_padded(struct onnx *o, struct value *v, int64_t bytes);
/* Deals with a node that has strings among its inputs, or refuses it: what moves elements gets the
   dimension of bytes as one more.  Then `d` goes on as usual, and of its outputs the first
   *out_strings become strings. */
bool onnx_adapt_strings(struct onnx *o, struct draft *d, size_t *out_strings);

/* ---- shape.c: declared types and symbolic dimensions ---- */

/* Gives symbols their values: from the options, from -model-input, and those of first dimensions
   the batch. */
bool onnx_bind_symbols(struct onnx *o, const Onnx__GraphProto *p);
/* An input of the model as a value of the graph. */
bool onnx_add_input(struct onnx *o, const Onnx__ValueInfoProto *p);
/* Presets type and bounds that the model declares for a value that no inference has seen yet;
   nothing where it declares none or an open dimension. */
void onnx_preset(struct onnx *o, struct value *v, const Onnx__TypeProto *type);
/* A note where the model declares another shape for output v. */
void onnx_compare_declared(struct onnx *o, const struct value *v, const Onnx__ValueInfoProto *p);

/* ---- order.c ---- */

/* The nodes in topological order, as they stand where they are in one already. */
bool onnx_order(struct onnx *o, const Onnx__GraphProto *p, const Onnx__NodeProto ***out_nodes);

/* ---- function.c: functions that the model itself defines ---- */

bool onnx_declare_functions(struct onnx *o, const Onnx__ModelProto *m);
/* NULL: the node calls none. */
const Onnx__FunctionProto *onnx_function_of(const struct onnx *o, const Onnx__NodeProto *n);
/* The function's nodes with the draft's inputs, in place of the node. */
bool onnx_call_function(struct onnx *o, struct draft *d, const Onnx__FunctionProto *f);
/* The node with what its attributes refer to in the function in work, else the node itself. */
const Onnx__NodeProto *onnx_resolve_attributes(struct onnx *o, const Onnx__NodeProto *n);

/* ---- graph.c ---- */

/* A draft with its inputs becomes what Sheaf has for the operator, which it knows. */
bool onnx_node(struct onnx *o, struct draft *d);

struct onnx_surroundings {
    struct block *block;
    struct onnx_scope *scope;
    struct known_mark known;
};

/* A new scope inside of `parent`, and nodes go to `block`, until onnx_leave restores what was. */
struct onnx_surroundings onnx_enter(struct onnx *o, struct block *block, struct onnx_scope *parent);
void onnx_leave(struct onnx *o, struct onnx_surroundings s);
/* The version of the default operator set among these; 0: none. */
int64_t onnx_default_opset(Onnx__OperatorSetIdProto *const *sets, size_t n);
struct value *onnx_lookup(struct onnx *o,
                          const char *name); /* NULL: no such name; err may be set */
/* Nodes of `p` into o->im.block, names into o->scope. */
bool onnx_nodes(struct onnx *o, const Onnx__GraphProto *p);
/* Initializers and declared types of `p` into o->scope. */
bool onnx_declare(struct onnx *o, const Onnx__GraphProto *p);

#endif

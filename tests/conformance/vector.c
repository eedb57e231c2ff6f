/*
 * Some models take as input what is fixed in practice and must be constant here (shapes, axes).
 * Where the import fails, integer inputs of at most one dimension become constants, then all such.
 */
#include "tests/conformance/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader/import/onnx/onnx.h"
#include "loader/import/tensor_pb.h"
#include "loader/import/wire.h"
#include "tests/support/support.h"

static bool is_initialized(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_initializer; i++)
        if (!strcmp(g->initializer[i]->name, name))
            return true;
    return false;
}

/* Old models have initializers among their inputs, for which there are no files. */
static void drop_initialized_inputs(Onnx__GraphProto *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_input; i++) {
        if (is_initialized(g, g->input[i]->name))
            onnx__value_info_proto__free_unpacked(g->input[i], NULL);
        else
            g->input[n++] = g->input[i];
    }
    g->n_input = n;
}

bool vector_open(struct vector *v, const char *dir)
{
    memset(v, 0, sizeof *v);
    arena_init(&v->arena);
    v->dir = dir;
    v->name = strrchr(dir, '/') + 1;
    size_t size;
    char *bytes = support_read_file(support_printf("%s/model.onnx", dir), &size);
    if (!bytes)
        return false;
    v->model = onnx__model_proto__unpack(NULL, size, (const uint8_t *)bytes);
    free(bytes);
    if (!v->model || !v->model->graph)
        return false;
    drop_initialized_inputs(v->model->graph);
    return true;
}

void vector_close(struct vector *v)
{
    if (v->model)
        onnx__model_proto__free_unpacked(v->model, NULL);
    arena_done(&v->arena);
}

static char *data_file(const struct vector *v, const char *kind, size_t i, size_t *out_size)
{
    const char *path = support_printf("%s/test_data_set_0/%s_%zu.pb", v->dir, kind, i);
    char *bytes = support_read_file(path, out_size);
    if (!bytes)
        fail_msg("cannot read %s", path);
    return bytes;
}

static const struct tensor *parse_tensor(struct vector *v, const uint8_t *data, size_t size)
{
    struct error err;
    const struct tensor *t;
    error_init(&err);
    if (!tensor_pb_parse(&v->arena, v->dir, arena_copy(&v->arena, data, size), size, &t, &err))
        fail_msg("%s", err.text);
    return t;
}

static void set_length(struct vector *v, const char *name, int64_t n)
{
    assert_true(v->n_lengths < MAX_FIELDS);
    v->length[v->n_lengths++] = (struct import_symbol){.name = name, .value = n};
}

/* `said`: the model does not state the shape. */
static void add_tensor(struct vector *v, struct fields *to, const char *name,
                       const struct tensor *t, bool said)
{
    assert_true(to->n < MAX_FIELDS && v->n_parts < MAX_FIELDS);
    to->v[to->n++] = (struct field){name, t, false};
    if (to != &v->in || !said)
        return;
    struct import_input *part = &v->part[v->n_parts++];
    *part = (struct import_input){.name = name, .rank = t->rank};
    memcpy(part->dims, t->dims, sizeof part->dims);
}

/* How long a sequence can become in a loop that no constant bounds must be said. */
static bool is_loop_output(const struct vector *v, const char *name)
{
    const Onnx__GraphProto *g = v->model->graph;
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; !strcmp(g->node[i]->op_type, "Loop") && k < g->node[i]->n_output; k++)
            if (!strcmp(g->node[i]->output[k], name))
                return true;
    return false;
}

/* A SequenceProto's tensors (field 3). */
static void add_sequence(struct vector *v, struct fields *to, const char *name, const uint8_t *data,
                         size_t size)
{
    struct wire w;
    struct wire_field f;
    int64_t n = 0;
    wire_init(&w, data, size);
    while (wire_next(&w, &f))
        if (f.number == 3)
            add_tensor(v, to, support_printf("%s_%lld", name, (long long)n++),
                       parse_tensor(v, f.data, f.size), true);
    if (to == &v->in || is_loop_output(v, name))
        set_length(v, name, n);
}

/* An OptionalProto's tensor (field 3) or sequence (field 5), or nothing. */
static void add_optional(struct vector *v, struct fields *to, const char *name, const uint8_t *data,
                         size_t size, bool of_sequence)
{
    struct wire w;
    struct wire_field f;
    int64_t n = 0;
    wire_init(&w, data, size);
    while (wire_next(&w, &f)) {
        if (f.number == 3) {
            add_tensor(v, to, name, parse_tensor(v, f.data, f.size), true);
            n++;
        } else if (f.number == 5) {
            add_sequence(v, to, name, f.data, f.size);
        }
    }
    if (to == &v->in && !of_sequence)
        set_length(v, name, n);
}

static bool is_string(const Onnx__ValueInfoProto *p)
{
    return p->type && p->type->tensor_type && p->type->tensor_type->elem_type == ONNX_STRING;
}

/* How many bytes each has room for is stated like the length of a sequence. */
static void mark_strings(struct vector *v, struct fields *of)
{
    struct field *f = &of->v[of->n - 1];
    f->strings = true;
    if (of != &v->in)
        return;
    set_length(v, f->name, f->t->dims[f->t->rank - 1]);
    if (v->n_parts && !strcmp(v->part[v->n_parts - 1].name, f->name))
        v->part[v->n_parts - 1].rank--;
}

const struct tensor *vector_strings(struct vector *v, const struct tensor *t, int64_t bytes)
{
    int64_t dims[MAX_RANK], own = t->dims[t->rank - 1];
    memcpy(dims, t->dims, sizeof dims);
    dims[t->rank - 1] = bytes;
    struct tensor *to = tensor_new(&v->arena, DTYPE_U8, t->rank, dims);
    for (int64_t i = 0; i < tensor_elems(to) / bytes; i++)
        memcpy((char *)tensor_data(to) + i * bytes, (const char *)t->data + i * own,
               (size_t)(own < bytes ? own : bytes));
    return to;
}

static bool is_open(const Onnx__TypeProto *type)
{
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    for (size_t d = 0; shape && d < shape->n_dim; d++)
        if (!shape->dim[d]->has_dim_value)
            return true;
    return !shape;
}

static void add_field(struct vector *v, struct fields *to, const char *kind, size_t i,
                      const Onnx__ValueInfoProto *p)
{
    size_t size;
    char *bytes = data_file(v, kind, i, &size);
    const uint8_t *data = (const uint8_t *)bytes;
    if (p->type && p->type->sequence_type)
        add_sequence(v, to, p->name, data, size);
    else if (p->type && p->type->optional_type)
        add_optional(v, to, p->name, data, size, p->type->optional_type->elem_type->sequence_type);
    else
        add_tensor(v, to, p->name, parse_tensor(v, data, size), is_open(p->type));
    if (is_string(p))
        mark_strings(v, to);
    free(bytes);
}

void vector_read(struct vector *v)
{
    const Onnx__GraphProto *g = v->model->graph;
    for (size_t i = 0; i < g->n_input; i++)
        add_field(v, &v->in, "input", i, g->input[i]);
    for (size_t i = 0; i < g->n_output; i++)
        add_field(v, &v->out, "output", i, g->output[i]);
}

/* The data of the model's input i, where it is a tensor of numbers. */
static const struct tensor *tensor_input(const struct vector *v, size_t i)
{
    const Onnx__ValueInfoProto *p = v->model->graph->input[i];
    for (size_t k = 0; p->type->tensor_type && k < v->in.n; k++)
        if (!strcmp(v->in.v[k].name, p->name) && !v->in.v[k].strings)
            return v->in.v[k].t;
    return NULL;
}

enum bind { BIND_NOTHING, BIND_INTEGERS, BIND_SMALL, BIND_COUNT };

static bool is_bound(enum bind bind, const struct tensor *t)
{
    bool integers = t->dtype == DTYPE_I64 || t->dtype == DTYPE_I32;
    return t->rank <= 1 && tensor_elems(t) <= 16 &&
           (bind == BIND_SMALL || (bind == BIND_INTEGERS && integers));
}

/* The model in a file, with some inputs as initializers. */
static const char *model_file(struct vector *v, enum bind bind)
{
    Onnx__GraphProto *g = v->model->graph;
    Onnx__TensorProto **given = g->initializer;
    size_t n_given = g->n_initializer;
    g->initializer = arena_array(&v->arena, n_given + g->n_input, sizeof *g->initializer);
    for (size_t i = 0; i < n_given; i++)
        g->initializer[i] = given[i];
    for (size_t i = 0; i < g->n_input; i++) {
        const struct tensor *t = tensor_input(v, i);
        if (!t || !is_bound(bind, t))
            continue;
        struct strbuf text;
        strbuf_init(&text, &v->arena);
        tensor_pb_print(&text, g->input[i]->name, t);
        g->initializer[g->n_initializer++] =
            onnx__tensor_proto__unpack(NULL, text.len, (const uint8_t *)strbuf_text(&text));
    }
    v->n_bound = g->n_initializer - n_given;
    size_t size = onnx__model_proto__get_packed_size(v->model);
    uint8_t *bytes = arena_alloc(&v->arena, size);
    onnx__model_proto__pack(v->model, bytes);
    for (size_t i = n_given; i < g->n_initializer; i++)
        onnx__tensor_proto__free_unpacked(g->initializer[i], NULL);
    g->initializer = given;
    g->n_initializer = n_given;
    const char *path = support_printf("%s/model.onnx", support_tmp());
    support_write_file(path, bytes, size);
    return path;
}

/* What the model does not state of inputs that are no constants. */
static size_t described(const struct vector *v, enum bind bind, struct import_input *out)
{
    const Onnx__GraphProto *g = v->model->graph;
    size_t n = 0;
    for (size_t i = 0; i < v->n_parts; i++) {
        const struct tensor *t = NULL;
        for (size_t k = 0; k < g->n_input; k++)
            if (!strcmp(g->input[k]->name, v->part[i].name))
                t = tensor_input(v, k);
        if (!t || !is_bound(bind, t))
            out[n++] = v->part[i];
    }
    return n;
}

struct graph *vector_import(struct vector *v, struct arena *a, struct error *err)
{
    struct graph *g = NULL;
    for (int bind = BIND_NOTHING; bind < BIND_COUNT && !g; bind++) {
        const char *path = model_file(v, (enum bind)bind);
        struct import_input inputs[MAX_FIELDS];
        const struct import_options opt = {.paths = &path,
                                           .n_paths = 1,
                                           .symbols = v->length,
                                           .n_symbols = v->n_lengths,
                                           .inputs = inputs,
                                           .n_inputs = described(v, (enum bind)bind, inputs)};
        error_init(err);
        g = import_model(a, &opt, NULL, err);
    }
    return g;
}

#include <string.h>

#include "loader/import/caffe2/caffe2.h"
#include "loader/import/wire.h"

/* Fields of an Argument. */
enum { ARG_NAME = 1, ARG_F, ARG_I, ARG_S, ARG_FLOATS, ARG_INTS, ARG_STRINGS };

struct list_sizes {
    size_t n_floats, n_ints, n_strings;
};

static bool is_float(const struct wire_field *f)
{
    return f->type == WIRE_FIXED32 || (f->type == WIRE_BYTES && f->size % 4 == 0);
}

/* First round: how long the lists are. */
static bool count(const uint8_t *data, size_t size, struct list_sizes *out)
{
    struct wire w;
    struct wire_field f;
    struct list_sizes n = {0};
    wire_init(&w, data, size);
    while (wire_next(&w, &f)) {
        if (f.number == ARG_FLOATS) {
            if (!is_float(&f))
                return false;
            n.n_floats += f.type == WIRE_FIXED32 ? 1 : f.size / 4;
        } else if (f.number == ARG_INTS && f.type == WIRE_BYTES) {
            for (size_t i = 0; i < f.size; i++)
                n.n_ints += !(f.data[i] & 0x80);
        } else if (f.number == ARG_INTS) {
            if (f.type != WIRE_VARINT)
                return false;
            n.n_ints++;
        } else if (f.number == ARG_STRINGS) {
            n.n_strings++;
        }
    }
    *out = n;
    return !w.fault;
}

static void read_floats(const struct wire_field *f, float *list, size_t *n)
{
    if (f->type == WIRE_FIXED32) {
        list[(*n)++] = dtype_f32_of_bits((uint32_t)f->value);
        return;
    }
    for (size_t i = 0; i < f->size; i += 4) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++)
            bits |= (uint32_t)f->data[i + k] << (8 * k);
        list[(*n)++] = dtype_f32_of_bits(bits);
    }
}

static bool read_ints(const struct wire_field *f, int64_t *list, size_t *n)
{
    struct wire w;
    uint64_t v;
    if (f->type == WIRE_VARINT) {
        list[(*n)++] = (int64_t)f->value;
        return true;
    }
    wire_init(&w, f->data, f->size);
    while (w.at != w.end) {
        if (!wire_varint(&w, &v))
            return false;
        list[(*n)++] = (int64_t)v;
    }
    return true;
}

static const char *text_of(struct arena *a, const struct wire_field *f)
{
    return arena_strndup(a, (const char *)f->data, f->size);
}

/* One field that is not a list. */
static bool read_scalar(struct arena *a, const struct wire_field *f, struct c2_arg *arg)
{
    switch (f->number) {
    case ARG_NAME:
        arg->name = f->type == WIRE_BYTES ? text_of(a, f) : NULL;
        return arg->name != NULL;
    case ARG_F:
        arg->has_f = f->type == WIRE_FIXED32;
        arg->f = dtype_f32_of_bits((uint32_t)f->value);
        return arg->has_f;
    case ARG_I:
        arg->has_i = f->type == WIRE_VARINT;
        arg->i = (int64_t)f->value;
        return arg->has_i;
    case ARG_S:
        arg->has_s = f->type == WIRE_BYTES;
        arg->s = arg->has_s ? text_of(a, f) : NULL;
        arg->bytes = f->data;
        arg->n_bytes = f->size;
        return arg->has_s;
    default:
        arg->has_other = true;
        return true;
    }
}

static bool read_string(struct arena *a, const struct wire_field *f, const char **strings,
                        struct c2_arg *arg)
{
    if (f->type != WIRE_BYTES)
        return false;
    if (!arg->strings.n) {
        arg->bytes = f->data;
        arg->n_bytes = f->size;
    }
    strings[arg->strings.n++] = text_of(a, f);
    return true;
}

static bool read_arg(struct arena *a, const ProtobufCBinaryData *bytes, struct c2_arg *out)
{
    struct list_sizes size;
    if (!count(bytes->data, bytes->len, &size))
        return false;
    struct c2_arg arg = {.name = ""};
    float *floats = arena_array(a, size.n_floats, sizeof *floats);
    int64_t *ints = arena_array(a, size.n_ints, sizeof *ints);
    const char **strings = arena_array(a, size.n_strings, sizeof *strings);
    struct wire w;
    struct wire_field f;
    wire_init(&w, bytes->data, bytes->len);
    while (wire_next(&w, &f)) {
        if (f.number == ARG_FLOATS)
            read_floats(&f, floats, &arg.floats.n);
        else if (f.number == ARG_INTS && !read_ints(&f, ints, &arg.ints.n))
            return false;
        else if (f.number == ARG_STRINGS && !read_string(a, &f, strings, &arg))
            return false;
        else if (f.number != ARG_INTS && f.number != ARG_STRINGS && !read_scalar(a, &f, &arg))
            return false;
    }
    arg.floats.v = floats;
    arg.ints.v = ints;
    arg.strings.v = strings;
    *out = arg;
    return true;
}

bool c2_args_read(struct importer *im, const char *node, const Caffe2__OperatorDef *p,
                  struct c2_args *out_args)
{
    struct c2_args args = {.n = p->n_arg};
    args.arg = arena_array(im->arena, p->n_arg, sizeof *args.arg);
    for (size_t i = 0; i < p->n_arg; i++)
        if (!read_arg(im->arena, &p->arg[i], &args.arg[i]))
            return import_node_error(im, node, SHEAF_ERROR_FORMAT, "its argument %zu is damaged",
                                     i);
    *out_args = args;
    return true;
}

struct c2_arg *c2_arg_find(struct c2_args *args, const char *name)
{
    for (size_t i = 0; i < args->n; i++)
        if (!strcmp(args->arg[i].name, name)) {
            args->arg[i].used = true;
            return &args->arg[i];
        }
    return NULL;
}

int64_t c2_arg_int(struct c2_args *args, const char *name, int64_t otherwise)
{
    struct c2_arg *a = c2_arg_find(args, name);
    if (a && !a->has_i)
        a->wanted = "an integer";
    return a && a->has_i ? a->i : otherwise;
}

float c2_arg_float(struct c2_args *args, const char *name, float otherwise)
{
    struct c2_arg *a = c2_arg_find(args, name);
    if (a && !a->has_f && a->has_i)
        return (float)a->i;
    if (a && !a->has_f)
        a->wanted = "a number";
    return a && a->has_f ? a->f : otherwise;
}

const char *c2_arg_string(struct c2_args *args, const char *name, const char *otherwise)
{
    struct c2_arg *a = c2_arg_find(args, name);
    if (a && !a->has_s)
        a->wanted = "a text";
    return a && a->has_s ? a->s : otherwise;
}

struct attr_ints c2_arg_ints(struct importer *im, struct c2_args *args, const char *name)
{
    struct c2_arg *a = c2_arg_find(args, name);
    struct attr_ints none = {0};
    if (!a)
        return none;
    if (!a->ints.n && a->has_i) {
        struct attr_ints one = {arena_copy(im->arena, &a->i, sizeof a->i), 1};
        return one;
    }
    if (!a->ints.n && (a->has_f || a->has_s || a->floats.n || a->strings.n))
        a->wanted = "a list of integers";
    return a->ints;
}

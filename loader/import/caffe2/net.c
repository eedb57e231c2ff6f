/*
 * Caffe2 net and weights → graph.
 *
 * The weights are a net too, of operators that fill blobs.  What the net reads and nobody has
 * written is an input; so is a blob that the weights fill with a single number where an image is
 * needed, which is how nets reserve their input.
 */
#include <string.h>

#include "bundle/write/file.h"
#include "loader/import/caffe2/caffe2.h"
#include "loader/import/extern.h"
#include "loader/import/wire.h"

/* ---- blobs ---- */

static struct c2_blob *set_blob(struct caffe2 *c, const char *name, struct value *v,
                                const char *maker)
{
    struct c2_blob *b = arena_new(c->im.arena, struct c2_blob);
    b->value = v;
    b->maker = maker;
    name_map_put(&c->blobs, c->im.arena, name, b);
    return b;
}

static const struct c2_blob *get_blob(struct caffe2 *c, const struct c2_op *op, const char *name)
{
    const struct c2_blob *b = name_map_get(&c->blobs, name);
    if (!b)
        c2_error(c, op, SHEAF_ERROR_FORMAT, "it reads '%s', which nothing has written", name);
    else if (!b->value)
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                 "it reads '%s', an auxiliary output of %s, which is not supported", name,
                 b->maker);
    return b && b->value ? b : NULL;
}

/* ---- operators ---- */

/* Arguments about training, engines and memory, which change no result here. */
static bool arg_is_harmless(const char *name)
{
    static const char *const names[] = {"adj",
                                        "allow_broadcast_fastpath",
                                        "caffe2_legacy_conv",
                                        "cudnn_exhaustive_search",
                                        "device_id",
                                        "enable_tensor_core",
                                        "engine",
                                        "exhaustive_search",
                                        "float16_compute",
                                        "init_params",
                                        "is_test",
                                        "math_mode",
                                        "order",
                                        "save_gradient",
                                        "shared_buffer",
                                        "use_cudnn",
                                        "ws_nbytes_limit"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static bool check_args(struct caffe2 *c, const struct c2_op *op)
{
    for (size_t i = 0; i < op->args.n; i++) {
        const struct c2_arg *a = &op->args.arg[i];
        if (a->wanted)
            return c2_error(c, op, SHEAF_ERROR_FORMAT, "its argument '%s' is not %s", a->name,
                            a->wanted);
        if (!a->used && !arg_is_harmless(a->name))
            import_note(&c->im, "%s: the argument '%s' of %s is not known here and has no effect",
                        c->im.path, a->name, op->type);
    }
    return true;
}

static bool read_order(struct caffe2 *c, struct c2_op *op)
{
    const char *order = c2_arg_string(&op->args, "order", "NCHW");
    op->nhwc = !strcmp(order, "NHWC");
    return op->nhwc || !strcmp(order, "NCHW") ||
           c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "the order '%s' is not supported", order);
}

/* Operators on 8 bits know what these mean; those that only move elements hand it on. */
static bool pass_meaning(struct caffe2 *c, struct c2_op *op)
{
    static const char *const movers[] = {"Alias",    "Copy",      "EnsureCPUOutput",
                                         "Identity", "NCHW2NHWC", "NHWC2NCHW"};
    if (!strncmp(op->type, "Int8", 4))
        return true;
    bool moves = false;
    for (size_t i = 0; i < sizeof movers / sizeof movers[0]; i++)
        moves |= !strcmp(movers[i], op->type);
    for (size_t i = 0; i < op->n_in; i++)
        if (op->blob[i]->scale && !moves)
            return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                            "'%s' is quantized, which %s does not take", op->proto->input[i],
                            op->type);
    if (moves && op->n_in) {
        op->scale = op->blob[0]->scale;
        op->zero = op->blob[0]->zero;
    }
    return true;
}

struct value *c2_convert(struct caffe2 *c, struct c2_op *op)
{
    if (!read_order(c, op) || !pass_meaning(c, op))
        return NULL;
    build_free_name(&c->im, op->out);
    struct value *y = c2_converter(op->type)(c, op);
    return y && check_args(c, op) ? y : NULL;
}

/* Fills of the weights are no functions of the user's. */
static bool is_extern(const struct caffe2 *c, const char *type)
{
    return !c->in_weights && extern_is_named(&c->im, type);
}

static bool run_op(struct caffe2 *c, const Caffe2__OperatorDef *p)
{
    struct c2_op op = {.proto = p, .type = p->type};
    if (!p->n_output || !strcmp(op.type, "Free"))
        return true; /* nothing can depend on it */
    op.out = p->output[0];
    op.name = p->name && *p->name ? p->name : op.out;
    op.n_in = p->n_input;
    op.in = arena_array(c->im.arena, op.n_in, sizeof(struct value *));
    op.blob = arena_array(c->im.arena, op.n_in, sizeof(struct c2_blob *));
    op.more = arena_array(c->im.arena, p->n_output, sizeof(struct value *));
    for (size_t i = 0; i < op.n_in; i++) {
        op.blob[i] = get_blob(c, &op, p->input[i]);
        if (!op.blob[i])
            return false;
        op.in[i] = op.blob[i]->value;
    }
    if (!c2_args_read(&c->im, op.name, p, &op.args))
        return false;
    struct value *y = is_extern(c, op.type) ? c2_extern(c, &op) : c2_convert(c, &op);
    if (!y)
        return false;
    for (size_t i = 1; i < p->n_output; i++)
        set_blob(c, p->output[i], op.more[i], op.type);
    struct c2_blob *b = set_blob(c, op.out, y, op.type);
    b->scale = op.scale;
    b->zero = op.zero;
    return true;
}

static void survey_net(const struct caffe2 *c, const Caffe2__NetDef *net, struct strbuf *list,
                       size_t *n)
{
    for (size_t i = 0; i < net->n_op; i++) {
        Caffe2__OperatorDef *op = net->op[i];
        if (op->type && (c2_converter(op->type) || is_extern(c, op->type)))
            continue;
        const char *name = op->name && *op->name ? op->name : op->n_output ? op->output[0] : "";
        strbuf_printf(list, "%s'%s' (node '%s')", (*n)++ ? ", " : "", op->type ? op->type : "",
                      name);
    }
}

static bool survey(struct caffe2 *c, const Caffe2__NetDef *net, const Caffe2__NetDef *weights)
{
    struct strbuf list;
    size_t n = 0;
    strbuf_init(&list, c->im.arena);
    c->in_weights = true;
    survey_net(c, weights, &list, &n);
    c->in_weights = false;
    survey_net(c, net, &list, &n);
    return n == 0 ||
           import_error(&c->im, SHEAF_ERROR_UNSUPPORTED, "%zu %s not supported: %s" EXTERN_ADVICE,
                        n, n == 1 ? "operator is" : "operators are", strbuf_text(&list));
}

/* ---- inputs ---- */

struct net_input {
    const char *name;
    const Caffe2__OperatorDef *reader; /* the first operator that reads it */
    size_t position;                   /* among the reader's inputs */
};

struct net_inputs {
    struct net_input *item;
    size_t n, cap;
};

static bool takes_image(const char *type)
{
    static const char *const types[] = {"AveragePool", "ChannelShuffle", "Conv",      "FC",
                                        "LRN",         "MaxPool",        "NCHW2NHWC", "NHWC2NCHW",
                                        "SpatialBN"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i], type))
            return true;
    return false;
}

/* A blob of the weights that only reserves the name of an input. */
static bool is_placeholder(const struct c2_blob *b, const Caffe2__OperatorDef *reader,
                           size_t position)
{
    return !strcmp(b->maker, "ConstantFill") && b->value->shape.rank == 1 &&
           b->value->shape.dims[0] == 1 && position == 0 && takes_image(reader->type);
}

/* In the order of external_input; those that it does not list follow in the order of their use. */
static void sort_inputs(struct caffe2 *c, const Caffe2__NetDef *net, struct net_inputs *inputs)
{
    struct net_input *sorted = arena_array(c->im.arena, inputs->n, sizeof *sorted);
    bool *taken = arena_array(c->im.arena, inputs->n, sizeof *taken);
    struct name_map position = {0};
    size_t n = 0;
    for (size_t i = 0; i < inputs->n; i++)
        name_map_put(&position, c->im.arena, inputs->item[i].name, &inputs->item[i]);
    for (size_t i = 0; i < net->n_external_input; i++) {
        const struct net_input *in = name_map_get(&position, net->external_input[i]);
        if (!in || taken[in - inputs->item])
            continue;
        taken[in - inputs->item] = true;
        sorted[n++] = *in;
    }
    for (size_t i = 0; i < inputs->n; i++)
        if (!taken[i])
            sorted[n++] = inputs->item[i];
    inputs->item = sorted;
}

static void find_inputs(struct caffe2 *c, const Caffe2__NetDef *net, struct net_inputs *inputs)
{
    struct name_map known = {0}; /* written before, or found to be an input */
    for (size_t i = 0; i < net->n_op; i++) {
        const Caffe2__OperatorDef *op = net->op[i];
        for (size_t j = 0; j < op->n_input; j++) {
            const char *name = op->input[j];
            const struct c2_blob *b = name_map_get(&c->blobs, name);
            if (name_map_get(&known, name) ||
                (b && !import_find_input(&c->im, name) && !(b->value && is_placeholder(b, op, j))))
                continue;
            name_map_put(&known, c->im.arena, name, op);
            ARENA_PUSH(c->im.arena, inputs->item, inputs->n, inputs->cap) =
                (struct net_input){name, op, j};
        }
        for (size_t j = 0; j < op->n_output; j++)
            name_map_put(&known, c->im.arena, op->output[j], op);
    }
    sort_inputs(c, net, inputs);
}

/* The image that a convolution takes, as far as its weights tell. */
struct image {
    bool nhwc;
    int64_t batch, channels;
};

static bool find_image(struct caffe2 *c, const struct net_input *in, struct image *out)
{
    const Caffe2__OperatorDef *op = in->reader;
    struct c2_args args;
    if (strcmp(op->type, "Conv") || in->position != 0 || op->n_input < 2 ||
        !c2_args_read(&c->im, in->name, op, &args))
        return false;
    const struct c2_blob *w = name_map_get(&c->blobs, op->input[1]);
    if (!w || !w->value || w->value->shape.rank != 4)
        return false;
    out->nhwc = !strcmp(c2_arg_string(&args, "order", "NCHW"), "NHWC");
    out->batch = c->im.opt->batch ? c->im.opt->batch : 1;
    int64_t group = c2_arg_int(&args, "group", 1);
    int64_t per_group = w->value->shape.dims[out->nhwc ? 3 : 1];
    out->channels = group * per_group;
    return group > 0 && group <= INT32_MAX && per_group <= INT32_MAX;
}

static bool too_many_unsaid(struct caffe2 *c, const struct net_inputs *unsaid)
{
    enum { SHOWN = 10 };
    struct strbuf list;
    strbuf_init(&list, c->im.arena);
    for (size_t i = 0; i < unsaid->n && i < SHOWN; i++)
        strbuf_printf(&list, "%s'%s'", i ? ", " : "", unsaid->item[i].name);
    return import_error(&c->im, SHEAF_ERROR_NOT_FOUND,
                        "%zu tensors that the net reads are not in the weights, and no "
                        "%s describes them: %s%s",
                        unsaid->n, import_input_option(&c->im), strbuf_text(&list),
                        unsaid->n > SHOWN ? ", ..." : "");
}

/* The one input whose shape nobody says: an image, or a sentence about it. */
static bool shape_unsaid(struct caffe2 *c, const struct net_input *in, int64_t *dims)
{
    struct image image;
    int64_t height = c->im.opt->image_height, width = c->im.opt->image_width;
    if (!find_image(c, in, &image))
        return import_error(&c->im, SHEAF_ERROR_NOT_FOUND,
                            "'%s', which the net reads, is not in the weights; if it is an input, "
                            "its shape must be given, as in %s=%s,float,[DIMS]",
                            in->name, import_input_option(&c->im), in->name);
    if (height <= 0 || width <= 0)
        return import_error(
            &c->im, SHEAF_ERROR_ARGUMENT,
            "the shape of input '%s' is not known: give an image, or the shape as in "
            "%s=%s,float,%s",
            in->name, import_input_option(&c->im), in->name,
            arena_printf(c->im.arena, image.nhwc ? "[%lld,H,W,%lld]" : "[%lld,%lld,H,W]",
                         (long long)image.batch, (long long)image.channels));
    const int64_t nchw[] = {image.batch, image.channels, height, width};
    const int64_t nhwc[] = {image.batch, height, width, image.channels};
    memcpy(dims, image.nhwc ? nhwc : nchw, sizeof nchw);
    return true;
}

static bool add_inputs(struct caffe2 *c, const Caffe2__NetDef *net)
{
    struct net_inputs inputs = {0}, unsaid = {0};
    int64_t image[4] = {0};
    find_inputs(c, net, &inputs);
    for (size_t i = 0; i < inputs.n; i++) {
        const struct import_input *said = import_find_input(&c->im, inputs.item[i].name);
        if (!said || said->rank < 0)
            ARENA_PUSH(c->im.arena, unsaid.item, unsaid.n, unsaid.cap) = inputs.item[i];
    }
    if (unsaid.n > 1)
        return too_many_unsaid(c, &unsaid);
    if (unsaid.n && !shape_unsaid(c, &unsaid.item[0], image))
        return false;
    for (size_t i = 0; i < inputs.n; i++) {
        const char *name = inputs.item[i].name;
        const struct import_input *said = import_find_input(&c->im, name);
        bool shaped = said && said->rank >= 0;
        build_free_name(&c->im, name); /* of what the weights filled it with */
        struct value *v =
            build_input(&c->im, name, said && said->dtype != DTYPE_NONE ? said->dtype : DTYPE_F32,
                        shaped ? said->rank : 4, shaped ? said->dims : image, said);
        if (!v)
            return false;
        set_blob(c, name, v, "the model's input");
    }
    return import_check_inputs(&c->im);
}

/* ---- the nets ---- */

static const Caffe2__NetDef *read_net(struct importer *im, const char *path)
{
    struct file_map map;
    if (!file_map(path, WIRE_MAX_FILE_BYTES, &map, im->err))
        return NULL;
    static const struct wire_kind kind = {"a Caffe2 net", &caffe2__net_def__descriptor,
                                          &caffe2__argument__descriptor};
    const Caffe2__NetDef *net =
        (const Caffe2__NetDef *)wire_unpack(im->arena, &kind, path, map.data, map.size, im->err);
    file_unmap(&map);
    return net;
}

static bool run_net(struct caffe2 *c, const Caffe2__NetDef *net)
{
    for (size_t i = 0; i < net->n_op; i++)
        if (!run_op(c, net->op[i]))
            return false;
    return true;
}

static bool add_outputs(struct caffe2 *c, const Caffe2__NetDef *net)
{
    const Caffe2__OperatorDef *last = net->op[net->n_op - 1];
    char *const *names = net->external_output;
    size_t n = net->n_external_output;
    if (!n && last->n_output) {
        names = last->output;
        n = 1;
        import_note(&c->im, "%s: the net names no outputs; '%s', which it computes last, is taken",
                    c->im.path, names[0]);
    }
    if (!n)
        return import_error(&c->im, SHEAF_ERROR_FORMAT, "the net has no outputs");
    for (size_t i = 0; i < n; i++) {
        const struct c2_blob *b = name_map_get(&c->blobs, names[i]);
        if (!b || !b->value)
            return import_error(&c->im, SHEAF_ERROR_FORMAT, "the net's output '%s' is not computed",
                                names[i]);
        if (!build_graph_output(&c->im, b->value, names[i]))
            return false;
    }
    return true;
}

/* Operators have no names of their own in most nets; a node is then known by what it computes. */
static void name_nodes(struct caffe2 *c, const Caffe2__NetDef *net)
{
    struct name_map given = {0};
    for (size_t i = 0; i < net->n_op; i++)
        if (net->op[i]->name)
            name_map_put(&given, c->im.arena, net->op[i]->name, net->op[i]);
    for (size_t i = 0; i < c->im.g->body.n_nodes; i++) {
        struct node *n = c->im.g->body.nodes[i];
        if (!name_map_get(&given, n->name))
            n->name = n->out[0]->name;
    }
}

static bool import_nets(struct caffe2 *c, const Caffe2__NetDef *net, const char *net_path,
                        const Caffe2__NetDef *weights, const char *weights_path)
{
    c->im.path = net_path;
    if (!net->n_op)
        return import_error(&c->im, SHEAF_ERROR_FORMAT, "the net has no operators");
    if (!survey(c, net, weights))
        return false;
    c->im.path = weights_path;
    c->in_weights = true;
    if (!run_net(c, weights))
        return false;
    c->in_weights = false;
    c->im.path = net_path;
    if (!add_inputs(c, net) || !run_net(c, net) || !add_outputs(c, net))
        return false;
    name_nodes(c, net);
    return extern_check(&c->im);
}

struct graph *caffe2_import(struct importer *im, const char *net_path, const char *weights_path)
{
    const Caffe2__NetDef *net = read_net(im, net_path);
    const Caffe2__NetDef *weights = net ? read_net(im, weights_path) : NULL;
    if (!weights)
        return NULL;
    struct caffe2 c = {.im = *im};
    c.im.g = graph_create(im->arena, net->name ? net->name : "");
    c.im.g->source = net_path;
    c.im.block = &c.im.g->body;
    return import_nets(&c, net, net_path, weights, weights_path) ? c.im.g : NULL;
}

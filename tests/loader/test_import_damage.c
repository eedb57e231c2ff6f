/*
 * Damaged models: files cut short at every byte, with bits turned and numbers replaced, thousands
 * of them from fixed seeds.  Each is imported or is one sentence that names the file; none may
 * crash, which the sanitizers watch.
 */
#include <stdlib.h>

#include "loader/import/import.h"
#include "tests/loader/pb_write.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

/* ---- models ---- */

static struct strbuf branch_of(const char *op)
{
    struct strbuf g;
    strbuf_init(&g, &arena);
    onnx_node(&g, op, "p", "inner", "");
    onnx_output(&g, "inner", ONNX_F32, NULL);
    return g;
}

/* Something of everything: windows, views, quantization, state, branches, a loop. */
static struct strbuf onnx_model_of(int64_t opset)
{
    struct onnx_model m;
    struct strbuf bytes, node, body, yes = branch_of("Exp"), no = branch_of("Relu");
    onnx_begin(&m, &arena, opset);
    onnx_input(&m.graph, "x", ONNX_F32, "N,3,8,8");
    onnx_input(&m.graph, "c", ONNX_BOOL, "");
    onnx_weights(&m.graph, "w", "4,3,3,3");
    onnx_weights(&m.graph, "v", "4");
    onnx_ints(&m.graph, "to", "2", "0,-1");
    onnx_ints(&m.graph, "n", "", "3");
    onnx_node(&m.graph, "Conv", "x,w,v", "a", "kernel_shape=[3,3] pads=[1,1,1,1] group=1");
    onnx_node(&m.graph, "BatchNormalization", "a,v,v,v,v", "b", "epsilon=0.125");
    onnx_node(&m.graph, "MaxPool", "b", "p", "kernel_shape=[2,2] strides=[2,2] ceil_mode=1");
    onnx_node(&m.graph, "Transpose", "p", "q", "perm=[0,2,3,1]");
    onnx_node(&m.graph, "Concat", "q,q", "r", "axis=-1");
    onnx_node(&m.graph, "Shape", "r", "s", "");
    onnx_node(&m.graph, "Gather", "s,n", "last", "axis=0");
    onnx_node(&m.graph, "Cast", "last", "f", "to=1");
    onnx_node(&m.graph, "Reshape", "r,to", "t", "");
    onnx_node(&m.graph, "Softmax", "t", "u", "axis=1");
    onnx_node(&m.graph, "RandomUniform", "", "noise", "shape=[1,4] seed=3.0 high=2.0");
    onnx_node(&m.graph, "NonZero", "noise", "places", "");
    onnx_node(&m.graph, "Dropout", "u", "d,mask", "");
    onnx_node_begin(&node, &arena, "If", "c", "y", "");
    onnx_graph_attr(&node, "then_branch", &yes);
    onnx_graph_attr(&node, "else_branch", &no);
    pb_sub(&m.graph, 1, &node);
    strbuf_init(&body, &arena);
    onnx_input(&body, "i", ONNX_I64, "");
    onnx_input(&body, "go", ONNX_BOOL, "");
    onnx_input(&body, "sum", ONNX_F32, "4");
    onnx_node(&body, "Add", "sum,v", "next", "");
    onnx_output(&body, "go", ONNX_BOOL, "");
    onnx_output(&body, "next", ONNX_F32, "4");
    onnx_output(&body, "next", ONNX_F32, "4");
    onnx_node_begin(&node, &arena, "Loop", "n,,v", "z,scan", "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, "N,4,4,4");
    onnx_output(&m.graph, "d", ONNX_F32, "N,128");
    onnx_output(&m.graph, "f", ONNX_F32, "");
    onnx_output(&m.graph, "places", ONNX_I64, "2,?");
    onnx_output(&m.graph, "scan", ONNX_F32, "3,4");
    onnx_end(&m, &bytes);
    return bytes;
}

/* Forms of the first versions. */
static struct strbuf old_onnx_model(void)
{
    struct onnx_model m;
    struct strbuf bytes;
    onnx_begin(&m, &arena, 1);
    onnx_input(&m.graph, "x", ONNX_F32, "2,3,4");
    onnx_weights(&m.graph, "w", "3");
    onnx_node(&m.graph, "Add", "x,w", "a", "broadcast=1 axis=1");
    onnx_node(&m.graph, "PRelu", "a,w", "b", "");
    onnx_node(&m.graph, "Pad", "b", "c", "paddings=[0,0,1,0,0,1] value=0.5");
    onnx_node(&m.graph, "Slice", "c", "d", "starts=[0] ends=[2] axes=[2]");
    onnx_node(&m.graph, "Split", "d", "e,f", "axis=2 split=[1,1]");
    onnx_node(&m.graph, "Cast", "e", "g", "to='INT32'");
    onnx_node(&m.graph, "Reshape", "f", "h", "shape=[2,-1]");
    onnx_node(&m.graph, "Clip", "h", "i", "min=0.0 max=1.0");
    onnx_node(&m.graph, "Squeeze", "g", "j", "axes=[2]");
    onnx_output(&m.graph, "i", ONNX_F32, "2,3");
    onnx_output(&m.graph, "j", ONNX_I32, "2,3");
    onnx_end(&m, &bytes);
    return bytes;
}

static struct strbuf caffe2_net(void)
{
    struct strbuf net;
    strbuf_init(&net, &arena);
    pb_string(&net, 1, "net");
    caffe2_op(&net, "Conv", "data,w,v", "a", "kernel=3 pad=1 stride=2 order='NCHW'");
    caffe2_op(&net, "SpatialBN", "a,v,v,v,v", "a", "is_test=1 epsilon=0.125");
    caffe2_op(&net, "Relu", "a", "a", "");
    caffe2_op(&net, "MaxPool", "a", "b", "kernel=2 stride=2 legacy_pad=3");
    caffe2_op(&net, "LRN", "b", "c,_s", "size=3 alpha=0.5 beta=0.5");
    caffe2_op(&net, "ChannelShuffle", "c", "d", "group=2");
    caffe2_op(&net, "Add", "d,v", "e", "broadcast=1 axis=1");
    caffe2_op(&net, "Concat", "e,d", "f,_d", "axis=1");
    caffe2_op(&net, "AveragePool", "f", "g", "global_pooling=1");
    caffe2_op(&net, "FC", "g,k,v", "h", "");
    caffe2_op(&net, "Reshape", "h", "i,_o", "shape=[-1,2]");
    caffe2_op(&net, "Softmax", "i", "y", "");
    caffe2_external(&net, "data,w,v,k", "y");
    return net;
}

static struct strbuf caffe2_init(void)
{
    struct strbuf net;
    strbuf_init(&net, &arena);
    caffe2_weights(&net, "w", "4,3,3,3");
    caffe2_weights(&net, "v", "4");
    caffe2_weights(&net, "k", "4,8");
    caffe2_op(&net, "ConstantFill", "", "data", "shape=[1]");
    return net;
}

/* ---- cases ---- */

struct victim {
    const char *paths[2];
    size_t n_paths;
    size_t damaged;     /* which of the files */
    struct strbuf good; /* its content */
    unsigned n_imported, n_refused;
};

static struct victim victim_of(const struct strbuf *bytes)
{
    struct victim v = {.n_paths = 1, .good = *bytes};
    v.paths[0] = support_printf("%s/model.onnx", support_tmp());
    return v;
}

static void try_import(struct victim *v, const void *data, size_t size)
{
    struct arena scratch;
    struct import_notes notes = {0};
    const struct import_options opt = {
        .paths = v->paths, .n_paths = v->n_paths, .image_height = 16, .image_width = 16};
    arena_init(&scratch);
    error_init(&err);
    /* Some file systems wait for the disk when a file is emptied and written again. */
    remove(v->paths[v->damaged]);
    support_write_file(v->paths[v->damaged], data, size);
    if (import_model(&scratch, &opt, &notes, &err)) {
        v->n_imported++;
        assert_int_equal(err.status, SHEAF_OK);
    } else {
        v->n_refused++;
        assert_int_not_equal(err.status, SHEAF_OK);
        assert_true(strlen(err.text) > 10);
    }
    arena_done(&scratch);
}

/* One to three changes: a bit turned, a byte replaced by one that matters, a piece removed or
   doubled; and mostly a piece replaced by another, which leaves the file well-formed more often and
   gives nodes other inputs, shapes and attributes.  Returns the new size; `data` has room for
   more. */
static size_t damage(uint8_t *data, size_t size, uint64_t *seed)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x02, 0x03, 0x08, 0x7f, 0x80, 0xff};
    unsigned n = 1 + random_next(seed) % 3;
    for (unsigned i = 0; i < n && size > 8; i++) {
        size_t at = random_next(seed) % size, from = random_next(seed) % size;
        size_t room = size - (at > from ? at : from), len = 1 + random_next(seed) % 8;
        len = len > room ? room : len;
        switch (random_next(seed) % 8) {
        case 0:
            data[at] ^= (uint8_t)(1u << random_next(seed) % 8);
            break;
        case 1:
            memmove(data + at, data + at + len, size - at - len);
            size -= len;
            break;
        case 2:
            memmove(data + at + len, data + at, size - at);
            size += len;
            break;
        case 3:
        case 4:
            data[at] = telling[random_next(seed) % sizeof telling];
            break;
        case 5:
            memmove(data + at, data + from, len);
            break;
        default:
            data[at] = data[from];
            break;
        }
    }
    return size;
}

static void damage_in_every_way(struct victim *v, unsigned n_random)
{
    size_t size = v->good.len;
    const char *good = strbuf_text(&v->good);
    try_import(v, good, size);
    assert_int_equal(v->n_imported, 1); /* undamaged, it is a model */
    size_t step = size > 4096 ? size / 2048 : 1;
    for (size_t n = 0; n < size; n += step)
        try_import(v, good, n);
    uint8_t *data = arena_alloc(&arena, size + 64);
    uint64_t seed = 2018;
    for (unsigned i = 0; i < n_random; i++) {
        memcpy(data, good, size);
        try_import(v, data, damage(data, size, &seed));
    }
    assert_true(v->n_refused > 100);
    support_write_file(v->paths[v->damaged], good, size);
}

static void damaged_onnx_models(void **state)
{
    (void)state;
    const struct strbuf models[] = {onnx_model_of(12), onnx_model_of(13), old_onnx_model()};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct victim v = victim_of(&models[i]);
        damage_in_every_way(&v, 4000);
    }
}

static void damaged_caffe2_nets(void **state)
{
    (void)state;
    const struct strbuf files[] = {caffe2_net(), caffe2_init()};
    struct victim v = {.n_paths = 2};
    for (size_t i = 0; i < 2; i++) {
        v.paths[i] = support_printf("%s/net%zu.pb", support_tmp(), i);
        support_write_file(v.paths[i], strbuf_text(&files[i]), files[i].len);
    }
    for (size_t i = 0; i < 2; i++) {
        v.damaged = i;
        v.good = files[i];
        v.n_imported = v.n_refused = 0;
        damage_in_every_way(&v, 4000);
    }
}

static void damaged_real_model(void **state)
{
    (void)state;
    const char *path = support_data("models/onnx-mnist_8/model.onnx");
    SUPPORT_NEED(path, "models/onnx-mnist_8");
    size_t size;
    char *bytes = support_read_file(path, &size);
    struct strbuf good;
    strbuf_init(&good, &arena);
    strbuf_addn(&good, bytes, size);
    free(bytes);
    struct victim v = victim_of(&good);
    damage_in_every_way(&v, support_quick() ? 1000 : 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_onnx_models, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_caffe2_nets, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_real_model, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

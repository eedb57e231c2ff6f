#include "loader/import/tensor_pb.h"

#include <string.h>

#include "loader/import/onnx/onnx.h"
#include "loader/import/wire.h"

bool tensor_pb_parse(struct arena *a, const char *path, const uint8_t *data, size_t size,
                     const struct tensor **out_tensor, struct error *err)
{
    static const struct wire_kind kind = {"an ONNX tensor", &onnx__tensor_proto__descriptor, NULL};
    const Onnx__TensorProto *p =
        (const Onnx__TensorProto *)wire_unpack(a, &kind, path, data, size, err);
    if (!p)
        return false;
    struct onnx o;
    memset(&o, 0, sizeof o);
    o.im.arena = a;
    o.im.err = err;
    o.im.path = path;
    bool ok = onnx_tensor(&o, p, "the tensor", out_tensor);
    onnx_files_close(&o);
    return ok;
}

void tensor_pb_print(struct strbuf *out, const char *name, const struct tensor *t)
{
    Onnx__TensorProto p = ONNX__TENSOR_PROTO__INIT;
    int64_t dims[MAX_RANK];
    memcpy(dims, t->dims, sizeof dims);
    p.n_dims = (size_t)t->rank;
    p.dims = dims;
    p.has_data_type = true;
    p.data_type = (int32_t)dtype_code(t->dtype);
    p.name = arena_strdup(out->arena, name);
    p.has_raw_data = true;
    p.raw_data.len = (size_t)tensor_bytes(t);
    p.raw_data.data = arena_copy(out->arena, t->data, p.raw_data.len);
    size_t size = onnx__tensor_proto__get_packed_size(&p);
    uint8_t *bytes = arena_alloc(out->arena, size);
    onnx__tensor_proto__pack(&p, bytes);
    strbuf_addn(out, (const char *)bytes, size);
}

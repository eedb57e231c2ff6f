#!/usr/bin/env python3
"""Models of one operator each with random shapes, attributes and data, and what ONNX Runtime (or,
where it has no such operator, the onnx reference) makes of them:  random_models.py DIR N [SEED]

Writes N models per operator as DIR/OPERATOR_I/ in the form of ONNX's own test vectors: model.onnx,
test_data_set_0/input_I.pb, test_data_set_0/output_I.pb.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 23
ONNX_TYPE = helper.np_dtype_to_tensor_dtype
numpy_type = helper.tensor_dtype_to_np_dtype


class Case:
    """A node with its inputs; those in `fixed` become initializers.  With `exact` the onnx reference
    gives the results: ONNX Runtime computes quantized operators in a rounding of its own."""

    def __init__(self, op, inputs, fixed=(), n_out=1, exact=False, **attributes):
        self.op = op
        # None: left out
        self.inputs = [None if x is None else np.asarray(x) for x in inputs]
        self.fixed = set(fixed)
        self.n_out = n_out
        self.exact = exact
        self.opset = OPSET
        self.attributes = attributes

    def model(self, output_types=None):
        names = ["" if x is None else f"x{i}" for i, x in enumerate(self.inputs)]
        outs = [f"y{i}" for i in range(self.n_out)]
        domain, _, op = self.op.rpartition(".")
        node = helper.make_node(op, names, outs, "node", domain=domain, **self.attributes)
        infos = [
            helper.make_tensor_value_info(names[i], ONNX_TYPE(x.dtype), x.shape)
            for i, x in self.fed()
        ]
        initializers = [
            numpy_helper.from_array(self.inputs[i], names[i]) for i in sorted(self.fixed)
        ]
        out_infos = output_types or [onnx.ValueInfoProto(name=o) for o in outs]
        graph = helper.make_graph([node], "random", infos, out_infos, initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        if domain:
            opsets.append(helper.make_opsetid(domain, 1))
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def fed(self):
        return [
            (i, x) for i, x in enumerate(self.inputs) if x is not None and i not in self.fixed
        ]

    def run(self):
        feeds = {f"x{i}": x for i, x in self.fed()}
        if self.exact:
            return ReferenceEvaluator(self.model()).run(None, feeds)
        try:
            # Shape inference tells the types of the outputs; of its own ONNX Runtime knows them.
            model = self.model()
            if "." not in self.op:
                model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), providers=["CPUExecutionProvider"]
            )
            return session.run(None, feeds)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
            return ReferenceEvaluator(self.model()).run(None, feeds)

    def write(self, folder):
        results = self.run()
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        types = [
            helper.make_tensor_value_info(f"y{i}", ONNX_TYPE(y.dtype), y.shape)
            for i, y in enumerate(results)
        ]
        onnx.save(self.model(types), os.path.join(folder, "model.onnx"))
        for kind, arrays in (("input", [x for _, x in self.fed()]), ("output", results)):
            for i, array in enumerate(arrays):
                tensor = numpy_helper.from_array(np.asarray(array), f"{kind}_{i}")
                with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as f:
                    f.write(tensor.SerializeToString())


# ---- random pieces ----


class Random:
    def __init__(self, seed):
        self.g = np.random.default_rng(seed)

    def int(self, low, high):
        return int(self.g.integers(low, high + 1))

    def one_of(self, *choices):
        return choices[self.int(0, len(choices) - 1)]

    def chance(self, p):
        return self.g.random() < p

    def shape(self, low=1, high=4, dim=6):
        return tuple(self.int(1, dim) for _ in range(self.int(low, high)))

    def floats(self, shape, scale=2.0, dtype=np.float32):
        return (self.g.standard_normal(shape) * scale).astype(dtype)

    def ints(self, shape, low, high, dtype=np.int64):
        return self.g.integers(low, high + 1, shape).astype(dtype)

    def broadcast(self, shape):
        """A shape that broadcasts to `shape`."""
        part = [1 if self.chance(0.3) else d for d in shape]
        return tuple(part[self.int(0, len(part)) :])

    def axes(self, rank, n=None):
        n = self.int(1, rank) if n is None else n
        axes = self.g.permutation(rank)[:n]
        return [int(a) - (rank if self.chance(0.3) else 0) for a in axes]


def i64(values):
    return np.array(values, dtype=np.int64)


# ---- operators ----


def unary(op, positive=False, types=(np.float32,), **attributes):
    def make(r):
        x = r.floats(r.shape(0), dtype=r.one_of(*types))
        return Case(op, [np.abs(x) + x.dtype.type(0.01) if positive else x], **attributes)

    return make


def binary(op, types=(np.float32, np.int32, np.int64), integers=True):
    def make(r):
        shape = r.shape()
        a, b = r.one_of((shape, r.broadcast(shape)), (r.broadcast(shape), shape))
        t = r.one_of(*types)
        if t is np.bool_:
            return Case(op, [r.ints(a, 0, 1, t), r.ints(b, 0, 1, t)])
        if np.issubdtype(t, np.integer):
            return Case(op, [r.ints(a, -50, 50, t), r.ints(b, 1, 20, t)])
        return Case(op, [r.floats(a, dtype=t), r.floats(b, dtype=t)])

    return make


def several(op):
    def make(r):
        shape = r.shape()
        return Case(op, [r.floats(shape)] + [r.floats(r.broadcast(shape)) for _ in range(r.int(0, 3))])

    return make


def between(op, low, high):
    def make(r):
        return Case(op, [r.g.uniform(low, high, r.shape(0)).astype(r.one_of(np.float32, np.float64))])

    return make


def special(op, types, **attributes):
    """Of one input that has NaN, infinities and halves."""

    def make(r):
        t = r.one_of(*types)
        x = np.round(r.floats(r.shape(0), 4) * 2) / 2
        edges = np.array([np.nan, np.inf, -np.inf, -0.0])
        if np.issubdtype(t, np.floating):
            x = np.where(r.ints(x.shape, 0, 3) == 0, edges[r.ints(x.shape, 0, 3)], x)
        return Case(op, [np.asarray(x).astype(t)], **attributes)

    return make


def power(r):
    shape = r.shape()
    t = r.one_of(np.float32, np.float64)
    e = r.one_of(r.floats(r.broadcast(shape), 1.5, t), t(r.one_of(0.5, 1, 2, 3, -1)))
    return Case("Pow", [np.abs(r.floats(shape, dtype=t)) + t(0.1), e])


def mod(r):
    shape = r.shape()
    a, b = r.one_of((shape, r.broadcast(shape)), (r.broadcast(shape), shape))
    t = r.one_of(np.float32, np.float64, np.int8, np.int32, np.int64, np.uint16)
    if np.issubdtype(t, np.floating):
        divisor = r.floats(b, r.one_of(0.01, 1), t)
        return Case("Mod", [r.floats(a, 1000, t), divisor], exact=True, fmod=1)
    sign = r.one_of(1, -1) if np.issubdtype(t, np.signedinteger) else 1
    dividend = r.ints(a, 0 if sign == 1 else -100, 100, t)
    return Case("Mod", [dividend, r.ints(b, 1, 20, t) * t(sign)], fmod=r.int(0, 1))


def shift(r):
    shape = r.shape()
    t = r.one_of(np.uint8, np.uint32, np.uint64)
    most = np.iinfo(t).bits - 1
    by = r.ints(r.broadcast(shape), 0, most, t)
    return Case("BitShift", [r.ints(shape, 0, 200, t), by], direction=r.one_of("LEFT", "RIGHT"))


def sequence(r):
    """A range of constants."""
    t = r.one_of(np.float32, np.float64, np.int32, np.int64)
    step = t(r.one_of(1, 2, 3, -1, -4) * (1 if np.issubdtype(t, np.integer) else 0.5))
    return Case("Range", [t(r.int(-9, 9)), t(r.int(-9, 9)), step], [0, 1, 2])


def clip(r):
    low, high = np.float32(r.one_of(-1, 0)), np.float32(r.one_of(0.5, 6))
    return Case("Clip", [r.floats(r.shape(0)), r.one_of(None, low), r.one_of(high, high)])


def where(r):
    shape = r.shape()
    return Case(
        "Where",
        [
            r.ints(r.broadcast(shape), 0, 1, np.bool_),
            r.floats(shape),
            r.floats(r.broadcast(shape)),
        ],
    )


def prelu(r):
    shape = r.shape(2)
    return Case("PRelu", [r.floats(shape), r.floats(r.broadcast(shape))])


def cast(r):
    x = r.one_of(r.floats(r.shape(), 30), r.ints(r.shape(), -100, 100, np.int32))
    to = r.one_of(*"FLOAT INT8 INT32 INT64 BOOL FLOAT16 DOUBLE UINT8".split())
    if to in ("UINT8", "INT8"):
        x = np.clip(np.abs(x), 0, 127).astype(x.dtype)
    return Case("Cast", [x], to=getattr(TensorProto, to))


CODED = tuple(
    numpy_type(getattr(TensorProto, name))
    for name in "FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ FLOAT4E2M1".split()
)


def cast_coded(r):
    """Floats of at most 8 bits; and integers of 2 and 4, of what they hold."""
    wide = r.one_of(np.float16, np.float32, np.float64)
    x = r.floats(r.shape(), r.one_of(1e-4, 0.3, 300), wide)
    if r.chance(0.3):
        x.flat[0] = r.one_of(np.inf, -np.inf, np.nan)
    coded = ONNX_TYPE(r.one_of(*CODED))
    if r.chance(0.3):
        to = getattr(TensorProto, r.one_of(*"INT2 UINT2 INT4 UINT4".split()))
        return Case("Cast", [r.ints(r.shape(), 0, 1, wide)], exact=True, to=to)
    if r.chance(0.5):
        return Case("Cast", [x], exact=True, to=coded, saturate=r.int(0, 1))
    return Case("CastLike", [x.astype(r.one_of(*CODED)), np.zeros(3, wide)], exact=True)


def window(r, spatial, sizes, pool=False):
    """Window attributes, and an input extent that fits, per dimension."""
    kernel = [r.int(1, sizes) for _ in range(spatial)]
    a = {"strides": [r.int(1, 3) for _ in range(spatial)]}
    mode = r.one_of("none", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
    dilated = mode in ("none", "pads")
    dilations = [r.int(1, 2) if dilated else 1 for _ in range(spatial)]
    if dilated:
        a["dilations"] = dilations
    if mode == "pads":
        a["pads"] = [r.int(0, k - 1 if pool else k) for k in kernel + kernel]
    elif mode != "none":
        a["auto_pad"] = mode
        a["strides"] = [min(s, k) for s, k in zip(a["strides"], kernel)]
    extent = [(k - 1) * d + r.int(1, 5) for k, d in zip(kernel, dilations)]
    return kernel, extent, a


def conv(r):
    spatial, group = r.int(1, 3), r.one_of(1, 1, 2, 3)
    kernel, extent, a = window(r, spatial, 3)
    ic, oc = group * r.int(1, 3), group * r.int(1, 3)
    if r.chance(0.2):
        group = oc = ic
    x = r.floats([r.int(1, 2), ic] + extent)
    w = r.floats([oc, ic // group] + kernel)
    b = r.one_of(None, r.floats([oc]))
    return Case("Conv", [x, w, b], group=group, **a)


def bytes_of(r, shape):
    t = r.one_of(np.int8, np.uint8)
    return r.ints(shape, np.iinfo(t).min, np.iinfo(t).max, t)


def scales_of(r, shape, typical, dtype=np.float32):
    return (np.abs(r.floats(shape, typical)) + typical / 20).astype(dtype)


def like(r, x, shape=()):
    """Zero points for x."""
    t = np.iinfo(x.dtype)
    return r.ints(shape, t.min, t.max, x.dtype)


# The reference knows zero points and scales per channel for two spatial dimensions only.
def qlinear_conv(r):
    kernel, extent, a = window(r, 2, 2)
    ic, oc = r.int(1, 4), r.int(1, 4)
    x, w = bytes_of(r, [1, ic] + extent), bytes_of(r, [oc, ic] + kernel)
    per_channel = r.one_of((), (oc,))
    y_zero = like(r, r.one_of(np.zeros((), np.int8), np.zeros((), np.uint8)))
    inputs = [x, scales_of(r, (), 0.05), like(r, x)]
    inputs += [w, scales_of(r, per_channel, 0.02), like(r, w, per_channel)]
    inputs += [scales_of(r, (), 4), y_zero, r.ints([oc], -500, 500, np.int32)]
    return Case("QLinearConv", inputs, fixed=r.one_of((), range(1, 9)), exact=True, **a)


def conv_integer(r):
    kernel, extent, a = window(r, 2, 2)
    ic, oc = r.int(1, 4), r.int(1, 4)
    x, w = bytes_of(r, [1, ic] + extent), bytes_of(r, [oc, ic] + kernel)
    inputs = [x, w, like(r, x), like(r, w, r.one_of((), (oc,)))]
    return Case("ConvInteger", inputs, fixed=r.one_of((), (2,), (1, 2, 3)), exact=True, **a)


def integer_matrices(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 40)
    batch = r.shape(0, 3, 3)
    a = r.one_of(r.broadcast(batch) + (m, k), batch + (m, k))
    b = r.one_of(r.broadcast(batch) + (k, n), batch + (k, n))
    # The reference broadcasts parameters of a as numpy does: rows in the shape of a.
    rows = r.one_of((), a[:-1] + (1,))
    columns = r.one_of((), (n,), b[:-2] + (1, n))
    return bytes_of(r, a), bytes_of(r, b), rows, columns


def matmul_integer(r):
    a, b, rows, columns = integer_matrices(r)
    return Case("MatMulInteger", [a, b, like(r, a, rows), like(r, b, columns)], exact=True)


def qlinear_matmul(r):
    a, b, rows, columns = integer_matrices(r)
    t = r.one_of(np.float32, np.float16)
    y_zero = like(r, r.one_of(np.zeros((), np.int8), np.zeros((), np.uint8)))
    inputs = [a, scales_of(r, rows, 0.05, t), like(r, a, rows)]
    inputs += [b, scales_of(r, columns, 0.05, t), like(r, b, columns)]
    inputs += [scales_of(r, (), 4, t), y_zero]
    return Case("QLinearMatMul", inputs, fixed=r.one_of((), range(1, 8)), exact=True)


def matmul(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 9)
    batch = r.shape(0, 3, 3)
    a = r.one_of((k,), r.broadcast(batch) + (m, k), batch + (m, k))
    b = r.one_of((k,), r.broadcast(batch) + (k, n), batch + (k, n))
    return Case("MatMul", [r.floats(a), r.floats(b)])


def gemm(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 9)
    ta, tb = r.int(0, 1), r.int(0, 1)
    a = r.floats((k, m) if ta else (m, k))
    b = r.floats((n, k) if tb else (k, n))
    c = r.one_of(None, r.floats(r.one_of((), (n,), (m, 1), (m, n))))
    alpha, beta = r.one_of(1.0, 0.5), r.one_of(1.0, -2.0)
    return Case("Gemm", [a, b, c], alpha=alpha, beta=beta, transA=ta, transB=tb)


def attention(r):
    b, group, kv = r.int(1, 2), r.int(1, 3), r.int(1, 2)
    lq, lk, d, dv = r.int(1, 4), r.int(1, 5), r.int(1, 5), r.int(1, 5)
    past = r.one_of(0, 0, r.int(1, 3))
    heads, total = group * kv, lk + past
    a = {"is_causal": r.int(0, 1), "scale": r.one_of(0.5, 1.0)}
    if r.chance(0.3):
        a["softcap"] = 1.5
    q, k, v = (b, heads, lq, d), (b, kv, lk, d), (b, kv, lk, dv)
    if r.chance(0.5):
        q, k, v = (b, lq, heads * d), (b, lk, kv * d), (b, lk, kv * dv)
        a.update(q_num_heads=heads, kv_num_heads=kv)
    mask_shape = r.one_of((lq, total), (1, 1, lq, total), (b, heads, lq, total))
    mask = r.one_of(None, r.floats(mask_shape), r.ints(mask_shape, 0, 1, np.bool_))
    if mask is not None and mask.dtype == np.bool_:
        mask[..., 0] = True
    inputs = [r.floats(q), r.floats(k), r.floats(v), mask]
    if past:
        inputs += [r.floats((b, kv, past, d)), r.floats((b, kv, past, dv))]
    case = Case("Attention", inputs, n_out=3 if past else 1, **a)
    # ONNX Runtime's frontier of causal attention differs between its versions.
    case.run = lambda: ReferenceEvaluator(case.model()).run(
        None, {f"x{i}": x for i, x in case.fed()}
    )
    return case


def lstm(r):
    t, b, i, h = r.int(1, 4), r.int(1, 3), r.int(1, 4), r.int(1, 4)
    direction = r.one_of("forward", "reverse", "bidirectional")
    d = 2 if direction == "bidirectional" else 1
    lens = np.sort(r.ints([b], 1, t, np.int32))[::-1].copy()
    inputs = [
        r.floats([t, b, i], 1),
        r.floats([d, 4 * h, i], 0.5),
        r.floats([d, 4 * h, h], 0.5),
        r.one_of(None, r.floats([d, 8 * h], 0.5)),
        r.one_of(None, lens),
        r.one_of(None, r.floats([d, b, h], 0.5)),
        r.one_of(None, r.floats([d, b, h], 0.5)),
        r.one_of(None, r.floats([d, 3 * h], 0.5)),
    ]
    a = {"hidden_size": h, "direction": direction}
    if r.chance(0.3):
        a["activations"] = ["HardSigmoid", "Relu", "Softsign"] * d
    return Case("LSTM", inputs, n_out=r.int(1, 3), **a)


def batch_norm(r):
    shape = r.shape(2, 4)
    c = [shape[1]]
    params = [r.floats(c), r.floats(c), r.floats(c), np.abs(r.floats(c)) + np.float32(0.1)]
    return Case("BatchNormalization", [r.floats(shape)] + params, epsilon=r.one_of(1e-5, 1e-2))


def lrn(r):
    size = r.one_of(1, 3, 5)
    beta, bias = r.one_of(0.75, 0.5), r.one_of(1.0, 2.0)
    return Case("LRN", [r.floats(r.shape(4, 4))], size=size, alpha=0.3, beta=beta, bias=bias)


def along(op, types=(np.float32, np.float64)):
    def make(r):
        shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
        return Case(op, [r.floats(shape, 5, r.one_of(*types))], axis=r.int(-len(shape), len(shape) - 1))

    return make


def max_pool(r):
    kernel, extent, a = window(r, r.int(1, 3), 3, pool=True)
    if "auto_pad" not in a:
        a["ceil_mode"] = r.int(0, 1)
    x = r.floats([r.int(1, 2), r.int(1, 3)] + extent)
    return Case("MaxPool", [x], kernel_shape=kernel, **a)


def average_pool(r):
    kernel, extent, a = window(r, r.int(1, 3), 3, pool=True)
    if "auto_pad" not in a:
        a["ceil_mode"] = r.int(0, 1)
    x = r.floats([r.int(1, 2), r.int(1, 3)] + extent)
    return Case("AveragePool", [x], kernel_shape=kernel, count_include_pad=r.int(0, 1), **a)


def reduction(op, types=(np.float32,), positive=False, noop=True):
    def make(r):
        shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
        axes = r.one_of(None, i64(r.axes(len(shape))))
        fixed = [1] if axes is not None else []
        t = r.one_of(*types)
        x = r.ints(shape, -9, 9, t) if np.issubdtype(t, np.integer) else r.floats(shape, 1.0, t)
        # Without axes ONNX Runtime leaves out the rest of some operators as well.
        keep = {"keepdims": r.int(0, 1), "noop_with_empty_axes": r.int(0, 1) if noop else 0}
        return Case(op, [np.abs(x) + t(0.01) if positive else x, axes], fixed, **keep)

    return make


def arg_extreme(op):
    def make(r):
        shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
        # Few values, so that there are ties.
        x = r.ints(shape, -2, 2, np.float32)
        axis = r.int(-len(shape), len(shape) - 1)
        return Case(op, [x], axis=axis, keepdims=r.int(0, 1), select_last_index=r.int(0, 1))

    return make


def top_k(r):
    shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)), (2, r.int(300, 600)))
    # Few values, so that there are ties.
    x = r.ints(shape, -9, 9, r.one_of(np.float32, np.int64, np.float64, np.int32))
    axis = r.int(-len(shape), len(shape) - 1)
    k = i64([r.int(0, min(shape[axis], r.one_of(3, 1000)))])
    fixed = r.one_of([1], [])
    return Case("TopK", [x, k], fixed, 2, axis=axis, largest=r.int(0, 1))


def reshape(r):
    shape = r.shape(1, 5)
    factors, target = list(shape), []
    while factors:
        n = r.int(1, min(3, len(factors)))
        target.append(int(np.prod(factors[:n])))
        factors = factors[n:]
    if r.chance(0.5):
        target = target[::-1]
    if r.chance(0.5):
        target[r.int(0, len(target) - 1)] = -1
    return Case("Reshape", [r.floats(shape), i64(target)], [1])


def flatten(r):
    shape = r.shape(0)
    return Case("Flatten", [r.floats(shape)], axis=r.int(-len(shape), len(shape)))


def squeeze(r):
    shape = tuple(1 if r.chance(0.4) else d for d in r.shape(1, 5))
    ones = [d - (len(shape) if r.chance(0.3) else 0) for d, n in enumerate(shape) if n == 1]
    if r.chance(0.3) or not ones:
        return Case("Squeeze", [r.floats(shape)])
    return Case("Squeeze", [r.floats(shape), i64(ones[: r.int(1, len(ones))])], [1])


def unsqueeze(r):
    shape = r.shape(0, 3)
    n = r.int(1, 3)
    return Case("Unsqueeze", [r.floats(shape), i64(r.axes(len(shape) + n, n))], [1])


def transpose(r):
    shape = r.shape(0, 5)
    perm = [int(d) for d in r.g.permutation(len(shape))]
    return Case("Transpose", [r.floats(shape)], **({"perm": perm} if perm and r.chance(0.8) else {}))


def concat(r):
    shape = list(r.shape())
    axis = r.int(0, len(shape) - 1)
    parts = []
    for _ in range(r.int(1, 4)):
        shape[axis] = r.int(1, 4)
        parts.append(r.floats(shape))
    return Case("Concat", parts, axis=axis - (len(shape) if r.chance(0.3) else 0))


def split(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    sizes = []
    while sum(sizes) < shape[axis]:
        sizes.append(r.int(1, shape[axis] - sum(sizes)))
    return Case("Split", [r.floats(shape), i64(sizes)], [1], len(sizes), axis=axis)


def slicing(r):
    shape = r.shape()
    axes = r.axes(len(shape))
    n = len(axes)
    bounds = [-9, -5, -3, -2, -1, 0, 1, 2, 3, 5, 9, 2**62, -(2**62)]
    starts, ends = ([r.one_of(*bounds) for _ in range(n)] for _ in range(2))
    steps = [r.one_of(1, 1, 2, 3, -1, -2) for _ in range(n)]
    # Where a backward slice starts before the first element, numpy and ONNX differ.
    starts = [max(s, -shape[a]) if t < 0 else s for s, a, t in zip(starts, axes, steps)]
    return Case("Slice", [r.floats(shape), i64(starts), i64(ends), i64(axes), i64(steps)], [1, 2, 3, 4])


def gather(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    index = r.ints(r.shape(0, 2), -shape[axis], shape[axis] - 1)
    return Case("Gather", [r.floats(shape), index], axis=axis)


def gather_elements(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    of = [r.int(0, 9) if d == axis else r.int(0, n) for d, n in enumerate(shape)]
    index = r.ints(of, -shape[axis], shape[axis] - 1, r.one_of(np.int64, np.int32))
    return Case("GatherElements", [r.floats(shape), index], axis=axis)


def index_tuples(r, shape, of):
    """Tuples of indices into the first dimensions of `shape`."""
    tuples = [r.ints(of, -n, n - 1) for n in shape]
    return np.stack(tuples, axis=-1)


def gather_nd(r):
    shape = r.shape(2, 4)
    batch = r.int(0, 1)
    n = r.int(1, len(shape) - batch)
    index = index_tuples(r, shape[batch:][:n], shape[:batch] + r.shape(0, 2))
    return Case("GatherND", [r.floats(shape), index], batch_dims=batch)


SCATTERED = (np.float32, np.int64, np.float64, np.int32)


def scatter_elements(r):
    shape, t = r.shape(), r.one_of(*SCATTERED)
    axis = r.int(0, len(shape) - 1)
    reduction = r.one_of("none", "add", "mul", "min", "max")
    of = [r.int(0, n) for n in shape]
    if reduction == "none":  # without repetition
        lines = of[:axis] + of[axis + 1 :] + [shape[axis]]
        order = r.g.permuted(np.broadcast_to(np.arange(shape[axis]), lines), axis=-1)
        index = np.moveaxis(order[..., : of[axis]], -1, axis)
        index = index - shape[axis] * r.ints(of, 0, 1)
    else:
        of[axis] = r.int(0, 9)
        index = r.ints(of, -shape[axis], shape[axis] - 1)
    updates = r.floats(of, 3).astype(t)
    x = r.floats(shape, 3).astype(t)
    return Case("ScatterElements", [x, i64(index), updates], axis=axis, reduction=reduction)


def scatter_nd(r):
    shape, t = r.shape(), r.one_of(*SCATTERED)
    n = r.int(1, len(shape))
    reduction = r.one_of("none", "add", "mul", "min", "max")
    if reduction == "none":
        places = r.g.permutation(int(np.prod(shape[:n])))[: r.int(0, 9)]
        index = np.stack(np.unravel_index(places, shape[:n]), axis=-1)
    else:
        index = index_tuples(r, shape[:n], r.shape(1, 2))
    updates = r.floats(index.shape[:-1] + shape[n:], 3).astype(t)
    x = r.floats(shape, 3).astype(t)
    return Case("ScatterND", [x, i64(index), updates], reduction=reduction)


def tile(r):
    shape = r.shape()
    return Case("Tile", [r.floats(shape), r.ints(len(shape), 0, 3)], [1])


def trilu(r):
    k = r.one_of(None, r.ints((), -7, 7))
    return Case("Trilu", [r.floats(r.shape(2)), k], upper=r.int(0, 1))


def one_hot(r):
    shape, depth = r.shape(1, 3), r.int(1, 7)
    index = r.ints(shape, -depth - 2, depth + 2, r.one_of(np.int64, np.int32, np.float32))
    values = r.floats(2).astype(r.one_of(np.float32, np.int64))
    return Case("OneHot", [index, i64(depth), values], [1], axis=r.int(-1, len(shape)))


def blocks(op):
    def make(r):
        n, c, h, w, b = (r.int(1, 3) for _ in range(5))
        if op == "SpaceToDepth":
            return Case(op, [r.floats((n, c, h * b, w * b))], blocksize=b)
        return Case(op, [r.floats((n, c * b * b, h, w))], blocksize=b, mode=r.one_of("DCR", "CRD"))

    return make


def reverse_sequence(r):
    shape = r.shape(2)
    batch = r.int(0, 1)
    lens = r.ints(shape[batch], 1, shape[1 - batch])
    return Case("ReverseSequence", [r.floats(shape), lens], batch_axis=batch, time_axis=1 - batch)


def resize(r):
    shape = (r.int(1, 2), r.int(1, 3), r.int(2, 9), r.int(2, 9))
    mode = r.one_of("nearest", "linear", "cubic")
    # By sizes, where no rounding of scales makes implementations differ.
    a = {
        "mode": mode,
        "coordinate_transformation_mode": r.one_of(
            "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"
        ),
        "axes": r.one_of([2, 3], [3, 2], [3], [2]),
    }
    if mode == "nearest":
        a["nearest_mode"] = r.one_of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    elif r.chance(0.3):
        a["antialias"] = 1
    if mode == "cubic":
        a["cubic_coeff_a"] = r.one_of(-0.75, -0.5)
        a["exclude_outside"] = r.int(0, 1)
    sizes = r.ints(len(a["axes"]), 2, 17)
    x = r.floats(shape)
    # The reference mistakes neighbours where a coordinate is whole but for the last bit.
    return Case("Resize", [x, None, None, sizes], [3], exact=mode != "nearest", **a)


def grid_sample(r):
    n, c, dims = r.int(1, 2), r.int(1, 3), r.shape(2, 3)
    mode = r.one_of("nearest", "linear", "cubic") if len(dims) == 2 else r.one_of("nearest", "linear")
    grid = r.g.uniform(-1.6, 1.6, (n, *r.shape(len(dims), len(dims)), len(dims))).astype(np.float32)
    padding = r.one_of("zeros", "border", "reflection")
    align = r.int(0, 1) if min(dims) > 1 else 0
    x = r.floats((n, c, *dims))
    return Case("GridSample", [x, grid], mode=mode, padding_mode=padding, align_corners=align)


def affine_grid(r):
    n, dims = r.int(1, 3), tuple(d + 1 for d in r.shape(2, 3))
    theta = r.floats((n, len(dims), len(dims) + 1))
    size = i64((n, 2) + dims)
    return Case("AffineGrid", [theta, size], [1], align_corners=r.int(0, 1))


def roi_align(r):
    n, c, h, w, rois = r.int(1, 2), r.int(1, 3), r.int(2, 9), r.int(2, 9), r.int(1, 4)
    low, extent = r.g.uniform(-2, 9, (rois, 2)), r.g.uniform(0.5, 9, (rois, 2))
    boxes = np.concatenate([low, low + extent], axis=1).astype(np.float32)
    a = {"output_height": r.int(1, 4), "output_width": r.int(1, 4), "sampling_ratio": r.int(0, 3)}
    a["coordinate_transformation_mode"] = r.one_of("half_pixel", "output_half_pixel")
    a["mode"] = r.one_of("avg", "max")
    a["spatial_scale"] = r.one_of(1.0, 0.5)
    return Case("RoiAlign", [r.floats((n, c, h, w)), boxes, r.ints(rois, 0, n - 1)], **a)


def col2im(r):
    block, strides, dilations = ([r.int(1, 3) for _ in range(2)] for _ in range(3))
    pads = [r.int(0, 2) for _ in range(4)]
    places = [r.int(1, 4) for _ in range(2)]
    image = [
        max(1, (places[i] - 1) * strides[i] + dilations[i] * (block[i] - 1) + 1 - pads[i] - pads[i + 2])
        for i in range(2)
    ]
    room = [image[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1 for i in range(2)]
    n = int(np.prod([a // s + 1 for a, s in zip(room, strides)]))
    x = r.floats((r.int(1, 2), r.int(1, 3) * block[0] * block[1], n))
    a = {"pads": pads, "strides": strides, "dilations": dilations}
    return Case("Col2Im", [x, i64(image), i64(block)], [1, 2], **a)


def compress(r):
    shape = r.shape()
    axis = r.one_of({}, {"axis": r.int(-len(shape), len(shape) - 1)})
    n = shape[axis["axis"]] if axis else int(np.prod(shape))
    condition = r.ints(r.int(1, n), 0, 1, np.bool_)
    return Case("Compress", [r.floats(shape), condition], r.one_of([], [1]), **axis)


def unique(r):
    shape = r.one_of(r.shape(1, 3), (r.int(50, 300),))
    axis = r.one_of({}, {"axis": r.int(-len(shape), len(shape) - 1)})
    x = r.ints(shape, 0, r.one_of(1, 9), r.one_of(np.float32, np.int64, np.int8))
    return Case("Unique", [x], n_out=4, sorted=r.int(0, 1), **axis)


def non_max_suppression(r):
    n, c, boxes = r.int(1, 2), r.int(1, 3), r.int(1, 40)
    low, extent = r.g.uniform(0, 9, (n, boxes, 2)), r.g.uniform(1, 9, (n, boxes, 2))
    center = r.int(0, 1)
    x = np.concatenate([low, extent if center else low + extent], axis=2).astype(np.float32)
    scores = r.ints((n, c, boxes), 0, 20, np.float32)  # few values, so that there are ties
    most, overlap, least = i64(r.int(0, 9)), np.float32(r.g.uniform()), np.float32(4.5)
    inputs = [x, scores, most, overlap, r.one_of(None, least)]
    return Case("NonMaxSuppression", inputs, r.one_of([], [2]), center_point_box=center)


def pad(r):
    shape = r.shape(dim=5)
    mode = r.one_of("constant", "edge", "reflect", "wrap")
    # ONNX Runtime takes no reflection longer than the input.
    most = [3 if mode in ("constant", "edge") else d - 1 for d in shape]
    pads = [r.int(-1 if mode == "constant" and d > 2 else 0, m) for d, m in zip(shape, most)]
    pads += [r.int(0, m) for m in most]
    value = r.one_of(None, np.float32(1.5)) if mode == "constant" else None
    return Case("Pad", [r.floats(shape), i64(pads), value], [1], mode=mode)


def expand(r):
    shape = r.shape()
    return Case("Expand", [r.floats(r.broadcast(shape)), i64(shape)], [1])


def quantize_parameters(r, shape, dtype, zero_type):
    """Scale and zero point, one of each, along an axis or in blocks; and the attributes."""
    axis = r.int(0, len(shape) - 1)
    block = r.int(1, shape[axis])
    blocks = shape[:axis] + (-(-shape[axis] // block),) + shape[axis + 1 :]
    kind = r.int(0, 2)
    n = ((), (shape[axis],), blocks)[kind]
    attributes = {"axis": axis, "block_size": block if kind == 2 else 0}
    return scales_of(r, n, 0.1, dtype), like(r, np.zeros((), zero_type), n), attributes


QUANTIZED = (np.int8, np.uint8, np.int16, np.uint16)


def quantize(r):
    shape, t = r.shape(2), r.one_of(np.float32, np.float16)
    scale, zero, a = quantize_parameters(r, shape, t, r.one_of(*QUANTIZED))
    if r.chance(0.3):
        zero, a["output_dtype"] = None, ONNX_TYPE(np.dtype(r.one_of(*QUANTIZED)))
    return Case("QuantizeLinear", [r.floats(shape, 5, t), scale, zero], exact=True, **a)


def dequantize(r):
    shape, t = r.shape(2), r.one_of(*QUANTIZED)
    scale, zero, a = quantize_parameters(r, shape, r.one_of(np.float32, np.float16), t)
    x = like(r, zero, shape)
    return Case("DequantizeLinear", [x, scale, r.one_of(None, zero)], exact=True, **a)


def quantize_coded(r):
    shape, t = r.shape(2), r.one_of(np.float32, np.float16)
    scale, _, a = quantize_parameters(r, shape, t, np.int8)
    a.update(output_dtype=ONNX_TYPE(r.one_of(*CODED)), saturate=r.int(0, 1))
    return Case("QuantizeLinear", [r.floats(shape, 50, t), scale], exact=True, **a)


def dequantize_coded(r):
    shape, t = r.shape(2), r.one_of(np.float32, np.float16)
    scale, _, a = quantize_parameters(r, shape, t, np.int8)
    x = r.floats(shape, 5).astype(r.one_of(*CODED))
    return Case("DequantizeLinear", [x, scale], exact=True, **a)


def dynamic_quantize(r):
    x = r.floats(r.shape(1), 5) + np.float32(r.one_of(-20, 0, 0, 20))
    return Case("DynamicQuantizeLinear", [x], n_out=3, exact=True)


def non_zero(r):
    return Case("NonZero", [r.ints(r.shape(1, 4), 0, 1, r.one_of(np.float32, np.bool_, np.int64))])


FLOATS = (np.float32, np.float64)
OPERATORS = {
    "Relu": unary("Relu", types=(np.float32, np.float64, np.float16)),
    "LeakyRelu": unary("LeakyRelu", alpha=0.2),
    "Sigmoid": unary("Sigmoid"),
    "HardSigmoid": unary("HardSigmoid"),
    "Tanh": unary("Tanh"),
    "Exp": unary("Exp"),
    "Log": unary("Log", positive=True),
    "Sqrt": unary("Sqrt", positive=True, types=FLOATS),
    "Erf": unary("Erf"),
    "Elu": unary("Elu", alpha=0.7),
    "Celu": unary("Celu", alpha=1.5),
    "Selu": unary("Selu"),
    "Softplus": unary("Softplus"),
    "Softsign": unary("Softsign"),
    "Mish": unary("Mish"),
    "Shrink": unary("Shrink", types=FLOATS, bias=0.5, lambd=0.75),
    "ThresholdedRelu": unary("ThresholdedRelu", alpha=0.25),
    "HardSwish": unary("HardSwish"),
    "Gelu": unary("Gelu"),
    "GeluTanh": unary("Gelu", approximate="tanh"),
    "Sin": between("Sin", -100, 100),
    "Cos": between("Cos", -100, 100),
    "Tan": unary("Tan"),
    "Asin": between("Asin", -1, 1),
    "Acos": between("Acos", -1, 1),
    "Atan": unary("Atan"),
    "Sinh": unary("Sinh"),
    "Cosh": unary("Cosh"),
    "Asinh": unary("Asinh"),
    "Acosh": between("Acosh", 1, 9),
    "Atanh": between("Atanh", -0.999, 0.999),
    "Round": special("Round", FLOATS),
    "Sign": special("Sign", (np.float32, np.int32, np.int64, np.uint8)),
    "IsNaN": special("IsNaN", FLOATS),
    "IsInf": special("IsInf", FLOATS, detect_negative=0),
    "Neg": unary("Neg", types=FLOATS),
    "Abs": unary("Abs", types=FLOATS),
    "Floor": unary("Floor", types=FLOATS),
    "Ceil": unary("Ceil", types=FLOATS),
    "Reciprocal": unary("Reciprocal", positive=True, types=FLOATS),
    "Identity": unary("Identity"),
    "Add": binary("Add"),
    "Sub": binary("Sub"),
    "Mul": binary("Mul"),
    "Div": binary("Div"),
    "Equal": binary("Equal", (np.int32, np.int64, np.bool_)),
    "Less": binary("Less"),
    "Greater": binary("Greater"),
    "LessOrEqual": binary("LessOrEqual"),
    "GreaterOrEqual": binary("GreaterOrEqual"),
    "And": binary("And", (np.bool_,)),
    "Or": binary("Or", (np.bool_,)),
    "Xor": binary("Xor", (np.bool_,)),
    "BitwiseAnd": binary("BitwiseAnd", (np.uint8, np.int32, np.int64)),
    "BitwiseOr": binary("BitwiseOr", (np.uint8, np.int32, np.int64)),
    "BitwiseXor": binary("BitwiseXor", (np.uint8, np.int32, np.int64)),
    "BitShift": shift,
    "Mod": mod,
    "Mean": several("Mean"),
    "Sum": several("Sum"),
    "Max": several("Max"),
    "Min": several("Min"),
    "Pow": power,
    "Clip": clip,
    "Where": where,
    "PRelu": prelu,
    "Cast": cast,
    "Conv": conv,
    "QLinearConv": qlinear_conv,
    "ConvInteger": conv_integer,
    "MatMul": matmul,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "Gemm": gemm,
    "Attention": attention,
    "LSTM": lstm,
    "BatchNormalization": batch_norm,
    "LRN": lrn,
    "Softmax": along("Softmax"),
    "LogSoftmax": along("LogSoftmax"),
    "Hardmax": along("Hardmax", (np.float32,)),
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda r: Case("GlobalAveragePool", [r.floats(r.shape(3, 5))]),
    "ReduceMean": reduction("ReduceMean"),
    "ReduceSum": reduction("ReduceSum"),
    "ReduceProd": reduction("ReduceProd", (np.float32, np.int64)),
    "ReduceMax": reduction("ReduceMax", (np.float32, np.float64, np.int32, np.uint8)),
    "ReduceMin": reduction("ReduceMin", (np.float32, np.float64, np.int32, np.int8)),
    "ReduceL1": reduction("ReduceL1", (np.float32, np.int32), noop=False),
    "ReduceL2": reduction("ReduceL2", noop=False),
    "ReduceSumSquare": reduction("ReduceSumSquare", (np.float32, np.int32), noop=False),
    "ReduceLogSum": reduction("ReduceLogSum", positive=True, noop=False),
    "ReduceLogSumExp": reduction("ReduceLogSumExp", (np.float32, np.float64), noop=False),
    "ArgMax": arg_extreme("ArgMax"),
    "ArgMin": arg_extreme("ArgMin"),
    "TopK": top_k,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slicing,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterElements": scatter_elements,
    "ScatterND": scatter_nd,
    "Tile": tile,
    "Trilu": trilu,
    "OneHot": one_hot,
    "DepthToSpace": blocks("DepthToSpace"),
    "SpaceToDepth": blocks("SpaceToDepth"),
    "ReverseSequence": reverse_sequence,
    "Resize": resize,
    "GridSample": grid_sample,
    "AffineGrid": affine_grid,
    "RoiAlign": roi_align,
    "Col2Im": col2im,
    "Compress": compress,
    "Unique": unique,
    "NonMaxSuppression": non_max_suppression,
    "Pad": pad,
    "Expand": expand,
    "Range": sequence,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "NonZero": non_zero,
    "CastCoded": cast_coded,
    "QuantizeCoded": quantize_coded,
    "DequantizeCoded": dequantize_coded,
}


def main():
    folder, n = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    onnxruntime.set_default_logger_severity(4)
    import random_layers  # which import this file
    import random_ml
    import random_microsoft
    import random_norm
    import random_training

    operators = OPERATORS | random_layers.OPERATORS | random_norm.NORMALIZATIONS
    for module in (random_microsoft, random_ml, random_training):
        operators |= module.OPERATORS
    for position, (name, make) in enumerate(operators.items()):
        for i in range(n):
            r = Random([seed, position, i])
            make(r).write(os.path.join(folder, f"{name}_{i}"))


if __name__ == "__main__":
    main()

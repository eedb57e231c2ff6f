"""Random models of ONNX Runtime's own operators that are formulas of others, and of operators of
ONNX's first years, for random_models.py."""

import math

import numpy as np

from random_microsoft import MICROSOFT, bytes_of, present
from random_case import Case


def formula(case, run):
    """Of an operator that ONNX Runtime has on GPUs only, or no longer."""
    case.run = run
    return case


def scaled(op, function):
    def make(r):
        x, alpha, beta = r.floats(r.shape()), r.one_of(0.5, 2.0), r.one_of(-0.5, 1.5)
        return formula(Case(op, [x], alpha=alpha, beta=beta), lambda: [function(x, alpha, beta).astype(np.float32)])

    return make


def image_scaler(r):
    c = r.int(1, 4)
    x, bias = r.floats([r.int(1, 2), c, r.int(1, 4), r.int(1, 4)]), r.floats([c])
    case = Case("ImageScaler", [x], scale=0.5, bias=[float(b) for b in bias])
    return formula(case, lambda: [x * np.float32(0.5) + bias[:, None, None]])


def crop(r):
    x = r.floats([r.int(1, 2), r.int(1, 3), r.int(4, 7), r.int(4, 7)])
    left, top, right, bottom = (r.int(0, 1) for _ in range(4))
    a = {"border": [left, top, right, bottom]}
    y = x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]
    if r.chance(0.5):
        h, w = a["scale"] = [r.int(1, 3), r.int(1, 3)]
        y = x[:, :, top : top + h, left : left + w]
    return formula(Case("Crop", [x], **a), lambda: [np.ascontiguousarray(y)])


def expand_dims(r):
    x = r.floats(r.shape(1, 3))
    return Case(MICROSOFT + "ExpandDims", [x, np.int32(r.int(-1 - x.ndim, x.ndim))], {1})


def unfold(r):
    x = r.floats(r.shape(1, 3, 7))
    axis = r.int(0, x.ndim - 1)
    size, step = r.int(1, x.shape[axis]), r.int(1, 3)
    case = Case(MICROSOFT + "UnfoldTensor", [x], dim=r.one_of(axis, axis - x.ndim), size=size, step=step)

    def run():
        windows = np.lib.stride_tricks.sliding_window_view(x, size, axis)
        return [np.ascontiguousarray(windows[(slice(None),) * axis + (slice(None, None, step),)])]

    return formula(case, run)


def unique(r):
    return Case(MICROSOFT + "Unique", [r.floats([r.int(1, 9)]).round()], n_out=3)


def mul_integer(r):
    t = r.one_of(np.uint8, np.int8)
    shape = r.shape()
    inputs = [bytes_of(r, shape, t), r.one_of(None, bytes_of(r, [], t))]
    inputs += [bytes_of(r, r.broadcast(shape), t), r.one_of(None, bytes_of(r, [], t))]
    case = Case(MICROSOFT + "MulInteger", inputs)

    def run():
        a, b = (inputs[i].astype(np.int32) - (0 if inputs[i + 1] is None else np.int32(inputs[i + 1])) for i in (0, 2))
        return [a * b]

    return formula(case, run)


def complex_mul(op):
    def make(r):
        shape = r.shape(1, 3)
        inputs = [r.floats([*shape, 2]), r.floats([*r.broadcast(shape), 2])]
        case = Case(MICROSOFT + op, inputs)

        def run():
            a, b = (x[..., 0] + 1j * x[..., 1] for x in inputs)
            y = a * (b.conj() if "Conj" in op else b)
            return [np.stack([y.real, y.imag], -1).astype(np.float32)]

        return formula(case, run)

    return make


def cdist(r):
    k = r.int(1, 5)
    inputs = [r.floats([r.int(1, 5), k]), r.floats([r.int(1, 5), k])]
    return Case(MICROSOFT + "CDist", inputs, metric=r.one_of("euclidean", "sqeuclidean"))


def inverse(r):
    n = r.int(1, 6)
    x = r.floats([*r.shape(0, 2, 3), n, n]) + 3 * np.eye(n, dtype=np.float32)[r.g.permutation(n)]
    return Case(MICROSOFT + "Inverse", [x])


def ngram_repeat_block(r):
    b, length, n, words = r.int(1, 3), r.int(1, 8), r.int(2, 3), 6
    ids = r.ints([b, length], 0, 2)
    return Case(MICROSOFT + "NGramRepeatBlock", [ids, r.floats([b, words])], ngram_size=n)


def transpose_matmul(r):
    m, k, n, outer = r.int(1, 4), r.int(1, 4), r.int(1, 4), r.shape(0, 2, 3)
    a, b = r.int(0, 1), r.int(0, 1)
    inputs = [r.floats([*outer, *([k, m] if a else [m, k])]), r.floats([*outer, *([n, k] if b else [k, n])])]
    return Case(MICROSOFT + "TransposeMatMul", inputs, transA=a, transB=b, alpha=r.one_of(1.0, 0.5))


def as_default(op):
    def make(r):
        x = r.floats(r.shape(2, 3))
        if op == "Trilu":
            return Case(MICROSOFT + op, [x, np.int64(r.int(-2, 2))], {1}, upper=r.int(0, 1))
        if op == "Pad":
            pads = r.ints([2 * x.ndim], 0, 2)
            return Case(MICROSOFT + op, [x, pads, np.float32(0.5)], {1}, mode=r.one_of("constant", "edge"))
        if op == "Range":
            return Case(MICROSOFT + op, [np.float32(0.5), np.float32(r.int(1, 9)), np.float32(1.5)], {0, 1, 2})
        if op == "GatherND":
            n = r.int(1, x.ndim)
            index = np.stack([r.ints([3], 0, d - 1) for d in x.shape[:n]], -1)
            return Case(MICROSOFT + op, [x, index])
        x = r.floats([r.int(1, 2), r.int(1, 2), 4, 5])
        grid = r.floats([x.shape[0], 3, 2, 2], 0.8)
        a = {"mode": r.one_of("bilinear", "nearest", "bicubic"), "align_corners": r.int(0, 1)}
        return Case(MICROSOFT + op, [x, grid], padding_mode=r.one_of("zeros", "border", "reflection"), **a)

    return make


# ---- transformers ----


def gelu(x):
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def gemm_fast_gelu(r):
    m, k, n = r.int(1, 4), r.int(1, 4), r.int(1, 4)
    inputs = [r.floats([r.int(1, 2), m, k]), r.floats([k, n]), r.one_of(None, r.floats([n]))]
    case = Case(MICROSOFT + "GemmFastGelu", inputs)
    bias = 0 if inputs[2] is None else inputs[2]
    return formula(case, lambda: [gelu((inputs[0] @ inputs[1] + bias).astype(np.float64)).astype(np.float32)])


def bias_dropout(r):
    x = r.floats(r.shape(2, 3))
    inputs = [x, r.floats([x.shape[-1]]), r.one_of(None, r.floats(x.shape)), np.float32(0.5)]
    case = Case(MICROSOFT + "BiasDropout", inputs, {3})
    return formula(case, lambda: [x + inputs[1] + (0 if inputs[2] is None else inputs[2])])


def relative_position_bias(r):
    """T5's buckets."""
    both, buckets, heads, most = r.int(0, 1), r.one_of(8, 16), r.int(1, 3), r.one_of(20, 32)
    q, k = r.int(1, 40), r.int(1, 40)
    table = r.floats([buckets, heads])
    case = Case(MICROSOFT + "RelativePositionBias", [table, np.int64(q), np.int64(k)], {1, 2}, max_distance=most, is_bidirectional=both)

    def run():
        n = np.arange(q)[:, None] - np.arange(k)[None]
        half = buckets // 2 if both else buckets
        first = np.where(n < 0, half, 0) if both else 0
        n = np.abs(n) if both else np.maximum(n, 0)
        exact = half // 2
        far = np.log(np.maximum(n, 1).astype(np.float32) / np.float32(exact)) / np.log(np.float32(most) / np.float32(exact))
        far = np.minimum(exact + (far * (half - exact)).astype(np.int64), half - 1)
        return [table[first + np.where(n < exact, n, far)].transpose(2, 0, 1)[None]]

    return formula(case, run)


def gated_relative_position_bias(r):
    b, length, heads, size, d = r.int(1, 2), r.int(1, 4), r.int(1, 3), r.int(1, 4), 2 * r.int(1, 4)
    inputs = [r.floats([b, length, heads * size]), r.floats([heads * size]), r.floats([1, heads, length, length])]
    inputs += [r.floats([size, d]), r.floats([d]), r.floats([1, heads, 1, 1])]
    case = Case(MICROSOFT + "GatedRelativePositionBias", inputs, num_heads=heads)

    def run():
        x, bias, positions, w, c, eco = (i.astype(np.float64) for i in inputs)
        x = (x + bias).reshape(b, length, heads, size).transpose(0, 2, 1, 3) @ w + c
        gates = 1 / (1 + np.exp(-x.reshape(b, heads, length, 2, d // 2).sum(-1)))
        y = (gates[..., :1] * (gates[..., 1:] * eco - 1) + 2) * positions
        return [y.astype(np.float32)]

    return formula(case, run)


# ---- few bits ----


def qlinear_conv(r):
    n, c, m, k, last = r.int(1, 2), r.int(1, 3), r.int(1, 4), r.int(1, 3), r.int(0, 1)
    x, w = bytes_of(r, [n, c, 5, 6], np.uint8), bytes_of(r, [m, c, k, k], np.int8)
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if last else x
    inputs = [x, np.float32(0.02), np.uint8(r.int(0, 255)), w, np.float32(0.01), np.int8(0)]
    inputs += [np.float32(0.05), np.uint8(r.int(0, 255)), r.one_of(None, r.ints([m], -500, 500, np.int32))]
    fixed = set(range(1, 9)) & present(inputs)
    case = Case(MICROSOFT + "QLinearConv", inputs, fixed, channels_last=last, kernel_shape=[k, k])
    first = [np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if last else x, *inputs[1:]]
    plain = Case("QLinearConv", first, fixed, exact=True, kernel_shape=[k, k])

    def run():
        (y,) = plain.run()
        return [np.ascontiguousarray(y.transpose(0, 2, 3, 1)) if last else y]

    return formula(case, run)


def matmul_bnb4(r):
    m, n, block = r.int(1, 3), r.int(1, 4), 16
    k = block * r.int(1, 3)
    inputs = [r.floats([m, k]), bytes_of(r, [(n * k + 1) // 2], np.uint8), np.abs(r.floats([(n * k + block - 1) // block]))]
    return Case(MICROSOFT + "MatMulBnb4", inputs, {1, 2}, K=k, N=n, block_size=block, quant_type=r.int(0, 1))


def gather_block_quantized(r):
    rows, block = r.int(1, 5), 16
    columns = block * r.int(1, 3)
    inputs = [bytes_of(r, [rows, columns // 2], np.uint8), r.ints(r.shape(1, 2, 3), 0, rows - 1)]
    inputs += [r.floats([rows, columns // block])]
    inputs += [r.one_of(None, bytes_of(r, [rows, (columns // block + 1) // 2], np.uint8))]
    a = {"gather_axis": 0, "quantize_axis": 1, "block_size": block, "bits": 4}
    return Case(MICROSOFT + "GatherBlockQuantized", inputs, {0, 2, 3} & present(inputs), **a)


def q_embed_layer_norm(r):
    b, length, words, d = r.int(1, 2), r.int(1, 4), 7, 4 * r.int(1, 3)
    segments = r.chance(0.5)
    t = np.uint8
    inputs = [r.ints([b, length], 0, words - 1, np.int32), r.ints([b, length], 0, 1, np.int32) if segments else None]
    inputs += [bytes_of(r, [words, d], t), bytes_of(r, [9, d], t), bytes_of(r, [2, d], t) if segments else None]
    inputs += [bytes_of(r, [d], t), bytes_of(r, [d], t), None]
    scale = [np.float32(0.02), np.float32(0.01), np.float32(0.03), np.float32(0.01), np.float32(0.02)]
    zero = [np.array(r.int(0, 255), t) for _ in range(5)]
    if not segments:
        scale[2] = zero[2] = None
    case = Case(MICROSOFT + "QEmbedLayerNormalization", inputs + scale + zero, n_out=2, epsilon=1e-5)
    case.fixed = set(range(2, 18)) & present(case.inputs)
    return case


def dynamic_quantize_lstm(r):
    """As ONNX Runtime's LSTM in floats: it rounds the inputs of products, which is not done here."""
    length, b, n, h = r.int(1, 4), r.int(1, 2), r.int(1, 4), r.int(1, 3)
    per_column = r.chance(0.5)
    x, bias = r.floats([length, b, n]), r.floats([1, 8 * h])
    w, u = bytes_of(r, [1, n, 4 * h], np.int8), bytes_of(r, [1, h, 4 * h], np.int8)
    columns = [1, 4 * h] if per_column else [1]
    by = [np.abs(r.floats(columns, 0.01)), np.zeros(columns, np.int8), np.abs(r.floats(columns, 0.01)), np.zeros(columns, np.int8)]
    case = Case(MICROSOFT + "DynamicQuantizeLSTM", [x, w, u, bias, None, None, None, None, *by], {1, 2, 8, 9, 10, 11}, 3, hidden_size=h)
    wide = [(t * s.reshape(1, 1, -1)).astype(np.float32).transpose(0, 2, 1) for t, s in ((w, by[0]), (u, by[2]))]
    return formula(case, Case("LSTM", [x, *wide, bias], n_out=3, hidden_size=h).run)


OPERATORS = {
    "Affine": scaled("Affine", lambda x, a, b: a * x + b),
    "ParametricSoftplus": scaled("ParametricSoftplus", lambda x, a, b: a * np.log1p(np.exp(b * x))),
    "ScaledTanh": scaled("ScaledTanh", lambda x, a, b: a * np.tanh(b * x)),
    "ImageScaler": image_scaler,
    "Crop": crop,
    "ExpandDims": expand_dims,
    "UnfoldTensor": unfold,
    "MicrosoftUnique": unique,
    "MulInteger": mul_integer,
    "ComplexMul": complex_mul("ComplexMul"),
    "ComplexMulConj": complex_mul("ComplexMulConj"),
    "CDist": cdist,
    "Inverse": inverse,
    "NGramRepeatBlock": ngram_repeat_block,
    "TransposeMatMul": transpose_matmul,
    "MicrosoftTrilu": as_default("Trilu"),
    "MicrosoftPad": as_default("Pad"),
    "MicrosoftRange": as_default("Range"),
    "MicrosoftGatherND": as_default("GatherND"),
    "MicrosoftGridSample": as_default("GridSample"),
    "GemmFastGelu": gemm_fast_gelu,
    "BiasDropout": bias_dropout,
    "RelativePositionBias": relative_position_bias,
    "GatedRelativePositionBias": gated_relative_position_bias,
    "MicrosoftQLinearConv": qlinear_conv,
    "MatMulBnb4": matmul_bnb4,
    "GatherBlockQuantized": gather_block_quantized,
    "QEmbedLayerNormalization": q_embed_layer_norm,
    "DynamicQuantizeLSTM": dynamic_quantize_lstm,
}

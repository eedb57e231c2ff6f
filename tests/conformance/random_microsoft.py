"""Random models of ONNX Runtime's own operators with caches, quantized matrices and activations;
for random_models.py."""

import math

import numpy as np
from random_case import Case

MICROSOFT = "com.microsoft."


def bytes_of(r, shape, dtype):
    limits = np.iinfo(dtype)
    return r.ints(shape, limits.min, limits.max, dtype)


def present(inputs):
    return {i for i, x in enumerate(inputs) if x is not None}


def matmul_integer_to_float(r):
    m, k, n = r.int(1, 5), r.int(1, 9), r.int(1, 6)
    a, b = np.uint8, r.one_of(np.uint8, np.int8)
    columns = r.one_of([], [n])
    inputs = [bytes_of(r, [m, k], a), bytes_of(r, [k, n], b)]
    inputs += [np.float32(0.25), np.abs(r.floats(columns)) + np.float32(0.01)]
    inputs += [r.one_of(None, bytes_of(r, [], a)), r.one_of(None, bytes_of(r, columns, b))]
    inputs += [r.one_of(None, r.floats([n]))]
    return Case(MICROSOFT + "MatMulIntegerToFloat", inputs, {1, 3, 5} & present(inputs))


def dynamic_quantize_matmul(r):
    m, k, n = r.int(1, 5), r.int(1, 9), r.int(1, 6)
    columns = r.one_of([], [n])
    inputs = [r.floats([m, k]), bytes_of(r, [k, n], np.int8)]
    inputs += [np.abs(r.floats(columns)) + np.float32(0.01)]
    inputs += [r.one_of(None, bytes_of(r, columns, np.int8)), r.one_of(None, r.floats([n]))]
    return Case(MICROSOFT + "DynamicQuantizeMatMul", inputs, {1, 2, 3} & present(inputs))


def matmul_n_bits(r):
    k, n, size, bits = r.int(1, 50), r.int(1, 5), r.one_of(16, 32), r.one_of(4, 4, 8)
    count = (k + size - 1) // size
    inputs = [r.floats([r.int(1, 3), k]), bytes_of(r, [n, count, size * bits // 8], np.uint8)]
    inputs += [r.floats([n, count], 0.02)]
    zero = bytes_of(r, [n, (count * bits + 7) // 8], np.uint8)
    inputs += [r.one_of(None, zero), None, r.one_of(None, r.floats([n]))]
    a = {"K": k, "N": n, "bits": bits, "block_size": size}
    return Case(MICROSOFT + "MatMulNBits", inputs, {1, 2, 3} & present(inputs), **a)


def q_attention(r):
    b, length, heads, size = r.int(1, 2), r.int(1, 4), r.int(1, 3), r.int(1, 4)
    d = heads * size
    inputs = [bytes_of(r, [b, length, d], np.uint8), bytes_of(r, [d, 3 * d], np.int8)]
    inputs += [r.floats([3 * d]), np.float32(0.02), np.float32(0.01)]
    inputs += [None, np.uint8(r.int(0, 255)), np.int8(r.one_of(0, 3))]
    a = {"num_heads": heads, "unidirectional": r.int(0, 1)}
    return Case(MICROSOFT + "QAttention", inputs, {1, 4, 7}, **a)


def group_query_attention(r):
    """Without a cache; with one of which all is used; with one that has room."""
    b, kv, group, size = r.int(1, 2), r.int(1, 2), r.int(1, 3), 16
    kind = r.int(0, 2)
    past = [0, r.int(1, 4), 9][kind]
    length = 1 if kind and b > 1 else r.int(1, 4)
    held = [r.int(1, past - length) if kind == 2 else past for _ in range(b)]
    total = max(held) + length
    heads = kv * group
    packed = r.chance(0.3)
    columns = [(heads + 2 * kv) * size] if packed else [heads * size, kv * size, kv * size]
    inputs = [r.floats([b, length, n]) for n in columns] + [None, None] * packed
    cache = [b, kv, past, size]
    inputs += [r.floats(cache), r.floats(cache)] if kind else [None, None]
    inputs += [np.array([h + length - 1 for h in held], np.int32), np.int32(total)]
    a = {"num_heads": heads, "kv_num_heads": kv}
    if r.chance(0.5):
        angles = r.floats([16, size // 2], 1)
        inputs += [np.cos(angles), np.sin(angles)]
        a |= {"do_rotary": 1, "rotary_interleaved": r.int(0, 1)}
    if r.chance(0.3):
        a["softcap"] = 2.0
    if r.chance(0.3):
        a["local_window_size"] = r.int(1, 3)
    case = Case(MICROSOFT + "GroupQueryAttention", inputs, {6}, 3, **a)
    if kind == 2:  # rows of the cache behind those that are held have no defined value
        run = case.run
        case.run = lambda: run()[:1]
    return case


def activation(r):
    return r.one_of(
        ("Relu", []),
        ("Tanh", []),
        ("Sigmoid", []),
        ("LeakyRelu", [0.3]),
        ("Clip", [-0.5, 0.75]),
        ("HardSigmoid", [0.3, 0.4]),
    )


def fused_conv(r):
    n, c, m, k = r.int(1, 2), r.int(1, 3), r.int(1, 4), r.int(1, 3)
    h, w = r.int(3, 6), r.int(3, 6)
    name, numbers = activation(r)
    a = {"activation": name, "kernel_shape": [k, k]}
    if numbers:
        a["activation_params"] = numbers
    added = r.one_of(None, r.floats([n, m, h - k + 1, w - k + 1]))
    inputs = [r.floats([n, c, h, w]), r.floats([m, c, k, k]), r.one_of(None, r.floats([m]))]
    return Case(MICROSOFT + "FusedConv", inputs + [added], {1}, **a)


def nhwc_fused_conv(r):
    """ONNX Runtime has it on other devices: what FusedConv makes of channels that are first."""
    case = fused_conv(r)
    x, w, bias, added = case.inputs
    turned = [None if v is None else np.moveaxis(v, 1, -1) for v in (x, added)]
    inputs = [turned[0], w, bias, turned[1]]
    last = Case(MICROSOFT + "NhwcFusedConv", inputs, {1}, **case.attributes)
    last.run = lambda: [np.ascontiguousarray(np.moveaxis(case.run()[0], 1, -1))]
    return last


def fused_gemm(r):
    m, k, n = r.int(1, 5), r.int(1, 5), r.int(1, 5)
    turned = r.int(0, 1)
    name, numbers = activation(r)
    while name == "Clip":  # which ONNX Runtime does not take here
        name, numbers = activation(r)
    a = {"activation": name, "transB": turned, "alpha": r.one_of(1.0, 0.5)}
    a |= dict(zip(("activation_alpha", "activation_beta"), numbers))
    inputs = [r.floats([m, k]), r.floats([n, k] if turned else [k, n])]
    inputs += [r.one_of(None, r.floats([n]))]
    return Case(MICROSOFT + "FusedGemm", inputs, **a)


def nhwc_max_pool(r):
    shape = [r.int(1, 2), r.int(3, 6), r.int(3, 6), r.int(1, 4)]
    x = bytes_of(r, shape, r.one_of(np.uint8, np.int8))
    return Case(MICROSOFT + "NhwcMaxPool", [x], kernel_shape=[2, 3], strides=[r.int(1, 2), 1])


# ---- those that ONNX Runtime has on GPUs only: their formulas ----


def group_norm(op):
    def make(r):
        n, h, w, groups, size = r.int(1, 2), r.int(1, 4), r.int(1, 4), r.int(1, 3), r.int(1, 4)
        c = groups * size
        skip = op == "SkipGroupNorm"
        inputs = [r.floats([n, h, w, c]), r.floats([c]), r.floats([c])]
        if skip:
            inputs += [r.floats(r.one_of([n, h, w, c], [n, c])), r.one_of(None, r.floats([c]))]
        a = {"groups": groups, "activation": r.int(0, 1), "epsilon": r.one_of(1e-5, 1e-2)}
        case = Case(MICROSOFT + op, inputs, n_out=2 if skip else 1, **a)

        def run():
            x = inputs[0].astype(np.float64)
            if skip:
                other = inputs[3]
                x = x + (other if other.ndim == 4 else other[:, None, None, :])
                x = x if inputs[4] is None else x + inputs[4]
            t = x.reshape(n, h * w, groups, size)
            variance = t.var(axis=(1, 3), keepdims=True)
            t = (t - t.mean(axis=(1, 3), keepdims=True)) / np.sqrt(variance + a["epsilon"])
            y = t.reshape(x.shape) * inputs[1] + inputs[2]
            y = y / (1 + np.exp(-y)) if a["activation"] else y
            return [v.astype(np.float32) for v in ([y, x] if skip else [y])]

        case.run = run
        return case

    return make


def bias_split_gelu(r):
    shape = [r.int(1, 2), r.int(1, 4), 2 * r.int(1, 5)]
    inputs = [r.floats(shape), r.floats(shape[2:])]
    case = Case(MICROSOFT + "BiasSplitGelu", inputs)

    def run():
        left, right = np.split((inputs[0] + inputs[1]).astype(np.float64), 2, axis=2)
        gelu = right * (1 + np.vectorize(math.erf)(right / math.sqrt(2))) / 2
        return [(left * gelu).astype(np.float32)]

    case.run = run
    return case


def bias_add(r):
    shape = [r.int(1, 2), r.int(1, 4), r.int(1, 5)]
    inputs = [r.floats(shape), r.floats(shape[2:]), r.floats(shape)]
    case = Case(MICROSOFT + "BiasAdd", inputs)
    case.run = lambda: [inputs[0] + inputs[1] + inputs[2]]
    return case


OPERATORS = {
    "MatMulIntegerToFloat": matmul_integer_to_float,
    "DynamicQuantizeMatMul": dynamic_quantize_matmul,
    "MatMulNBits": matmul_n_bits,
    "QAttention": q_attention,
    "GroupQueryAttention": group_query_attention,
    "FusedConv": fused_conv,
    "NhwcFusedConv": nhwc_fused_conv,
    "FusedGemm": fused_gemm,
    "NhwcMaxPool": nhwc_max_pool,
    "MicrosoftGroupNorm": group_norm("GroupNorm"),
    "SkipGroupNorm": group_norm("SkipGroupNorm"),
    "BiasSplitGelu": bias_split_gelu,
    "BiasAdd": bias_add,
}

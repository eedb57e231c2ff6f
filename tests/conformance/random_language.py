"""Random models of the layers of language models that the newest versions have, and of what takes
signals apart."""

import numpy as np
from onnx import TensorProto, helper
from random_case import ONNX_TYPE, Case, node


def causal_conv(r):
    n, c, length, k = r.int(1, 3), r.int(1, 4), r.int(1, 6), r.int(1, 4)
    inputs = [r.floats((n, c, length)), r.floats((c, 1, k)), r.one_of(None, r.floats(c))]
    inputs.append(r.one_of(None, r.floats((n, c, k - 1))))
    a = {"activation": r.one_of("none", "silu", "swish")}
    return Case("CausalConvWithState", inputs, n_out=r.int(1, 2), exact=True, opset=27, **a)


def linear_attention(r):
    b, t, kv, group, d, v = (
        r.int(1, 2),
        r.int(1, 4),
        r.int(1, 2),
        r.int(1, 2),
        r.int(1, 4),
        r.int(1, 4),
    )
    rule = r.one_of("linear", "gated", "delta", "gated_delta")
    decay = -np.abs(r.floats((b, t, kv * r.one_of(1, d)), 0.5))
    beta = r.g.uniform(0, 1, (b, t, r.one_of(1, kv))).astype(np.float32)
    inputs = [
        r.floats((b, t, kv * group * d)),
        r.floats((b, t, kv * d), 0.5),
        r.floats((b, t, kv * v)),
    ]
    inputs.append(r.one_of(None, r.floats((b, kv, d, v))))
    inputs.append(decay if "gated" in rule else None)
    inputs.append(beta if "delta" in rule else None)
    a = {"q_num_heads": kv * group, "kv_num_heads": kv, "scale": r.one_of(0.0, 0.5)}
    return Case("LinearAttention", inputs, n_out=2, exact=True, opset=27, update_rule=rule, **a)


def swiglu(r):
    shape, t = r.shape(0, empty=0.1), r.one_of(np.float32, np.float64, np.float16)
    inputs = [r.floats(shape, dtype=t), r.floats(shape, dtype=t)]
    return Case("SwiGLU", inputs, exact=True, opset=28, alpha=r.one_of(1.0, 1.7))


def modifier(op, shape, value):
    """A graph that gives its tensor in an operator with a number."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("s", "t")]
    number = helper.make_tensor("c", TensorProto.FLOAT, [], [value])
    nodes = [node("Constant", "", "c", value=number), node(op, "s c", "t")]
    return helper.make_graph(nodes, "modifier", infos[:1], infos[1:])


def flex_attention(r):
    b, group, kv = r.int(1, 2), r.int(1, 3), r.int(1, 2)
    lq, lk, d, dv = r.int(1, 4), r.int(1, 5), r.int(1, 5), r.int(1, 5)
    heads = group * kv
    inputs = [r.floats((b, heads, lq, d)), r.floats((b, kv, lk, d)), r.floats((b, kv, lk, dv))]
    a = r.one_of({}, {"scale": 0.5})
    if r.chance(0.5):
        a["score_mod"] = modifier(r.one_of("Add", "Max", "Mul"), [b, heads, lq, lk], 0.5)
    if r.chance(0.5):
        a["prob_mod"] = modifier(r.one_of("Add", "Mul"), [b, heads, lq, lk], 0.25)
    return Case("ai.onnx.preview.FlexAttention", inputs, exact=True, opset=25, **a)


def window(op):
    def make(r):
        a = {
            "periodic": r.int(0, 1),
            "output_datatype": ONNX_TYPE(np.dtype(r.one_of(np.float32, np.float64))),
        }
        return Case(op, [r.one_of(np.int32, np.int64)(r.int(2, 20))], [0], exact=True, **a)

    return make


def mel_weights(r):
    rate, bins = 2 * r.int(2000, 8000), r.int(1, 8)
    low = float(r.int(0, 200))
    inputs = [np.int64(bins), np.int64(2 * r.int(8, 64)), np.int64(rate), np.float32(low)]
    inputs.append(np.float32(r.int(1000, rate // 2)))
    return Case("MelWeightMatrix", inputs, range(5), exact=True)


OPERATORS = {
    "CausalConvWithState": causal_conv,
    "LinearAttention": linear_attention,
    "SwiGLU": swiglu,
    "FlexAttention": flex_attention,
    "HannWindow": window("HannWindow"),
    "HammingWindow": window("HammingWindow"),
    "BlackmanWindow": window("BlackmanWindow"),
    "MelWeightMatrix": mel_weights,
}

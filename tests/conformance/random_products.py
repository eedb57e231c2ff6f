"""Random models of products of matrices, attention and LSTM."""

import numpy as np

from random_case import Case, is_float, types_of
from random_layers import in_f64


def matmul(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 9)
    batch = r.shape(0, 3, 3)
    a = r.one_of((k,), r.broadcast(batch) + (m, k), batch + (m, k))
    b = r.one_of((k,), r.broadcast(batch) + (k, n), batch + (k, n))
    t = r.one_of(*types_of("MatMul"))
    if is_float(t) and r.chance(0.1):  # of integers ONNX Runtime fails
        a, b = r.one_of(((0, k), (k, n)), ((m, 0), (0, n)), ((m, k), (k, 0)))
    return Case("MatMul", [r.numbers(a, t, 1), r.numbers(b, t, 1)])


def gemm(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 9)
    ta, tb = r.int(0, 1), r.int(0, 1)
    t = r.one_of(*types_of("Gemm"))
    a = r.numbers((k, m) if ta else (m, k), t, 1)
    b = r.numbers((n, k) if tb else (k, n), t, 1)
    c = r.one_of(None, r.numbers(r.one_of((), (n,), (1, n), (m, 1), (m, n)), t, 1))
    # What a fraction makes of integers is not defined.
    alpha, beta = (r.one_of(1.0, 0.5), r.one_of(1.0, -2.0)) if is_float(t) else (1.0, 1.0)
    return Case("Gemm", [a, b, c], alpha=alpha, beta=beta, transA=ta, transB=tb)


def attention(r):
    b, group, kv = r.int(1, 2), r.int(1, 3), r.int(1, 2)
    lq, lk, d, dv = r.int(1, 4), r.int(1, 5), r.int(1, 5), r.int(1, 5)
    past = r.one_of(0, 0, r.int(1, 3))
    heads, total = group * kv, lk + past
    # The reference takes the root of the scale in f32.
    a = {"is_causal": r.int(0, 1), "scale": r.one_of(0.25, 1.0)}
    if r.chance(0.3):
        a["softcap"] = 1.5
    q, k, v = (b, heads, lq, d), (b, kv, lk, d), (b, kv, lk, dv)
    if r.chance(0.5):
        q, k, v = (b, lq, heads * d), (b, lk, kv * d), (b, lk, kv * dv)
        a.update(q_num_heads=heads, kv_num_heads=kv)
    t = r.one_of(np.float32, np.float64)
    mask_shape = r.one_of((lq, total), (1, 1, lq, total), (b, heads, lq, total))
    mask = r.one_of(None, r.floats(mask_shape, dtype=t), r.ints(mask_shape, 0, 1, np.bool_))
    if mask is not None and mask.dtype == np.bool_:
        mask[..., 0] = True
    inputs = [r.floats(s, dtype=t) for s in (q, k, v)] + [mask]
    if past:
        inputs += [r.floats((b, kv, past, d), dtype=t), r.floats((b, kv, past, dv), dtype=t)]
    # ONNX Runtime's frontier of causal attention differs between its versions.
    return Case("Attention", inputs, n_out=3 if past else 1, exact=True, **a)


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
    if direction == "forward" and r.chance(0.5):
        return in_f64(Case("LSTM", inputs, n_out=2, exact=True, **a))
    if r.chance(0.3):
        a["activations"] = ["HardSigmoid", "Relu", "Softsign"] * d
    return Case("LSTM", inputs, n_out=r.int(1, 3), **a)


OPERATORS = {"MatMul": matmul, "Gemm": gemm, "Attention": attention, "LSTM": lstm}

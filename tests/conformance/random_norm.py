"""Random models of normalizations, losses, pools of norms and of places, and sums along an axis."""

import numpy as np

from random_case import OPSET, Case, i64, types_of
from random_windows import COMMON, max_pool, window


def cumulative(op, scale):
    def make(r):
        shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
        t = r.one_of(np.float32, np.float64, np.int32, np.int64)
        x = r.ints(shape, -3, 3, t) if np.issubdtype(t, np.integer) else r.floats(shape, scale, t)
        axis = np.array(r.int(-len(shape), len(shape) - 1), np.int64)
        case = Case(
            op, [x, axis], [1], exact=op == "CumProd", exclusive=r.int(0, 1), reverse=r.int(0, 1)
        )
        case.opset = 26 if op == "CumProd" else OPSET
        return case

    return make


def layer_norm(r):
    shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
    axis = r.int(0, len(shape) - 1)
    t = r.one_of(*types_of("LayerNormalization"))
    factors = [r.floats(shape[axis:], dtype=t) for _ in range(r.int(1, 2))]
    a = {"axis": axis - r.one_of(0, len(shape)), "epsilon": r.one_of(1e-5, 0.1)}
    return Case(
        "LayerNormalization", [r.floats(shape, dtype=t)] + factors, n_out=r.one_of(1, 3), **a
    )


def rms_norm(r):
    shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
    axis = r.int(0, len(shape) - 1)
    a = {"axis": axis - r.one_of(0, len(shape)), "epsilon": r.one_of(1e-5, 0.1)}
    t = r.one_of(np.float32, np.float64)
    inputs = [r.floats(shape, dtype=t), r.floats(shape[axis:], dtype=t)]
    return Case("RMSNormalization", inputs, exact=True, **a)


def instance_norm(r):
    shape = r.shape(3, 5)
    c, t = [shape[1]], r.one_of(*types_of("InstanceNormalization"))
    inputs = [r.floats(s, dtype=t) for s in (shape, c, c)]
    return Case("InstanceNormalization", inputs, epsilon=0.01)


def group_norm(r):
    groups, shape = r.int(1, 3), r.shape(3, 5)
    c = groups * r.int(1, 3)
    x = r.floats((shape[0], c) + shape[2:])
    return Case(
        "GroupNormalization", [x, r.floats([c]), r.floats([c])], num_groups=groups, epsilon=0.01
    )


def mean_variance(r):
    shape = r.shape(2, 5, 7)
    axes = sorted(a % len(shape) for a in r.axes(len(shape)))
    x = r.floats(shape) + np.float32(1)
    case = Case("MeanVarianceNormalization", [x], axes=axes)

    def run():
        """In f64: its definition takes the difference of two large numbers."""
        wide = x.astype(np.float64)
        centred = wide - wide.mean(axis=tuple(axes), keepdims=True)
        return [(centred / (wide.std(axis=tuple(axes), keepdims=True) + 1e-9)).astype(x.dtype)]

    case.run = run
    return case


def lp_norm(r):
    shape = r.shape()
    x = np.abs(r.floats(shape)) + np.float32(0.1)
    x = x.astype(r.one_of(*types_of("LpNormalization")))
    return Case("LpNormalization", [x], axis=r.int(0, len(shape) - 1), p=r.int(1, 2))


def batch_norm_training(r):
    shape = r.shape(2, 4)
    c = [shape[1]]
    params = [r.floats(c), r.floats(c), r.floats(c), np.abs(r.floats(c)) + np.float32(0.1)]
    a = {"epsilon": 0.1, "momentum": r.one_of(0.9, 0.25), "training_mode": 1}
    return Case("BatchNormalization", [r.floats(shape)] + params, n_out=3, exact=True, **a)


def max_pool_indices(r):
    case = max_pool(r)
    case.n_out = 2
    case.attributes["storage_order"] = r.int(0, 1)
    return case


def max_unpool(r):
    kernel = [r.int(1, 3) for _ in range(r.int(1, 3))]
    extent = [r.int(1, 4) for _ in kernel]
    shape = [r.int(1, 2), r.int(1, 3)] + extent
    plane = int(np.prod([k * e for k, e in zip(kernel, extent)]))
    index = np.stack(
        [
            r.g.permutation(plane)[: int(np.prod(extent))] + i * plane
            for i in range(shape[0] * shape[1])
        ]
    ).reshape(shape)
    return Case("MaxUnpool", [r.floats(shape), i64(index)], kernel_shape=kernel, strides=kernel)


def lp_pool(r):
    kernel, extent, a = window(r, r.int(1, 3), 3, pool=True)
    x = r.floats([r.int(1, 2), r.int(1, 3)] + extent, dtype=r.one_of(*types_of("LpPool")))
    return Case("LpPool", [x], kernel_shape=kernel, p=r.int(1, 4), **a)


def global_max_pool(r):
    t = r.one_of(*COMMON)
    return Case("GlobalMaxPool", [r.floats(r.shape(3, 5), dtype=t)])


def global_lp_pool(r):
    case = Case("GlobalLpPool", [r.floats(r.shape(3, 5))], p=r.int(1, 3))
    case.opset = 21  # ONNX Runtime has no newer one
    return case


def targets(r):
    shape = r.shape(2, 4)
    c = shape[1]
    labels = r.ints(shape[:1] + shape[2:], 0, c - 1, r.one_of(np.int32, np.int64))
    a = {"reduction": r.one_of("none", "mean", "sum")}
    if r.chance(0.4):
        a["ignore_index"] = r.int(-1, c - 1)
        labels.flat[0] = (a["ignore_index"] + 1) % c  # not all are ignored
    return [r.floats(shape), labels, r.one_of(None, np.abs(r.floats([c])) + np.float32(0.1))], a


def loss(op, n_out):
    def make(r):
        inputs, a = targets(r)
        return Case(op, inputs, n_out=n_out, **a)

    return make


OPERATORS = {
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "MeanVarianceNormalization": mean_variance,
    "LpNormalization": lp_norm,
    "BatchNormalization_training": batch_norm_training,
    "NegativeLogLikelihoodLoss": loss("NegativeLogLikelihoodLoss", 1),
    "SoftmaxCrossEntropyLoss": loss("SoftmaxCrossEntropyLoss", 2),
    "MaxPool_indices": max_pool_indices,
    "MaxUnpool": max_unpool,
    "LpPool": lp_pool,
    "GlobalMaxPool": global_max_pool,
    "GlobalLpPool": global_lp_pool,
    "CumSum": cumulative("CumSum", 2.0),
    "CumProd": cumulative("CumProd", 1.0),
}

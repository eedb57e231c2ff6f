"""Random models of batch normalization, softmax, reductions and the order of elements."""

import numpy as np

from random_case import BFLOAT16, Case, i64, is_float, types_of

FLOATS = (np.float32, np.float64, np.float16, BFLOAT16)


def batch_norm(r):
    shape, t = r.shape(2, 4), r.one_of(*types_of("BatchNormalization"))
    c = [shape[1]]
    params = [r.floats(c, dtype=t) for _ in range(3)] + [np.abs(r.floats(c, dtype=t)) + t.type(0.1)]
    return Case(
        "BatchNormalization", [r.floats(shape, dtype=t)] + params, epsilon=r.one_of(1e-5, 1e-2)
    )


def along(op):
    def make(r):
        shape = r.one_of(r.shape(empty=0.1), (r.int(1, 3), r.int(30, 70)))
        x = r.floats(shape, 5, r.one_of(*types_of(op)))
        return Case(op, [x], axis=r.int(-len(shape), len(shape) - 1))

    return make


def reduction(op, noop=True, edges=False, positive=False, types=()):
    """Of no elements, and of NaN, by the reference: ONNX Runtime has other shapes and loses NaN."""

    def make(r):
        shape = r.one_of(r.shape(0, empty=0.1), (r.int(1, 3), r.int(30, 70)))
        axes = r.one_of(None, i64(r.axes(len(shape)))) if shape else None
        fixed = [1] if axes is not None else []
        t = np.dtype(r.one_of(*types or types_of(op)))
        if edges or is_float(t):
            x = r.numbers(shape, t, 1.0, edges)
        else:
            x = r.ints(shape, 0 if t.kind == "u" else -3, 3, t)
        # Without axes ONNX Runtime leaves out the rest of some operators as well.
        keep = {"keepdims": r.int(0, 1), "noop_with_empty_axes": r.int(0, 1) if noop else 0}
        exact = edges or 0 in shape
        return Case(
            op, [np.abs(x) + t.type(1) if positive else x, axes], fixed, exact=exact, **keep
        )

    return make


def arg_extreme(op):
    def make(r):
        shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
        # Few values, so that there are ties.
        x = (r.ints(shape, -2, 2) + 2).astype(r.one_of(*types_of(op)))
        axis = r.int(-len(shape), len(shape) - 1)
        return Case(op, [x], axis=axis, keepdims=r.int(0, 1), select_last_index=r.int(0, 1))

    return make


def top_k(r):
    shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)), (2, r.int(300, 600)))
    # Few values, so that there are ties.
    x = (r.ints(shape, -9, 9) + 9).astype(r.one_of(*types_of("TopK")))
    axis = r.int(-len(shape), len(shape) - 1)
    k = i64([r.int(0, min(shape[axis], r.one_of(3, 1000)))])
    fixed = r.one_of([1], [])
    return Case("TopK", [x, k], fixed, 2, axis=axis, largest=r.int(0, 1))


OPERATORS = {
    "BatchNormalization": batch_norm,
    "Softmax": along("Softmax"),
    "LogSoftmax": along("LogSoftmax"),
    "Hardmax": along("Hardmax"),
    # The mean of integers is rounded in one way or another.
    "ReduceMean": reduction("ReduceMean", types=FLOATS),
    "ReduceSum": reduction("ReduceSum"),
    "ReduceProd": reduction("ReduceProd"),
    "ReduceMax": reduction("ReduceMax", edges=True),
    "ReduceMin": reduction("ReduceMin", edges=True),
    "ReduceL1": reduction("ReduceL1", noop=False),
    "ReduceL2": reduction("ReduceL2", noop=False),
    "ReduceSumSquare": reduction("ReduceSumSquare", noop=False),
    "ReduceLogSum": reduction("ReduceLogSum", positive=True, noop=False, types=FLOATS),
    "ReduceLogSumExp": reduction("ReduceLogSumExp", noop=False, types=FLOATS),
    "ArgMax": arg_extreme("ArgMax"),
    "ArgMin": arg_extreme("ArgMin"),
    "TopK": top_k,
}

"""Random models of operators that move elements or find their places."""

import numpy as np
from onnx import numpy_helper

from random_case import ONNX_TYPE, TYPES, Case, i64, types_of


def some(r, op, shape, at=0):
    """Numbers of a type that the operator takes as its input."""
    return r.numbers(shape, r.one_of(*types_of(op, at)), edges=True)


def sequence(r):
    """A range of constants."""
    t = r.one_of(np.float32, np.float64, np.int16, np.int32, np.int64)
    step = t(r.one_of(1, 2, 3, -1, -4) * (1 if np.issubdtype(t, np.integer) else 0.5))
    return Case("Range", [t(r.int(-9, 9)), t(r.int(-9, 9)), step], [0, 1, 2])


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
    return Case("Reshape", [some(r, "Reshape", shape), i64(target)], [1])


def reshape_empty(r):
    """Zeros that are extents, or mean that of the input."""
    shape = r.shape(2, 4, empty=1)
    if r.chance(0.5):
        target = i64(r.one_of([0, 3], [5, 0, 2], [0]))
        return Case("Reshape", [some(r, "Reshape", shape), target], [1], allowzero=1)
    shape = r.shape(2, 4)
    target = [0 if r.chance(0.5) else n for n in shape[:-1]] + [-1]
    return Case("Reshape", [some(r, "Reshape", shape), i64(target)], [1])


def flatten(r):
    shape = r.shape(0, empty=0.1)
    return Case("Flatten", [some(r, "Flatten", shape)], axis=r.int(-len(shape), len(shape)))


def squeeze(r):
    shape = tuple(1 if r.chance(0.4) else d for d in r.shape(1, 5))
    ones = [d - (len(shape) if r.chance(0.3) else 0) for d, n in enumerate(shape) if n == 1]
    x = some(r, "Squeeze", shape)
    if r.chance(0.3) or not ones:
        return Case("Squeeze", [x])
    return Case("Squeeze", [x, i64(ones[: r.int(1, len(ones))])], [1])


def unsqueeze(r):
    shape = r.shape(0, 3, empty=0.1)
    n = r.int(1, 3)
    return Case("Unsqueeze", [some(r, "Unsqueeze", shape), i64(r.axes(len(shape) + n, n))], [1])


def transpose(r):
    shape = r.shape(0, 5, empty=0.1)
    perm = [int(d) for d in r.g.permutation(len(shape))]
    return Case(
        "Transpose",
        [some(r, "Transpose", shape)],
        **({"perm": perm} if perm and r.chance(0.8) else {})
    )


def concat(r):
    shape = list(r.shape())
    axis = r.int(0, len(shape) - 1)
    parts, t = [], r.one_of(*types_of("Concat"))
    for _ in range(r.int(1, 4)):
        shape[axis] = r.int(0, 4)
        parts.append(r.numbers(shape, t, edges=True))
    return Case("Concat", parts, axis=axis - (len(shape) if r.chance(0.3) else 0))


def split(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    x = some(r, "Split", shape)
    sizes = []
    while sum(sizes) < shape[axis]:
        sizes.append(r.int(0 if r.chance(0.1) else 1, shape[axis] - sum(sizes)))
    axis -= r.one_of(0, len(shape))
    if r.chance(0.3):
        n = r.int(1, min(3, shape[axis]))
        n = -(-shape[axis] // -(-shape[axis] // n))  # ONNX Runtime wants no empty parts
        return Case("Split", [x], n_out=n, axis=axis, num_outputs=n)
    return Case("Split", [x, i64(sizes)], [1], len(sizes), axis=axis)


def slicing(r):
    shape = r.shape()
    axes = r.axes(len(shape))
    n = len(axes)
    bounds = [-9, -5, -3, -2, -1, 0, 1, 2, 3, 5, 9, 2**62, -(2**62)]
    starts, ends = ([r.one_of(*bounds) for _ in range(n)] for _ in range(2))
    steps = [r.one_of(1, 1, 2, 3, -1, -2) for _ in range(n)]
    # Where a backward slice starts before the first element, numpy and ONNX differ.
    starts = [max(s, -shape[a]) if t < 0 else s for s, a, t in zip(starts, axes, steps)]
    return Case(
        "Slice",
        [some(r, "Slice", shape), i64(starts), i64(ends), i64(axes), i64(steps)],
        [1, 2, 3, 4],
    )


def gather(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    index = r.ints(
        r.shape(0, 2, empty=0.1), -shape[axis], shape[axis] - 1, r.one_of(np.int64, np.int32)
    )
    return Case("Gather", [some(r, "Gather", shape), index], axis=axis - r.one_of(0, len(shape)))


def gather_elements(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    of = [r.int(0, 9) if d == axis else r.int(0, n) for d, n in enumerate(shape)]
    index = r.ints(of, -shape[axis], shape[axis] - 1, r.one_of(np.int64, np.int32))
    axis -= r.one_of(0, len(shape))
    return Case("GatherElements", [some(r, "GatherElements", shape), index], axis=axis)


def index_tuples(r, shape, of):
    """Tuples of indices into the first dimensions of `shape`."""
    tuples = [r.ints(of, -n, n - 1) for n in shape]
    return np.stack(tuples, axis=-1)


def gather_nd(r):
    shape = r.shape(2, 4)
    batch = r.int(0, 1)
    n = r.int(1, len(shape) - batch)
    index = index_tuples(r, shape[batch:][:n], shape[:batch] + r.shape(0, 2))
    return Case("GatherND", [some(r, "GatherND", shape), index], batch_dims=batch)


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
    shape = r.shape(empty=0.1)
    return Case("Tile", [some(r, "Tile", shape), r.ints(len(shape), 0, 3)], [1])


def trilu(r):
    k = r.one_of(None, r.ints((), -7, 7))
    return Case("Trilu", [some(r, "Trilu", r.shape(2, empty=0.1)), k], upper=r.int(0, 1))


def one_hot(r):
    # The reference takes no scalars, and no bools as values.
    shape, depth = r.shape(1, 3), r.int(1, 7)
    index = r.ints(shape, -depth - 2, depth + 2, r.one_of(np.int64, np.int32, np.float32))
    values = r.numbers(2, r.one_of(*(t for t in types_of("OneHot", 2) if t != np.bool_)))
    return Case("OneHot", [index, i64(depth), values], [1], axis=r.int(-1, len(shape)))


def blocks(op):
    def make(r):
        n, c, h, w, b = (r.int(1, 3) for _ in range(5))
        if op == "SpaceToDepth":
            return Case(op, [some(r, op, (n, c, h * b, w * b))], blocksize=b)
        return Case(
            op, [some(r, op, (n, c * b * b, h, w))], blocksize=b, mode=r.one_of("DCR", "CRD")
        )

    return make


def reverse_sequence(r):
    shape = r.shape(2)
    batch = r.int(0, 1)
    lens = r.ints(shape[batch], 1, shape[1 - batch])
    return Case(
        "ReverseSequence",
        [some(r, "ReverseSequence", shape), lens],
        batch_axis=batch,
        time_axis=1 - batch,
    )


def compress(r):
    shape = r.shape()
    axis = r.one_of({}, {"axis": r.int(-len(shape), len(shape) - 1)})
    n = shape[axis["axis"]] if axis else int(np.prod(shape))
    condition = r.ints(r.int(1, n), 0, 1, np.bool_)
    return Case("Compress", [some(r, "Compress", shape), condition], r.one_of([], [1]), **axis)


def unique(r):
    shape = r.one_of(r.shape(1, 3), (r.int(50, 300),))
    axis = r.one_of({}, {"axis": r.int(-len(shape), len(shape) - 1)})
    x = r.ints(shape, 0, r.one_of(1, 9), r.one_of(np.float32, np.int64, np.int8, np.bool_))
    # Bools are the reference's, which mistakes the axis of slices that are not sorted.
    order = 1 if x.dtype == np.bool_ else r.int(0, 1)
    return Case("Unique", [x], n_out=4, sorted=order, **axis)


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
    x = some(r, "Pad", shape)
    value = r.one_of(None, r.numbers((), x.dtype)) if mode == "constant" else None
    return Case("Pad", [x, i64(pads), value], [1], mode=mode)


def expand(r):
    shape = r.shape(0, empty=0.1)
    x = some(r, "Expand", r.broadcast(shape))
    return Case("Expand", [x, i64(shape)], [1])


def non_zero(r):
    # Of a scalar ONNX has a result without rows, ONNX Runtime one with a row.
    return Case("NonZero", [some(r, "NonZero", r.shape(1, 4, empty=0.1))])


def extents(op):
    def make(r):
        shape = r.shape(0, 5, empty=0.2)
        a = {}
        if op == "Shape":
            a = r.one_of({}, {"start": r.int(-3, 3)}, {"start": r.int(-3, 3), "end": r.int(-3, 6)})
        return Case(op, [some(r, op, shape)], **a)

    return make


def constant_of_shape(r):
    value = r.numbers(1, r.one_of(*TYPES.values()), edges=True)
    a = r.one_of({}, {"value": numpy_helper.from_array(value)})
    return Case("ConstantOfShape", [i64(r.shape(0, 4, empty=0.1))], [0], exact=True, **a)


def eye_like(r):
    t = r.one_of(*types_of("EyeLike"))
    a = r.one_of({}, {"dtype": ONNX_TYPE(r.one_of(*types_of("EyeLike")))})
    return Case(
        "EyeLike", [r.numbers(r.shape(2, 2, empty=0.1), t)], exact=True, k=r.int(-4, 4), **a
    )


def tensor_scatter(r):
    shape = list(r.shape(3, 4))
    axis = r.int(1, len(shape) - 2) if len(shape) > 3 else 1
    length = r.int(1, shape[axis])
    update = shape[:axis] + [length] + shape[axis + 1 :]
    t = r.one_of(*types_of("TensorScatter", 0, 24))
    mode = r.one_of("linear", "circular")
    last = shape[axis] - (length if mode == "linear" else 1)
    at = r.one_of(None, r.ints(shape[0], 0, last))
    inputs = [r.numbers(shape, t), r.numbers(update, t), at]
    return Case(
        "TensorScatter",
        inputs,
        exact=True,
        opset=24,
        mode=mode,
        axis=axis - r.one_of(0, len(shape)),
    )


def center_crop_pad(r):
    shape = r.shape()
    axes = r.axes(len(shape))
    a = r.one_of({}, {"axes": axes})
    to = i64([r.int(1, 8) for _ in (axes if a else shape)])
    return Case("CenterCropPad", [some(r, "CenterCropPad", shape), to], [1], exact=True, **a)


OPERATORS = {
    "Range": sequence,
    "Reshape": reshape,
    "ReshapeEmpty": reshape_empty,
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
    "TensorScatter": tensor_scatter,
    "Tile": tile,
    "Trilu": trilu,
    "EyeLike": eye_like,
    "OneHot": one_hot,
    "DepthToSpace": blocks("DepthToSpace"),
    "SpaceToDepth": blocks("SpaceToDepth"),
    "ReverseSequence": reverse_sequence,
    "CenterCropPad": center_crop_pad,
    "Compress": compress,
    "Unique": unique,
    "NonMaxSuppression": non_max_suppression,
    "Pad": pad,
    "Expand": expand,
    "Shape": extents("Shape"),
    "Size": extents("Size"),
    "ConstantOfShape": constant_of_shape,
    "NonZero": non_zero,
}

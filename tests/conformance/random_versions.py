"""Random models of older versions of operators.  What the newest version gives is right where
the old form is only another way to say it; the rest is in a version that ONNX Runtime still has."""

import numpy as np
import onnx

from random_case import As, Case, i64, is_float
from random_elementwise import clip
from random_moves import blocks, pad, reshape, slicing, split, squeeze, unsqueeze
from random_norm import group_norm
from random_sums import OPERATORS as SUMS
from random_sums import arg_extreme, batch_norm, top_k
from random_windows import grid_sample, roi_align

TYPE_NAMES = "FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 BOOL FLOAT16 DOUBLE UINT32 UINT64".split()


def attributes_of(make, op, first, last, names, without=(), allowed=lambda case: True):
    """Inputs that were attributes: `names` of them by the number of the input."""

    def old(r):
        case = make(r)
        while not allowed(case):
            case = make(r)
        opset = r.int(first, last)
        a = {k: v for k, v in case.attributes.items() if k not in without}
        for i, name in names.items():
            if i < len(case.inputs) and case.inputs[i] is not None:
                a[name] = case.inputs[i].tolist()
        rank = case.inputs[0].ndim + (len(a.get("axes", [])) if op == "Unsqueeze" else 0)
        if opset < 11 and "axes" in a:
            a["axes"] = [axis % rank for axis in a["axes"]]
        if opset < 11 and "axis" in a:
            a["axis"] %= max(rank, 1)
        inputs = [x for i, x in enumerate(case.inputs) if i not in names]
        return As(case, op, inputs, opset=opset, **a)

    return old


def reduction(op, last):
    make = SUMS[op]

    def old(r):
        case = make(r)
        case.attributes["noop_with_empty_axes"] = 0
        return case

    return attributes_of(old, op, 1, last, {1: "axes"}, ["noop_with_empty_axes"])


def legacy_broadcast(op, numbers=True):
    """b stands at `axis` of a."""

    def make(r):
        shape = r.shape()
        at = r.int(0, len(shape) - 1)
        n = r.int(1, len(shape) - at)
        t = r.one_of(np.float32, np.float64, np.int32, np.int64) if numbers else np.bool_
        x, y = r.numbers(shape, t), r.numbers(shape[at : at + n], t)
        y = np.abs(y) + t(1) if numbers else y
        x = np.abs(x) if op == "Pow" else x
        if op == "Pow":
            t = r.one_of(np.float32, np.float64)
            x, y = x.astype(t), r.ints(y.shape, 0, 3).astype(t)
        newest = Case(op, [x, y.reshape(y.shape + (1,) * (len(shape) - at - n))])
        a = {"broadcast": 1}
        if at + n < len(shape) or r.chance(0.5):
            a["axis"] = at
        return As(newest, op, [x, y], opset=r.int(1, 6), **a)

    return make


def prelu(r):
    shape = r.shape(2)
    x, slope = r.floats(shape), r.floats(r.one_of(1, shape[1]))
    newest = Case("PRelu", [x, slope.reshape((-1,) + (1,) * (len(shape) - 2))])
    return As(newest, "PRelu", [x, slope], opset=r.int(1, 6))


def cast(r):
    name = r.one_of(*TYPE_NAMES)
    x = r.one_of(np.abs(r.floats(r.shape(), 30)), r.ints(r.shape(), 0, 100, np.int32))
    newest = Case("Cast", [x], to=getattr(onnx.TensorProto, name))
    return As(newest, "Cast", [x], opset=r.int(1, 5), to=name)


def concat(r):
    shape = list(r.shape(2))
    parts = []
    for _ in range(r.int(1, 3)):
        shape[1] = r.int(1, 4)
        parts.append(r.floats(shape))
    return As(Case("Concat", parts, axis=1), "Concat", parts, opset=r.int(1, 3))


def selu(r):
    x = r.floats(r.shape())
    newest = Case("Selu", [x], alpha=1.6732, gamma=1.0507)
    return As(newest, "Selu", [x], opset=r.int(1, 5))


def tile1(r):
    """Along one axis."""
    shape = r.shape()
    axis, n = r.int(0, len(shape) - 1), r.int(1, 3)
    repeats = i64([n if d == axis else 1 for d in range(len(shape))])
    x = r.floats(shape)
    tiles, at = np.float32(n), np.float32(axis)
    return As(Case("Tile", [x, repeats], [1]), "Tile", [x, tiles, at], [1, 2], opset=r.int(1, 5))


def pad_old(first, last, name):
    def constant(r):
        case = pad(r)
        while case.attributes["mode"] == "wrap" or case.inputs[0].dtype.kind != "f":
            case = pad(r)
        return case

    return attributes_of(constant, "Pad", first, last, {1: name, 2: "value"})


def slice_old(r):
    """Without steps."""
    case = slicing(r)
    case.inputs.pop()
    case.fixed.remove(4)
    names = {1: "starts", 2: "ends", 3: "axes"}
    return attributes_of(lambda r: case, "Slice", 1, 9, names)(r)


def top_k_old(r):
    case = top_k(r)
    case.attributes["largest"] = 1
    attributes = {
        "axis": case.attributes["axis"] % case.inputs[0].ndim,
        "k": int(case.inputs[1][0]),
    }
    return As(case, "TopK", case.inputs[:1], opset=r.int(1, 9), **attributes)


def arg_old(op):
    def make(r):
        case = arg_extreme(op)(r)
        case.attributes["select_last_index"] = 0
        a = {
            "axis": case.attributes["axis"] % case.inputs[0].ndim,
            "keepdims": case.attributes["keepdims"],
        }
        return As(case, op, case.inputs, opset=r.int(1, 11), **a)

    return make


def flat(op):
    """Softmax of all dimensions from `axis` on."""

    def make(r):
        shape = r.shape(1, 4)
        a = {"axis": r.int(0, len(shape) - 1)} if len(shape) < 2 or r.chance(0.7) else {}
        x = r.floats(shape, 4)
        at = a.get("axis", 1)
        rows = x.reshape(int(np.prod(shape[:at])), -1)
        newest = Case(op, [rows], axis=1)
        case = As(newest, op, [x], opset=r.int(1, 12), **a)
        case.run = lambda: [newest.run()[0].reshape(shape)]
        return case

    return make


def batch_norm_old(r):
    case = batch_norm(r)
    opset = r.one_of(1, 6, 7, 9)
    a = dict(case.attributes, momentum=0.5)
    if opset < 7:
        a["is_test"] = 1
    if opset < 9:
        a["spatial"] = 1
    if opset == 1:
        a["consumed_inputs"] = [0] * 5
    return As(case, "BatchNormalization", case.inputs, opset=opset, **a)


def group_norm_old(r):
    """A scale and a bias per group."""
    case = group_norm(r)
    x, groups = case.inputs[0], case.attributes["num_groups"]
    scale, bias = r.floats([groups]), r.floats([groups])
    case.inputs[1:] = [np.repeat(v, x.shape[1] // groups) for v in (scale, bias)]
    return As(case, "GroupNormalization", [x, scale, bias], opset=r.int(18, 20), **case.attributes)


def dropout(r):
    """Not in training: nothing is dropped."""
    x = r.floats(r.shape(0, empty=0.1))
    opset = r.one_of(1, 6, 7, 10, 12, 13, 22)
    a, inputs = {}, [x]
    if opset < 7:
        a = {"is_test": 1, "ratio": 0.25}
    elif opset < 12:
        a = {"ratio": 0.25}
    else:
        inputs += r.one_of([], [np.float32(0.25)], [np.float32(0.25), np.bool_(False)])
    case = Case("Dropout", inputs, range(1, len(inputs)), 1 if opset < 10 else 2, opset=opset, **a)
    case.run = lambda: [x, np.ones_like(x, np.bool_)][: case.n_out]
    return case


def dropout_training(r):
    """All or nothing is kept, so that no chance is left."""
    x = r.floats(r.shape())
    inputs = [x, np.float32(0), np.bool_(True)]
    case = Case("Dropout", inputs, [1, 2], 2, opset=r.one_of(12, 13, 22), seed=r.int(0, 9))
    case.run = lambda: [x, np.ones_like(x, np.bool_)]
    return case


def grid_sample_old(r):
    case = grid_sample(r)
    while case.inputs[0].ndim != 4:
        case = grid_sample(r)
    case.opset = r.int(16, 19)
    names = {"linear": "bilinear", "cubic": "bicubic"}
    case.attributes["mode"] = names.get(case.attributes["mode"], case.attributes["mode"])
    return case


def roi_align_old(r):
    case = roi_align(r)
    del case.attributes["coordinate_transformation_mode"]
    case.opset = r.int(10, 15)
    return case


def upsample(r):
    """Scales that are whole numbers, of which all have the same idea."""
    x = r.floats((r.int(1, 2), r.int(1, 3), r.int(1, 5), r.int(1, 5)))
    scales = np.array([1, 1, r.int(1, 3), r.int(1, 3)], np.float32)
    mode = r.one_of("nearest", "linear")
    opset = r.one_of(1, 7, 9)
    newest = Case("Upsample", [x, scales], [1], opset=9, mode=mode)
    if opset == 9:
        return newest
    if opset == 7:
        return As(newest, "Upsample", [x], opset=7, mode=mode, scales=scales.tolist())
    a = {"height_scale": float(scales[2]), "width_scale": float(scales[3])}
    mode = "bilinear" if mode == "linear" else mode
    return As(newest, "Upsample", [x], opset=1, mode=mode, **a)


def resize_old(r):
    """Version 10 has scales only."""
    x = r.floats((r.int(1, 2), r.int(1, 3), r.int(2, 6), r.int(2, 6)))
    scales = np.array([1, 1, r.one_of(0.5, 1, 2, 3), r.one_of(0.5, 1, 2, 3)], np.float32)
    return Case("Resize", [x, scales], [1], opset=10, mode=r.one_of("nearest", "linear"))


def resize_scales(r):
    """By scales, of all dimensions."""
    x = r.floats((r.int(1, 2), r.int(1, 3), r.int(2, 6), r.int(2, 6)))
    scales = np.array([1, 1, r.one_of(0.5, 1, 2, 4), r.one_of(0.5, 1, 2, 4)], np.float32)
    mode = r.one_of("nearest", "linear", "cubic")
    return Case("Resize", [x, None, scales], [2], opset=r.one_of(13, 18), exact=True, mode=mode)


def scatter(r):
    shape = r.shape()
    axis = r.int(0, len(shape) - 1)
    n = r.int(1, shape[axis])
    order = r.g.permuted(
        np.broadcast_to(
            np.arange(shape[axis]), shape[:axis] + shape[axis + 1 :] + shape[axis : axis + 1]
        ),
        axis=-1,
    )
    index = np.moveaxis(order[..., :n], -1, axis)
    return Case(
        "Scatter",
        [r.floats(shape), i64(index), r.floats(index.shape)],
        opset=r.one_of(9, 10),
        axis=axis,
    )


def reshape_old(r):
    case = reshape(r)
    return As(case, "Reshape", case.inputs[:1], opset=r.int(1, 4), shape=case.inputs[1].tolist())


def depth_to_space_old(op):
    def make(r):
        case = blocks(op)(r)
        if "mode" in case.attributes:
            case.attributes["mode"] = "DCR"
        return As(case, op, case.inputs, opset=r.int(1, 10), blocksize=case.attributes["blocksize"])

    return make


def gemm_old(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 9)
    inputs = [r.floats((m, k)), r.floats((k, n)), r.floats(r.one_of((n,), (m, n)))]
    return As(
        Case("Gemm", inputs, alpha=0.5), "Gemm", inputs, opset=r.int(1, 6), alpha=0.5, broadcast=1
    )


def has_sizes(case):
    return "num_outputs" not in case.attributes


def of_floats(case):
    return is_float(case.inputs[0].dtype)


OPERATORS = {
    **{f"Old{op}": legacy_broadcast(op) for op in "Add Sub Mul Div Pow Less Greater".split()},
    "OldEqual": legacy_broadcast("Equal", False),
    **{f"Old{op}": legacy_broadcast(op, False) for op in "And Or Xor".split()},
    **{
        f"Old{op}": reduction(op, 12 if op == "ReduceSum" else 17)
        for op in SUMS
        if op.startswith("Reduce")
    },
    "OldSqueeze": attributes_of(squeeze, "Squeeze", 1, 12, {1: "axes"}),
    "OldUnsqueeze": attributes_of(unsqueeze, "Unsqueeze", 1, 12, {1: "axes"}),
    "OldSplit": attributes_of(split, "Split", 2, 12, {1: "split"}, (), has_sizes),
    "OldClip": attributes_of(clip, "Clip", 1, 10, {1: "min", 2: "max"}, (), of_floats),
    "OldPad": pad_old(2, 10, "pads"),
    "OldPad1": pad_old(1, 1, "paddings"),
    "OldSlice": slice_old,
    "OldTopK": top_k_old,
    "OldArgMax": arg_old("ArgMax"),
    "OldArgMin": arg_old("ArgMin"),
    "OldSoftmax": flat("Softmax"),
    "OldLogSoftmax": flat("LogSoftmax"),
    "OldHardmax": flat("Hardmax"),
    "OldPRelu": prelu,
    "OldCast": cast,
    "OldConcat": concat,
    "OldSelu": selu,
    "OldTile": tile1,
    "OldReshape": reshape_old,
    "OldGemm": gemm_old,
    "OldBatchNormalization": batch_norm_old,
    "OldGroupNormalization": group_norm_old,
    "Dropout": dropout,
    "DropoutTraining": dropout_training,
    "OldGridSample": grid_sample_old,
    "OldRoiAlign": roi_align_old,
    "OldResize": resize_old,
    "ResizeScales": resize_scales,
    "Upsample": upsample,
    "Scatter": scatter,
    "OldDepthToSpace": depth_to_space_old("DepthToSpace"),
    "OldSpaceToDepth": depth_to_space_old("SpaceToDepth"),
}

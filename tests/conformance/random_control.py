"""Random models of branches and loops, and of sequences and optionals, whose lengths are known
when a model is read."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from random_case import ONNX_TYPE, TYPES, Graph, i64, node


def constant(name, value):
    return helper.make_node(
        "Constant", [], [name], value=numpy_helper.from_array(np.asarray(value), name)
    )


def tensor_info(name, t=np.float32, shape=None):
    return helper.make_tensor_value_info(name, ONNX_TYPE(np.dtype(t)), shape)


def body(nodes, inputs, outputs):
    """Inputs and outputs: pairs of a name and a type."""
    infos = [[tensor_info(*pair) for pair in pairs] for pairs in (inputs, outputs)]
    return helper.make_graph(nodes, "body", *infos)


ARITHMETIC = ("Add", "Sub", "Mul", "Max")


def branch(r):
    """Both branches use tensors from outside; one may be in the other."""
    shape = r.shape(0, 3, empty=0.1)
    inputs = [np.bool_(r.int(0, 1)), r.floats(shape), r.floats(r.broadcast(shape))]
    inputs[1:] = [np.asarray(v, np.float32) for v in inputs[1:]]
    arms = [body([node(r.one_of(*ARITHMETIC), "x1 x2", "t")], [], [("t",)]) for _ in range(2)]
    if r.chance(0.3):
        inner = node("If", "x0", "u", then_branch=arms[0], else_branch=arms[1])
        arms[r.int(0, 1)] = body([inner, node("Neg", "u", "v")], [], [("v",)])
    return Graph(
        [node("If", "x0", "y0", then_branch=arms[0], else_branch=arms[1])],
        inputs,
        r.one_of([], [], [0]),
    )


def rounds(r):
    """A number of rounds, a condition that ends them early, or both; with rows of each round."""
    shape = r.shape(0, 2)
    limit = np.float32(r.one_of(2, 20, 1e9))
    inner = [
        node(r.one_of("Add", "Mul"), "v x2", "w"),
        node("Cast", "i", "f", to=TensorProto.FLOAT),
        node("Add", "w f", "row"),
        node("ReduceMax", "w", "m", keepdims=0),
        node("Less", "m x3", "go"),
    ]
    state = [("i", np.int64, ()), ("c", np.bool_, ()), ("v", np.float32, shape)]
    rows = r.chance(0.7)
    graph = body(inner, state, [("go", np.bool_, ()), ("w",)] + [("row",)] * rows)
    n = r.int(0 if not rows else 1, 5)
    inputs = [
        i64(n),
        np.bool_(True),
        r.floats(shape, 1),
        limit,
        np.asarray(r.floats(shape), np.float32),
    ]
    loop = node("Loop", "x0 x1 x4", "y0 y1" if rows else "y0", body=graph)
    return Graph([loop], inputs, [0], n_out=2 if rows else 1)


def scan(r):
    """A state, one or two tensors taken apart along axes, forwards or backwards."""
    n, parts, shape = r.int(1, 5), r.int(1, 2), r.shape(0, 2, 4)
    axes = [r.int(0, len(shape)) for _ in range(parts)]
    xs = [np.asarray(r.floats(shape[:a] + (n,) + shape[a:]), np.float32) for a in axes]
    inner = [node("Add", "s a0", "t")]
    if parts == 2:
        inner = [node("Mul", "a0 a1", "p"), node("Sub", "s p", "t")]
    inner.append(node("Neg", "t", "row"))
    ins = [("s", np.float32, shape)] + [(f"a{i}", np.float32, shape) for i in range(parts)]
    graph = body(inner, ins, [("t", np.float32, shape), ("row", np.float32, shape)])
    out = r.int(0, len(shape))
    a = {
        "num_scan_inputs": parts,
        "scan_input_axes": [axis - r.one_of(0, len(shape) + 1) for axis in axes],
        "scan_input_directions": [r.int(0, 1) for _ in range(parts)],
        "scan_output_axes": [out],
        "scan_output_directions": [r.int(0, 1)],
    }
    names = " ".join(f"x{i}" for i in range(parts + 1))
    return Graph([node("Scan", names, "y0 y1", body=graph, **a)], [r.floats(shape), *xs], n_out=2)


def scan_batches(r):
    """Version 8: of each element of a batch."""
    batch, n, shape = r.int(1, 3), r.int(1, 4), r.shape(0, 2, 3)
    graph = body(
        [node("Add", "s a", "t"), node("Neg", "t", "row")],
        [("s", np.float32, shape), ("a", np.float32, shape)],
        [("t", np.float32, shape), ("row", np.float32, shape)],
    )
    loop = helper.make_node("Scan", ["", "x0", "x1"], ["y0", "y1"], body=graph, num_scan_inputs=1)
    return Graph(
        [loop], [r.floats((batch, *shape)), r.floats((batch, n, *shape))], n_out=2, opset=8
    )


# ---- sequences ----


def tensors(r, n, same=False):
    """Tensors of one type and rank."""
    t, rank = r.one_of(np.float32, np.int64, np.bool_), r.int(1, 3)
    first = r.shape(rank, rank, 4)
    shapes = [first if same else r.shape(rank, rank, 4) for _ in range(n)]
    return [r.numbers(s, t) for s in shapes]


def sequence(r):
    """Made, changed, asked for its length and for elements."""
    xs = tensors(r, r.int(2, 4))
    n = len(xs) - 1
    names = " ".join(f"x{i}" for i in range(n))
    nodes = [node("SequenceConstruct", names, "s")]
    if r.chance(0.3):
        nodes = [node("SequenceEmpty", "", "e", dtype=ONNX_TYPE(xs[0].dtype))]
        nodes += [
            node("SequenceInsert", f"{'e' if i == 0 else f'e{i}'} x{i}", f"e{i + 1}")
            for i in range(n)
        ]
        nodes.append(node("Identity", f"e{n}", "s"))
    places = f" x{n + 1}" if r.chance(0.7) else ""
    nodes.append(node("SequenceInsert", f"s x{n}" + places, "t"))
    nodes.append(node("SequenceErase", f"t x{n + 2}" if r.chance(0.7) else "t", "u"))
    nodes += [node("SequenceLength", "u", "y0"), node("SequenceAt", f"u x{n + 3}", "y1")]
    inputs = xs + [i64(r.int(-n, n)), i64(r.int(-n - 1, n)), i64(r.int(-n, n - 1))]
    fixed = range(n + 1, n + 4)
    used = {name for one in nodes for name in one.input}
    inputs = [x if i < n + 1 or f"x{i}" in used else None for i, x in enumerate(inputs)]
    return Graph(nodes, inputs, [i for i in fixed if inputs[i] is not None], n_out=2)


def parts(r):
    """Split, and joined again, stacked or not."""
    shape = r.shape(1, 3, 6)
    axis = r.int(0, len(shape) - 1)
    x = r.numbers(shape, r.one_of(np.float32, np.int64))
    kind = r.int(0, 2)
    a = {"axis": axis - r.one_of(0, len(shape))}
    inputs, fixed = [x], []
    if kind == 0:
        a["keepdims"] = keep = r.int(0, 1)
        nodes = [node("SplitToSequence", "x0", "s", **a)]
        new = {} if keep else {"new_axis": 1}
        nodes.append(node("ConcatFromSequence", "s", "y0", axis=axis, **new))
    else:
        sizes = r.int(1, shape[axis]) if kind == 1 else [1] * (shape[axis] - 1) + [1]
        inputs.append(i64(sizes))
        fixed = [1]
        nodes = [node("SplitToSequence", "x0 x1", "s", **a)]
        nodes.append(node("ConcatFromSequence", "s", "y0", axis=axis - r.one_of(0, len(shape))))
    nodes.append(node("SequenceLength", "s", "y1"))
    return Graph(nodes, inputs, fixed, n_out=2)


def mapped(r):
    """A body for each element, beside a tensor that all of them see."""
    n = r.int(1, 3)
    shape = r.shape(1, 3, 4)
    xs = [r.floats(shape) for _ in range(n)] + [r.floats(r.broadcast(shape))]
    graph = body(
        [node(r.one_of(*ARITHMETIC), "a b", "c")], [("a", np.float32), ("b", np.float32)], [("c",)]
    )
    nodes = [node("SequenceConstruct", " ".join(f"x{i}" for i in range(n)), "s")]
    nodes.append(node("SequenceMap", f"s x{n}", "t", body=graph))
    nodes.append(node("ConcatFromSequence", "t", "y0", axis=r.int(0, len(shape) - 1)))
    return Graph(nodes, xs)


def optional(r):
    x = r.numbers(r.shape(0, 3), r.one_of(np.float32, np.int64))
    nodes = [node("Optional", "x0", "o"), node("OptionalHasElement", "o", "y0")]
    nodes.append(node("OptionalGetElement", "o", "y1"))
    return Graph(nodes, [x], n_out=2)


def constants(r):
    """All the forms of a constant."""
    value = r.numbers(r.shape(0, 3, empty=0.2), r.one_of(*TYPES.values()), edges=True)
    a = r.one_of(
        {"value": numpy_helper.from_array(value)},
        {"value_float": 1.5},
        {"value_floats": [1.5, -2.0]},
        {"value_int": 7},
        {"value_ints": [1, -2, 3]},
    )
    case = Graph([node("Constant", "", "y0", **a)], [])
    case.exact = True
    return case


OPERATORS = {
    "If": branch,
    "Loop": rounds,
    "Scan": scan,
    "Scan8": scan_batches,
    "Sequence": sequence,
    "SequenceParts": parts,
    "SequenceMap": mapped,
    "Optional": optional,
    "Constant": constants,
}

"""Random models whose shapes show only when they run: rows that a mask selects, and what is computed
of how many there are."""

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from random_case import ONNX_TYPE, Case, i64

OPSET = 21


class Open(Case):
    """Several nodes, the outputs y0, y1, ... of which have shapes that the model does not state.
    x0 [rows, columns] are floats, m0 and m1 [rows] masks; `a` and `b` are the rows that they
    select."""

    def __init__(self, r, op, columns=None):
        self.rows, self.columns = r.int(1, 6), columns or r.int(1, 5)
        # With halves the order of sums does not matter.
        inputs = [r.ints((self.rows, self.columns), -9, 9).astype(np.float32) / np.float32(2)]
        inputs += [r.chance(0.9) & (r.g.random(self.rows) < r.one_of(0.3, 0.7, 1)) for _ in range(2)]
        super().__init__(op, inputs)
        self.names = ["x0", "m0", "m1"]
        self.nodes, self.constants = [], {}
        self.add("Compress", "x0 m0", "a", axis=0)
        if r.chance(0.5):
            self.add("Compress", "x0 m1", "b", axis=0)
        else:
            self.add("NonZero", "m1", "found")
            self.add("Transpose", "found", "places")
            self.add("GatherND", "x0 places", "b")

    def add(self, op, inputs, outputs, **attributes):
        names = ["" if name == "-" else name for name in inputs.split()]
        self.nodes.append(helper.make_node(op, names, outputs.split(), **attributes))
        return self

    def const(self, name, value):
        self.constants[name] = np.asarray(value)
        return name

    def input(self, name, value):
        self.names.append(name)
        self.inputs.append(np.asarray(value))
        return name

    def count(self, of="a", out="n"):
        """How many rows there are, as a list of one number."""
        self.add("Shape", of, out, start=0, end=1)
        return out

    def ends(self, *outputs):
        self.outputs = outputs
        return self

    def model(self, output_types=None):
        infos = [
            helper.make_tensor_value_info(name, ONNX_TYPE(x.dtype), x.shape)
            for name, x in zip(self.names, self.inputs)
        ]
        outs = [onnx.ValueInfoProto(name=name) for name in self.outputs]
        for info, typed in zip(outs, output_types or []):
            info.type.tensor_type.elem_type = typed.type.tensor_type.elem_type
        constants = [numpy_helper.from_array(v, name) for name, v in self.constants.items()]
        graph = helper.make_graph(self.nodes, "random", infos, outs, constants)
        used = {name for node in self.nodes for name in node.input}
        for info in [info for info in graph.input if info.name not in used]:
            graph.input.remove(info)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)

    def fed(self):
        used = {name for node in self.nodes for name in node.input}
        return [(i, x) for i, x in enumerate(self.inputs) if self.names[i] in used]

    def run(self):
        model = onnx.shape_inference.infer_shapes(self.model())
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {self.names[i]: x for i, x in self.fed()})


def reshape(r):
    c = Open(r, "Reshape")
    c.count()
    form = r.one_of("line", "rows", "copied", "split", "product", "more")
    if form == "line":
        shape = c.const("s", i64([-1]))
    elif form == "copied":
        shape = c.const("s", i64(r.one_of([0, -1], [0, 1, -1], [0, 0])))
    else:
        c.const("w", i64([c.columns]))
        c.const("one", i64([1]))
        c.const("rest", i64([-1]))
        c.add("Mul", "n w", "elems")
        parts = {"rows": "n rest", "split": "rest w", "product": "elems", "more": "one n one w"}
        c.add("Concat", parts[form], "s", axis=0)
        shape = "s"
        if form == "rows":  # -1 is not defined where there are no rows
            c.inputs[1][0] = True
    c.add("Reshape", f"a {shape}", "y0")
    return c.ends("y0")


def flatten(r):
    c = Open(r, "Flatten")
    c.const("axes", i64([r.int(0, 2)]))
    return c.add("Unsqueeze", "a axes", "u").add("Flatten", "u", "y0", axis=r.int(0, 3)).ends("y0")


def filled(r):
    c = Open(r, "ConstantOfShape")
    value = numpy_helper.from_array(np.array([7], np.int32))
    return c.add("Shape", "a", "s").add("ConstantOfShape", "s", "y0", value=value).ends("y0")


def counted(r):
    c = Open(r, "Range")
    c.count()
    c.const("none", i64([]))
    c.add("Reshape", "n none", "limit")
    dtype = r.one_of(np.int64, np.float32)
    if dtype == np.int64:
        c.const("start", i64(r.int(-3, 3)))
        c.const("step", i64(r.one_of(-2, -1, 1, 2, 3)))
        last = "limit"
    else:
        c.const("start", np.float32(r.int(-3, 3)))
        c.const("step", np.float32(r.one_of(0.5, -0.5, 1)))
        c.add("Cast", "limit", "last", to=onnx.TensorProto.FLOAT)
        last = "last"
    return c.add("Range", f"start {last} step", "y0").ends("y0")


def expand(r):
    c = Open(r, "Expand")
    c.add("Shape", "a", "s")
    c.input("row", r.floats(r.one_of((1, c.columns), (c.columns,), (1, 1), ())))
    return c.add("Expand", "row s", "y0").ends("y0")


def cut(r):
    c = Open(r, "Slice")
    c.const("axes", i64([r.one_of(0, -2)]))
    start, step = r.int(-7, 7), r.one_of(1, 2, -1, -2)
    end = r.one_of(r.int(-7, 7), 2**63 - 1 if step > 0 else -(2**63))
    c.const("start", i64([start]))
    c.const("end", i64([end]))
    c.const("step", i64([step]))
    form = r.int(0, 2)
    if form == 0:
        return c.add("Slice", "a start end axes step", "y0").ends("y0")
    c.count("b")
    c.add("Add", "n start", "moved")
    bounds = "start moved" if form == 1 else "moved end"
    return c.add("Slice", f"a {bounds} axes step", "y0").ends("y0")


def moving(r):
    """Bounds that are inputs of the model."""
    c = Open(r, "Slice")
    c.const("axes", i64([1, 0]))
    c.input("start", i64([r.int(-6, 6), r.int(-6, 6)]))
    c.input("end", i64([r.int(-6, 6), r.int(-6, 6)]))
    return c.add("Slice", f"{r.one_of('a', 'x0')} start end axes", "y0").ends("y0")


def joined(r):
    c = Open(r, "Concat")
    if r.chance(0.5):
        c.add("Concat", r.one_of("a b", "a x0 b", "b b a"), "y0", axis=0)
        c.count("y0")
        return c.ends("y0", "n")
    c.add("Concat", r.one_of("a a", "b b b"), "j", axis=1)
    return c.add("ReduceSum", "j", "y0", keepdims=1).ends("y0", "j")


def tile(r):
    c = Open(r, "Tile")
    c.count("b")
    c.const("twice", i64([r.int(0, 3)]))
    parts = r.one_of("twice twice", "n twice", "twice n")
    return c.add("Concat", parts, "t", axis=0).add("Tile", "a t", "y0").ends("y0")


def pad(r):
    c = Open(r, "Pad")
    mode = r.one_of("constant", "constant", "edge", "wrap")
    c.const("zero", i64([0]))
    c.const("some", i64([r.int(0, 2)]))
    c.count("b")
    if mode != "constant":
        c.inputs[1][0] = True
    form = r.one_of("some zero zero some", "n zero some some", "zero some n n")
    return c.add("Concat", form, "p", axis=0).add("Pad", "a p", "y0", mode=mode).ends("y0")


def split(r):
    c = Open(r, "Split")
    c.inputs[1][0] = True
    if r.chance(0.4):
        return c.add("Split", "a", "y0 y1", axis=1, num_outputs=2).ends("y0", "y1") \
            if c.columns > 1 else c.add("Split", "a", "y0", axis=0, num_outputs=1).ends("y0")
    c.count()
    c.const("few", i64([r.int(1, 3)]))
    c.add("Min", "n few", "first").add("Sub", "n first", "rest").add("Concat", "first rest", "s", axis=0)
    return c.add("Split", "a s", "y0 y1", axis=0).ends("y0", "y1")


def top_k(r):
    c = Open(r, "TopK")
    c.count()
    c.const("few", i64([r.int(1, 4)]))
    c.add("Concat", "n few", "both", axis=0).add("ReduceMin", "both", "k0", keepdims=0)
    c.const("line", i64([-1]))
    c.add("Reshape", "k0 line", "k").add("TopK", "a k", "y0 y1", axis=0)
    return c.add("Shape", "y0", "s").add("ConstantOfShape", "s", "y2").ends("y0", "y1", "y2")


def found(r):
    c = Open(r, "NonZero")
    c.add("NonZero", "a", "y0")
    return c.add("Transpose", "y0", "t").add("GatherND", "a t", "y1").ends("y0", "y1")


def taken(r):
    c = Open(r, "Gather")
    c.count()
    c.const("zero", i64(0))
    c.const("one", i64(1))
    c.const("none", i64([]))
    c.add("Reshape", "n none", "limit").add("Range", "zero limit one", "line")
    return c.add("Gather", "x0 line", "y0", axis=0).add("Sub", "y0 a", "y1").ends("y0", "y1")


def scattered(r):
    c = Open(r, "ScatterND")
    c.add("NonZero", "m0", "f").add("Transpose", "f", "t")
    return c.add("ScatterND", "x0 t a", "y0", reduction=r.one_of("none", "add", "max")).ends("y0")


def scattered_elements(r):
    c = Open(r, "ScatterElements")
    c.add("NonZero", "m0", "f").add("Transpose", "f", "t")
    c.add("Shape", "a", "s").add("Expand", "t s", "i")
    return c.add("ScatterElements", "x0 i a", "y0", axis=0).ends("y0")


def equal_rows(r):
    """Tensors of as many rows, which cannot be seen before."""
    c = Open(r, "Add")
    c.add("Not", "m0", "no").add("Not", "no", "m").add("Compress", "x0 m", "same", axis=0)
    op = r.one_of("Add", "Mul", "Min", "Where")
    if op == "Where":
        c.const("zero", np.float32(0))
        return c.add("Less", "a zero", "w").add("Where", "w a same", "y0").ends("y0")
    return c.add(op, "a same", "y0").ends("y0")


def one_row(r):
    """One of many rows, which are as many as there are, or one."""
    c = Open(r, "Add")
    c.inputs[2][:] = False
    c.inputs[2][r.int(0, c.rows - 1)] = True
    op = r.one_of("Sub", "Mul", "Max", "Greater")
    c.add(op, r.one_of("a b", "b a", "x0 b"), "y0")
    return c.ends("y0")


def product(r):
    c = Open(r, "MatMul")
    op = r.one_of("MatMul", "Gemm", "inner", "Conv", "MaxPool")
    w = r.ints((c.columns, r.int(1, 5)), -3, 3).astype(np.float32)
    if op == "MatMul":
        return c.add("MatMul", f"a {c.const('w', w)}", "y0").ends("y0")
    if op == "Gemm":
        c.const("w", w.T)
        c.const("bias", w[0])
        return c.add("Gemm", "a w bias", "y0", transB=1).ends("y0")
    if op == "inner":
        c.add("Transpose", "b", "t")
        return c.add("MatMul", r.one_of("a t", "t b"), "y0").ends("y0") if c.columns else None
    c.const("axes", i64([1]))
    if op == "MaxPool":
        c.add("Unsqueeze", "a axes", "u").add("MaxPool", "u", "y0", kernel_shape=[1])
        return c.ends("y0")
    c.const("w", w[:, :1].reshape(1, 1, -1)[:, :, : r.int(1, c.columns)])
    return c.add("Unsqueeze", "a axes", "u").add("Conv", "u w", "y0").ends("y0")


def reduced(r):
    c = Open(r, "ReduceMax")
    c.inputs[1][0] = True
    c.const("axes", i64([r.int(0, 1)]))
    op = r.one_of("ReduceMax", "ReduceSum", "ReduceMin")
    c.add(op, "a axes", "y0", keepdims=r.int(0, 1))
    c.add("Softmax", "a", "y1", axis=r.int(0, 1)).add("ArgMax", "a", "y2", axis=r.int(0, 1))
    return c.ends("y0", "y1", "y2")


def arithmetic(r):
    """Numbers of rows as numbers."""
    c = Open(r, "Shape")
    c.count("a", "n")
    c.count("b", "k")
    c.add("Size", "b", "elems")
    op = r.one_of("Add", "Sub", "Mul", "Min", "Max")
    c.add(op, "n k", "y0").add("Mul", "y0 elems", "y1").add("Equal", "n k", "y2")
    return c.ends("y0", "y1", "y2")


def one_hot(r):
    c = Open(r, "OneHot")
    c.inputs[1][0] = True
    c.count()
    c.input("i", r.ints(r.int(1, 5), -3, 5))
    c.const("values", np.array([0.5, 2], np.float32))
    return c.add("OneHot", "i n values", "y0", axis=r.one_of(-1, 0)).ends("y0")


def crop(r):
    c = Open(r, "CenterCropPad")
    c.add("Shape", "b", "s")
    return c.add("CenterCropPad", r.one_of("x0 s", "a s"), "y0").ends("y0")


def resized(r):
    c = Open(r, "Resize")
    c.inputs[1][0] = c.inputs[2][0] = True
    mode = r.one_of("nearest", "linear", "cubic")
    place = r.one_of("half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners")
    a = {"mode": mode, "coordinate_transformation_mode": place, "nearest_mode": "floor"}
    if mode == "nearest":  # places between two elements are a matter of rounding
        a["coordinate_transformation_mode"] = "asymmetric"
    c.const("axes", i64([0, 1]))
    c.count("b")
    if r.chance(0.5):
        c.const("w", i64([r.int(1, 7)]))
        c.add("Concat", "n w", "s", axis=0).add("Unsqueeze", f"{r.one_of('x0', 'a')} axes", "u")
        c.const("ones", i64([1, 1]))
        c.add("Concat", "ones s", "sizes", axis=0)
        return c.add("Resize", "u - - sizes", "y0", **a).ends("y0")
    c.const("scales", np.array([1, 1, 2, r.one_of(1, 3)], np.float32))
    return c.add("Unsqueeze", "a axes", "u").add("Resize", "u - scales", "y0", **a).ends("y0")


def suppression(r):
    c = Open(r, "NonMaxSuppression", 4)
    c.inputs[0] = r.g.permutation(np.arange(c.rows * 4)).reshape(-1, 4).astype(np.float32)
    c.const("axes", i64([0]))
    c.const("first", i64([0, 1]))
    c.const("most", i64(r.int(1, 3)))
    c.const("part", np.float32(0.25))
    c.const("column", i64([0]))
    c.add("Unsqueeze", "a axes", "boxes").add("Gather", "a column", "g", axis=1)
    c.add("Transpose", "g", "t").add("Unsqueeze", "t axes", "scores")
    return c.add("NonMaxSuppression", "boxes scores most part", "y0").ends("y0")


def in_branch(r):
    """Extents that a branch makes, and those from around it."""
    c = Open(r, "If")
    c.count()
    c.const("line", i64([]))
    c.const("two", i64(2))
    c.add("Reshape", "n line", "limit").add("Less", "limit two", "few")
    info = [onnx.ValueInfoProto(name="t")]
    then = helper.make_graph([helper.make_node("Concat", ["a", "b"], ["t"], axis=0)], "then", [], info)
    shape = helper.make_node("Shape", ["a"], ["s"])
    both = [shape, helper.make_node("ConstantOfShape", ["s"], ["t"])]
    other = helper.make_graph(both, "else", [], info)
    c.add("If", "few", "y0", then_branch=then, else_branch=other)
    return c.add("Shape", "y0", "y1").ends("y0", "y1")


OPERATORS = {
    "Open_Reshape": reshape,
    "Open_Flatten": flatten,
    "Open_ConstantOfShape": filled,
    "Open_Range": counted,
    "Open_Expand": expand,
    "Open_Slice": cut,
    "Open_Slice_inputs": moving,
    "Open_Concat": joined,
    "Open_Tile": tile,
    "Open_Pad": pad,
    "Open_Split": split,
    "Open_TopK": top_k,
    "Open_NonZero": found,
    "Open_Gather": taken,
    "Open_ScatterND": scattered,
    "Open_ScatterElements": scattered_elements,
    "Open_equal": equal_rows,
    "Open_one": one_row,
    "Open_products": product,
    "Open_reductions": reduced,
    "Open_arithmetic": arithmetic,
    "Open_OneHot": one_hot,
    "Open_CenterCropPad": crop,
    "Open_NonMaxSuppression": suppression,
    "Open_Resize": resized,
    "Open_If": in_branch,
}

"""Models of several operators for random_models.py: sequences and optionals of which only the run
tells what is in them."""

import onnx
from onnx import helper

from random_case import Case


class Model(Case):
    """Nodes in the text form of ONNX; inputs are x0, x1, ..., outputs y0, y1, ..."""

    def __init__(self, nodes, inputs, n_out=1):
        super().__init__("Model", inputs, n_out=n_out)
        self.nodes = nodes

    def model(self, output_types=None):
        kinds = {"float32": "float", "int64": "int64"}
        names = [f"{kinds[str(x.dtype)]}[{','.join(map(str, x.shape))}] x{i}" for i, x in self.fed()]
        outs = ", ".join(f"float[] y{i}" for i in range(self.n_out))
        head = '<ir_version: 9, opset_import: ["" : 19]>'
        model = onnx.parser.parse_model(f"{head} g ({', '.join(names)}) => ({outs}) {{ {self.nodes} }}")
        del model.graph.output[:]
        model.graph.output.extend(output_types or [helper.make_empty_tensor_value_info(f"y{i}") for i in range(self.n_out)])
        return model


def condition(r):
    """A bool that the run computes."""
    return f"sum = ReduceSum <keepdims = 0> (x0) limit = Constant <value_float = {r.one_of(-1.5, 0.0, 1.5)}> () cond = Less (sum, limit)"


def number(name, value):
    return f"{name} = Constant <value_int = {value}> ()"


def branches(one, other):
    return f"s = If (cond) <then_branch = a () => (seq(float[]) s1) {{ {one} }}, else_branch = b () => (seq(float[]) s2) {{ {other} }}>"


def if_sequence(r):
    """Two lists, one operator that changes them, one that looks at them."""
    lists = [f"t{{0}} = Neg (x0) s{{0}} = SequenceConstruct ({', '.join(r.one_of('x0', 't{0}') for _ in range(r.int(1, 4)))})".format(i) for i in (1, 2)]
    nodes = [condition(r), branches(*lists), number("last", r.one_of(0, -1)), "e = Abs (x0)"]
    nodes.append(
        r.one_of(
            "u = Identity (s)",
            "u = SequenceInsert (s, e)",
            "u = SequenceInsert (s, e, last)",
            "v = SequenceInsert (s, e) u = SequenceErase (v, last)",
            "v = SequenceInsert (s, e) u = SequenceErase (v)",
            "u = SequenceMap (s) <body = m (float[] a) => (float[] b) { b = Mul (a, a) }>",
        )
    )
    nodes.append(
        r.one_of(
            f"y0 = ConcatFromSequence <axis = {r.one_of(0, 1, -1)}> (u)",
            f"y0 = ConcatFromSequence <axis = {r.one_of(0, 1, -1)}, new_axis = 1> (u)",
            "y0 = SequenceAt (u, last)",
            "y0 = SequenceLength (u)",
        )
    )
    return Model(" ".join(nodes), [r.floats(r.shape(2, 3, 4))])


def if_uneven(r):
    """Tensors of several sizes."""
    n, k = r.int(1, 4), r.int(1, 4)
    lists = ("s1 = SequenceConstruct (x0, x1)", "s2 = SequenceConstruct (x1, x0, x1)")
    nodes = [condition(r), branches(*lists), number("at", r.one_of(0, 1, -1))]
    nodes.append(
        r.one_of(
            "y0 = ConcatFromSequence <axis = 0> (s)",
            "u = SequenceInsert (s, x1, at) y0 = ConcatFromSequence <axis = 0> (u)",
            "z = SequenceAt (s, at) y0 = Relu (z)",
            "u = SequenceMap (s) <body = m (float[] a) => (float[] b) { b = Sin (a) }> y0 = SequenceAt (u, at)",
        )
    )
    return Model(" ".join(nodes), [r.floats([n, 3]), r.floats([k, 3])])


def if_optional(r):
    kind = r.one_of("tensor", "seq")
    held, taken = {
        "tensor": ("o1 = Optional (x0)", "v = OptionalGetElement (o) y1 = Abs (v)"),
        "seq": ("p = SequenceConstruct (x0, x0) o1 = Optional (p)", "v = OptionalGetElement (o) y1 = ConcatFromSequence <axis = 0> (v)"),
    }[kind]
    kind = {"tensor": "float[]", "seq": "seq(float[])"}[kind]
    nodes = [
        condition(r),
        f"o = If (cond) <then_branch = a () => (optional({kind}) o1) {{ {held} }},"
        f" else_branch = b () => (optional({kind}) o2) {{ o2 = Optional <type: type_proto = {kind}> () }}>",
        "y1 = OptionalHasElement (o)",
        f"y0 = If (y1) <then_branch = c () => (float[] z1) {{ {taken.replace('y1', 'z1')} }}, else_branch = d () => (float[] z2) {{ z2 = Neg (x0) }}>",
    ]
    return Model(" ".join(nodes), [r.floats(r.shape(2, 3, 4))], 2)


def loop_sequence(r):
    """Rounds that the data ends, in which a list grows, or its first becomes its last."""
    insert = r.one_of("t = SequenceInsert (l, v)", "t = SequenceInsert (l, v, zero)", "q = SequenceErase (l, zero) t = SequenceInsert (q, v)")
    stop = r.one_of("m = ReduceSum <keepdims = 0> (v) on = Less (m, limit)", "on = Identity (c)")
    trip = r.one_of(number("trip", r.int(1, 6)), "f = Constant <value_int = 4> () w = Size (x0) trip = Min (f, w)")
    body = f"body (int64 k, bool c, float[] a, seq(float[]) l) => (bool on, float[] v, seq(float[]) t) {{ one = Constant <value_float = 0.5> () v = Add (a, one) {insert} {stop} }}"
    nodes = [condition(r), trip, number("zero", 0), "yes = Not (cond) go = Or (cond, yes)"]
    nodes += ["s = SequenceConstruct (x0)", f"y1, u = Loop (trip, go, x0, s) <body = {body}>"]
    nodes.append(r.one_of("y0 = ConcatFromSequence <axis = 1> (u)", "y0 = SequenceAt (u, zero)", "y0 = SequenceLength (u)"))
    return Model(" ".join(nodes), [r.floats(r.shape(2, 3, 4))], 2)


def loop_uneven(r):
    """Round k puts the first k + 1 rows into the list."""
    n = r.int(1, 5)
    index = f"index = Constant <value_ints = [{', '.join(str(i) for i in range(n))}]> ()"
    body = f"body (int64 k, bool c, seq(float[]) l) => (bool on, seq(float[]) t) {{ {index} first = LessOrEqual (index, k) v = Compress <axis = 0> (x0, first) t = SequenceInsert (l, v) on = Identity (c) }}"
    nodes = [condition(r), "f = Constant <value_int = 4> () g = Cast <to = 7> (cond) trip = Sub (f, g) most = Min (trip, f)", number("at", r.one_of(0, 1, -1))]
    nodes += ["s = SequenceEmpty <dtype = 1> ()", f"u = Loop (most, , s) <body = {body}>"]
    nodes.append(r.one_of("y0 = ConcatFromSequence <axis = 0> (u)", "y0 = SequenceAt (u, at)"))
    return Model(" ".join(nodes), [r.floats([n, 3])])


def if_strings(r):
    """Lists of strings, which get one width."""
    texts = [r.one_of("a", "bcd", "", "efghi") for _ in range(4)]
    constants = " ".join(f'c{i} = Constant <value_strings = ["{t}"]> ()' for i, t in enumerate(texts))
    lists = ("s1 = SequenceConstruct (c0, c1, c2)", "s2 = SequenceConstruct (c3)")
    nodes = [condition(r), constants, branches(*lists).replace("float", "string"), number("at", r.one_of(0, -1))]
    nodes.append(r.one_of("z = ConcatFromSequence <axis = 0> (s) w = Equal (z, c0) m = Cast <to = 7> (w) n = ReduceSum <keepdims = 0> (m)", "z = SequenceAt (s, at) n = Shape (z)", "n = SequenceLength (s)"))
    nodes.append("y0 = Cast <to = 1> (n)")
    return Model(" ".join(nodes), [r.floats([2, 3])])


OPERATORS = {
    "LoopUneven": loop_uneven,
    "IfStrings": if_strings,
    "IfSequence": if_sequence,
    "IfUneven": if_uneven,
    "IfOptional": if_optional,
    "LoopSequence": loop_sequence,
}

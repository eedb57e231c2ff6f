"""Random models of the training domain: optimizers, and gradients of small networks; and random
operators where probabilities of 0 and 1 leave them no choice."""

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from random_case import ONNX_TYPE, OPSET, Case, i64

DOMAIN = "ai.onnx.preview.training"


class Optimizer(Case):
    """The reference gives results in the widest type there is, ONNX in that of the tensors."""

    def run(self):
        return [np.asarray(y).astype(self.inputs[2].dtype) for y in super().run()]


def optimizer(op, n_states, **attributes):
    def make(r):
        dtype = r.one_of(np.float32, np.float64)
        shapes = [r.shape(0, 3, 5) for _ in range(r.int(1, 3))]
        kinds = [[r.floats(s, dtype=dtype) for s in shapes] for _ in range(2)]
        kinds += [[np.abs(r.floats(s, dtype=dtype)) for s in shapes] for _ in range(n_states)]
        # The reference computes the rate of a step in the type of the rate.
        rate = np.array(0.1, r.one_of(dtype, np.float64))
        inputs = [rate, i64(r.int(0, 3)), *(x for kind in kinds for x in kind)]
        n_out = len(shapes) * (1 + n_states)
        return Optimizer(f"{DOMAIN}.{op}", inputs, n_out=n_out, exact=True, **attributes)

    return make


class Gradient(Case):
    """y and its derivatives by all inputs; `nodes` compute y of x0, x1, ... and the constants.  The
    derivatives are central differences of what the onnx reference makes of it in f64."""

    def __init__(self, nodes, inputs, **constants):
        super().__init__("Gradient", inputs, n_out=1 + len(inputs))
        self.nodes = nodes
        self.constants = constants

    def graph(self, nodes, dtype, out_infos):
        infos = [
            helper.make_tensor_value_info(f"x{i}", ONNX_TYPE(np.dtype(dtype)), x.shape)
            for i, x in self.fed()
        ]
        initializers = [
            numpy_helper.from_array(c.astype(dtype) if c.dtype.kind == "f" else c, name)
            for name, c in self.constants.items()
        ]
        graph = helper.make_graph(nodes, "random", infos, out_infos, initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def model(self, output_types=None):
        names = [f"x{i}" for i, _ in self.fed()]
        outs = [f"y{1 + i}" for i, _ in self.fed()]
        node = helper.make_node("Gradient", names, outs, domain=DOMAIN, xs=names, y="y0")
        infos = output_types or [onnx.ValueInfoProto(name=o) for o in ["y0", *outs]]
        return self.graph([*self.nodes, node], np.float32, infos)

    def run(self):
        session = ReferenceEvaluator(
            self.graph(self.nodes, np.float64, [onnx.ValueInfoProto(name="y0")])
        )
        x = {f"x{i}": v.astype(np.float64) for i, v in self.fed()}
        results = [session.run(None, x)[0]]
        for name, value in x.items():
            slope = np.zeros(value.shape)
            for at in np.ndindex(*value.shape):
                y = []
                for step in (1e-5, -1e-5):
                    moved = value.copy()
                    moved[at] += step
                    y.append(np.sum(session.run(None, x | {name: moved})[0]))
                slope[at] = (y[0] - y[1]) / 2e-5
            results.append(slope)
        return [np.asarray(v).astype(np.float32) for v in results]


def node(op, inputs, out, **attributes):
    return helper.make_node(op, inputs.split(), [out], **attributes)


# Erf is missing: the reference computes it in f32.
SMOOTH = ["Sigmoid", "Tanh", "Exp", "Sin", "Cos", "Softplus", "Neg", "Identity"]
BENT = ["Relu", "LeakyRelu", "Elu", "Abs"]
POSITIVE = ["Log", "Sqrt", "Reciprocal"]


def elementwise(r):
    """f(x0 op1 x1) op2 x2 with broadcasts."""
    shape = r.shape(0, 3, 4)
    positive = r.chance(0.3)
    f = r.one_of(*POSITIVE) if positive else r.one_of(*SMOOTH, *BENT)
    x = [0.5 + np.abs(r.floats(r.broadcast(shape), 1)) for _ in range(3)]
    if not positive:
        x[0] = -x[0]
    first = r.one_of("Add", "Mul", "Div") if positive else r.one_of("Sub", "Mul", "Div")
    second = r.one_of("Add", "Sub", "Mul", "Div", "Pow", "Sum")
    nodes = [node(first, "x0 x1", "a"), node(f, "a", "b")]
    if second == "Pow":
        nodes += [node("Mul", "b b", "c"), node("Exp", "c", "d"), node("Pow", "d x2", "y0")]
        x = [v * np.float32(0.5) for v in x]
    else:
        nodes.append(node(second, "b x2", "y0"))
    return Gradient(nodes, x)


def layers(r):
    """A layer of a product of matrices, a softmax or a bend, and a loss."""
    n, inner, m = (r.int(1, 4) for _ in range(3))
    a, b, bias = r.floats((n, inner), 1), r.floats((inner, m), 1), r.floats(r.broadcast((n, m)), 1)
    if r.chance(0.5):
        batch = r.shape(0, 2, 3)
        inputs = [
            r.floats((*batch, *a.shape), 1),
            r.floats((*r.broadcast(batch), *b.shape), 1),
            bias,
        ]
        nodes = [node("MatMul", "x0 x1", "p"), node("Add", "p x2", "z")]
    else:
        flip = [r.int(0, 1), r.int(0, 1)]
        inputs = [a.T if flip[0] else a, b.T if flip[1] else b, bias]
        numbers = dict(transA=flip[0], transB=flip[1], alpha=0.5, beta=2.0)
        nodes = [node("Gemm", "x0 x1 x2", "z", **numbers)]
    f = r.one_of("Softmax", "LogSoftmax", "Tanh")
    nodes.append(node(f, "z", "s", **({} if f == "Tanh" else {"axis": -r.int(1, 2)})))
    nodes.append(node("Mul", "s z", "w"))
    op = r.one_of("ReduceMean", "ReduceSum", "ReduceSumSquare")
    nodes.append(node(op, "w axes", "y0", keepdims=r.int(0, 1)))
    return Gradient(nodes, inputs, axes=i64([-r.int(1, 2)]))


def moves(r):
    """Elements that are moved, joined and chosen."""
    rows, columns = r.int(1, 4), r.int(1, 4)
    inputs = [r.floats((rows, columns), 1), r.floats((1, columns), 1)]
    nodes = [
        node("Transpose", "x0", "t"),
        node("Reshape", "t shape", "u"),
        node("Expand", "x1 shape", "e"),
        node("Concat", "u e", "c", axis=r.int(-2, 1)),
        node("Unsqueeze", "c axis", "d"),
        node("Squeeze", "d axis", "f"),
        node("Flatten", "f", "g"),
        node("Exp", "g", "h"),
        node("Greater", "g zero", "o"),
        node("Where", "o g h", "i"),
        node("Mul", "i i", "y0"),
    ]
    shape, axis, zero = i64([rows, columns]), i64([r.int(0, 2)]), np.zeros((), np.float32)
    return Gradient(nodes, inputs, shape=shape, axis=axis, zero=zero)


def bernoulli(r):
    dtype = r.one_of(np.float32, np.float64, np.float16)
    to = ONNX_TYPE(np.dtype(r.one_of(np.float32, np.float64, np.int32, np.uint8, np.bool_)))
    return Case("Bernoulli", [r.ints(r.shape(), 0, 1, dtype)], exact=True, dtype=to)


def drawn(op):
    """Without a spread: all numbers are the mean, which is both ends of the range."""

    def make(r):
        t = r.one_of(np.float32, np.float64, np.float16)
        shape = r.shape(1, empty=0.1)
        mean = float(r.one_of(0, -2, 0.5))
        a = {"mean": mean, "scale": 0.0} if "Normal" in op else {"low": mean, "high": mean}
        like = op.endswith("Like")
        inputs = [r.floats(shape, dtype=t)] if like else []
        a |= {"dtype": ONNX_TYPE(np.dtype(t))} if not like or r.chance(0.5) else {}
        case = Case(op, inputs, seed=float(r.int(0, 9)), **a, **({} if like else {"shape": shape}))
        case.run = lambda: [np.full(shape, mean, t)]
        return case

    return make


def multinomial(r):
    """Of each row one class is possible."""
    batch, classes = r.int(1, 4), r.int(1, 9)
    x = np.full((batch, classes), -1e5, np.float32)
    x[np.arange(batch), r.ints(batch, 0, classes - 1)] = r.floats(batch, 1)
    to = ONNX_TYPE(np.dtype(r.one_of(np.int32, np.int64)))
    case = Case("Multinomial", [x], sample_size=r.int(1, 9), dtype=to)
    case.opset = 21  # the newest that ONNX Runtime knows it in
    return case


OPERATORS = {
    "Bernoulli": bernoulli,
    **{
        op: drawn(op)
        for op in ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
    },
    "Multinomial": multinomial,
    "Adagrad": optimizer("Adagrad", 1, decay_factor=0.25, epsilon=0.01, norm_coefficient=0.5),
    "Adam": optimizer(
        "Adam",
        2,
        alpha=0.75,
        beta=0.5,
        epsilon=0.01,
        norm_coefficient=0.5,
        norm_coefficient_post=0.25,
    ),
    "Momentum": optimizer(
        "Momentum", 1, alpha=0.75, beta=0.5, norm_coefficient=0.25, mode="standard"
    ),
    "Nesterov": optimizer(
        "Momentum", 1, alpha=0.75, beta=0.5, norm_coefficient=0.25, mode="nesterov"
    ),
    "GradientElementwise": elementwise,
    "GradientLayers": layers,
    "GradientMoves": moves,
}

"""A random model with what ONNX Runtime or the onnx reference makes of it, and the random pieces
that such models are made of; for random_models.py."""

import copy
import os

import numpy as np
import onnx
import onnxruntime
from onnx import defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 23
ONNX_TYPE = helper.np_dtype_to_tensor_dtype
numpy_type = helper.tensor_dtype_to_np_dtype
BFLOAT16 = numpy_type(onnx.TensorProto.BFLOAT16)


def i64(values):
    return np.array(values, dtype=np.int64)


def node(op, inputs, outputs, **attributes):
    """A node with the names of its inputs and outputs in one string each."""
    domain, _, op = op.rpartition(".")
    return helper.make_node(op, inputs.split(), outputs.split(), domain=domain, **attributes)


def runtime_of(model, feeds):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def reference_of(model, feeds):
    """What numpy made of a wider type (sums of integers, say) is of the type that ONNX says."""
    results = ReferenceEvaluator(model).run(None, feeds)
    try:
        types = [
            o.type.tensor_type.elem_type
            for o in onnx.shape_inference.infer_shapes(model).graph.output
        ]
    except onnx.shape_inference.InferenceError:
        return results
    return [
        np.asarray(y).astype(numpy_type(t)) if t in NUMBERS else y for y, t in zip(results, types)
    ]


class Case:
    """A node with its inputs; those in `fixed` become initializers.  With `exact` the onnx
    reference gives the results: ONNX Runtime computes quantized operators in a rounding of its
    own."""

    def __init__(
        self, op, inputs, fixed=(), n_out=1, exact=False, opset=OPSET, version=1, **attributes
    ):
        self.op = op
        # None: left out
        self.inputs = [None if x is None else np.asarray(x) for x in inputs]
        self.fixed = set(fixed)
        self.n_out = n_out
        self.exact = exact
        self.opset = opset
        self.version = version  # of the operator's own domain
        self.attributes = attributes

    def nodes(self):
        names = ["" if x is None else f"x{i}" for i, x in enumerate(self.inputs)]
        outs = [f"y{i}" for i in range(self.n_out)]
        domain, _, op = self.op.rpartition(".")
        return [helper.make_node(op, names, outs, "node", domain=domain, **self.attributes)]

    def model(self, output_types=None):
        infos = [
            helper.make_tensor_value_info(f"x{i}", ONNX_TYPE(x.dtype), x.shape)
            for i, x in self.fed()
        ]
        initializers = [
            numpy_helper.from_array(self.inputs[i], f"x{i}") for i in sorted(self.fixed)
        ]
        outs = [onnx.ValueInfoProto(name=f"y{i}") for i in range(self.n_out)]
        nodes = self.nodes()
        graph = helper.make_graph(nodes, "random", infos, output_types or outs, initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [
            helper.make_opsetid(d, self.version) for d in sorted({n.domain for n in nodes} - {""})
        ]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def fed(self):
        return [(i, x) for i, x in enumerate(self.inputs) if x is not None and i not in self.fixed]

    def feeds(self):
        return {f"x{i}": x for i, x in self.fed()}

    def run(self):
        if self.exact:
            return reference_of(self.model(), self.feeds())
        # Shape inference tells the types of the outputs; of its own ONNX Runtime knows them.
        model = self.model()
        if "." not in self.op:
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        if any(x.dtype == BFLOAT16 for _, x in self.fed()):
            return self.run_wide(model)
        try:
            return runtime_of(model, self.feeds())
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
            half = any(x.dtype == np.float16 for _, x in self.fed())
            return self.run_wide(model) if half else reference_of(self.model(), self.feeds())

    def run_wide(self, model):
        """In f32, which holds all numbers of f16 and bf16; the results are rounded."""
        wide = copy.copy(self)
        wide.inputs = [
            x.astype(np.float32) if x is not None and x.dtype in (np.float16, BFLOAT16) else x
            for x in self.inputs
        ]
        types = [numpy_type(o.type.tensor_type.elem_type) for o in model.graph.output]
        return [y.astype(t) for y, t in zip(wide.run(), types)]

    def write(self, folder):
        """Returns the model."""
        results = self.run()
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        types = [
            helper.make_tensor_value_info(f"y{i}", ONNX_TYPE(y.dtype), y.shape)
            for i, y in enumerate(results)
        ]
        model = self.model(types)
        onnx.save(model, os.path.join(folder, "model.onnx"))
        for kind, arrays in (("input", [x for _, x in self.fed()]), ("output", results)):
            for i, array in enumerate(arrays):
                tensor = numpy_helper.from_array(np.asarray(array), f"{kind}_{i}")
                with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as f:
                    f.write(tensor.SerializeToString())
        return model


class Graph(Case):
    """Several nodes, which make y0, y1, ... of x0, x1, ..."""

    def __init__(self, nodes, inputs, fixed=(), n_out=1, **other):
        super().__init__("", inputs, fixed, n_out, **other)
        self.given = nodes

    def nodes(self):
        return self.given


class As(Case):
    """A node that gives what another case gives, which may be of a wider type."""

    def __init__(self, case, op, inputs, fixed=(), **other):
        super().__init__(op, inputs, fixed, case.n_out, **other)
        self.case = case

    def run(self):
        t = self.inputs[0].dtype
        wide = is_float(t) and self.case.inputs[0].dtype != t
        return [y.astype(t) if wide and is_float(y.dtype) else y for y in self.case.run()]


# ---- types ----

# What numpy and the table of types both have.
TYPES = {
    f"tensor({name})": np.dtype(t)
    for name, t in {
        "float": np.float32,
        "double": np.float64,
        "float16": np.float16,
        "bfloat16": BFLOAT16,
        "bool": np.bool_,
        **{f"{u}int{n}": f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
    }.items()
}


def types_of(op, at=0, opset=OPSET):
    """The types that an operator takes as its input."""
    schema = defs.get_schema(op, opset)
    return [TYPES[name] for name in sorted(schema.inputs[at].types) if name in TYPES]


NUMBERS = {ONNX_TYPE(t) for t in TYPES.values()}


def is_float(t):
    return np.dtype(t).kind == "f" or np.dtype(t) == BFLOAT16


# ---- random pieces ----


class Random:
    def __init__(self, seed):
        self.g = np.random.default_rng(seed)

    def int(self, low, high):
        return int(self.g.integers(low, high + 1))

    def one_of(self, *choices):
        return choices[self.int(0, len(choices) - 1)]

    def chance(self, p):
        return self.g.random() < p

    def shape(self, low=1, high=4, dim=6, empty=0.0):
        """With a chance of `empty` a dimension has no extent."""
        shape = [self.int(1, dim) for _ in range(self.int(low, high))]
        if shape and empty and self.chance(empty):
            shape[self.int(0, len(shape) - 1)] = 0
        return tuple(shape)

    def floats(self, shape, scale=2.0, dtype=np.float32):
        return (self.g.standard_normal(shape) * scale).astype(dtype)

    def ints(self, shape, low, high, dtype=np.int64):
        return self.g.integers(low, high + 1, shape).astype(dtype)

    def numbers(self, shape, t, scale=2.0, edges=False):
        """Of any type.  `edges`: with what stands at the borders of the type."""
        t = np.dtype(t)
        if t == np.bool_:
            return self.ints(shape, 0, 1, t)
        if is_float(t):
            x = np.asarray(self.floats(shape, scale, t))
            limits = onnx_limits(t)
            borders = [np.nan, np.inf, -np.inf, -0.0, 0.0, 0.5, -2.5, *limits]
        else:
            limits = np.iinfo(t)
            x = np.asarray(self.ints(shape, max(limits.min, -50), min(limits.max, 50), t))
            borders = [limits.min, limits.max, 0]
        if edges and x.size:
            chosen = np.array(borders, t)[self.ints(shape, 0, len(borders) - 1)]
            x = np.where(self.g.random(shape) < 0.3, chosen, x)
        return np.asarray(x, t)

    def broadcast(self, shape):
        """A shape that broadcasts to `shape`."""
        part = [1 if self.chance(0.3) else d for d in shape]
        return tuple(part[self.int(0, len(part)) :])

    def axes(self, rank, n=None):
        n = self.int(1, rank) if n is None else n
        axes = self.g.permutation(rank)[:n]
        return [int(a) - (rank if self.chance(0.3) else 0) for a in axes]


def onnx_limits(t):
    """The largest number of a float type, the smallest normal one and one below that."""
    if t == BFLOAT16:
        import ml_dtypes

        info = ml_dtypes.finfo(t)
    else:
        info = np.finfo(t)
    return [float(v) for v in (info.max, info.min, info.tiny, info.smallest_subnormal * 3)]

"""Random models of operators that work element by element: of all types that they take, with NaN,
infinities, denormals and the borders of integers, and with broadcasts."""

import numpy as np

from random_case import BFLOAT16, ONNX_TYPE, OPSET, TYPES, Case, is_float, types_of

HALVES = (np.float16, BFLOAT16)


def unary(op, scale=2.0, edges=True, opset=OPSET, low=0, types=None, exact=(), **choices):
    """`exact`: types in which the reference is right; `choices`: values of attributes to choose
    from."""

    def make(r):
        t = np.dtype(r.one_of(*types or types_of(op, 0, opset)))
        shape = r.shape(low, empty=0.1)
        x = r.numbers(shape, t, r.one_of(scale, scale / 4), edges and r.chance(0.5))
        a = {name: r.one_of(*values) for name, values in choices.items()}
        return Case(op, [x], opset=opset, exact=t in exact, **a)

    return make


def pair(r, empty=0.1):
    """Two shapes that broadcast to one."""
    shape = r.shape(0, 4, empty=empty)
    return r.one_of((shape, r.broadcast(shape)), (r.broadcast(shape), shape), (shape, shape))


def binary(op, edges=True):
    def make(r):
        a, b = pair(r)
        t = r.one_of(*types_of(op))
        e = edges and r.chance(0.5)
        return Case(op, [r.numbers(a, t, edges=e), r.numbers(b, t, edges=e)])

    return make


def divisor(r, shape, t, edges=False):
    """Integers are not divided by 0, nor the least of them by -1."""
    y = r.numbers(shape, t, edges=edges)
    return y if is_float(t) else np.where(np.abs(y.astype(np.float64)) < 2, t.type(3), y)


def div(r):
    a, b = pair(r)
    t = r.one_of(*types_of("Div"))
    e = r.chance(0.5)
    return Case("Div", [r.numbers(a, t, edges=e), divisor(r, b, t, e)])


def several(op):
    def make(r):
        shape = r.shape(0, empty=0.1)
        t = r.one_of(*types_of(op))
        e = r.chance(0.5)
        shapes = [shape] + [r.broadcast(shape) for _ in range(r.int(0, 3))]
        return Case(op, [r.numbers(s, t, edges=e) for s in shapes])

    return make


def power(r):
    """The exponent has a type of its own."""
    a, b = pair(r)
    t, e = r.one_of(*types_of("Pow", 0)), r.one_of(*types_of("Pow", 1))
    if not is_float(t):
        exponent = r.ints(b, 0, 3).astype(e)
        return Case("Pow", [r.numbers(a, t, edges=False), exponent])
    if not is_float(e):
        return Case("Pow", [r.numbers(a, t, edges=r.chance(0.5)), r.ints(b, 0, 3).astype(e)])
    exponent = r.one_of(r.floats(b, 1.5, e), np.asarray(r.one_of(0.5, 1, 2, 3, -1, 0)).astype(e))
    return Case("Pow", [np.abs(r.floats(a)).astype(t), exponent])


def mod(r):
    a, b = pair(r)
    t = r.one_of(*types_of("Mod"))
    if is_float(t):
        by = np.abs(r.floats(b, r.one_of(0.1, 1))) + np.float32(0.01)
        by = np.where(r.g.random(b) < 0.3, -by, by).astype(t)
        return Case("Mod", [r.floats(a, 100, t), by], exact=True, fmod=1)
    return Case(
        "Mod", [r.numbers(a, t, edges=True), divisor(r, b, t, True)], exact=True, fmod=r.int(0, 1)
    )


def shift(r):
    a, b = pair(r)
    t = r.one_of(np.uint8, np.uint16, np.uint32, np.uint64)
    by = r.ints(b, 0, np.iinfo(t).bits - 1, t)
    return Case("BitShift", [r.numbers(a, t, edges=True), by], direction=r.one_of("LEFT", "RIGHT"))


def clip(r):
    t = r.one_of(*types_of("Clip"))
    low, high = (np.array(v, t) for v in r.one_of((0, 6), (1, 2), (3, 40)))
    low, high = r.one_of((low, high), (low, None), (None, high), (None, None))
    # What a bound that is left out makes of infinity differs: the onnx reference and the operator's
    # definition as a function keep it, ONNX Runtime and the operator's text have the largest
    # number.
    edges = low is not None and high is not None
    x = r.numbers(r.shape(0, empty=0.1), t, 5, edges and r.chance(0.5))
    return Case("Clip", [x, low, high])


def where(r):
    shape = r.shape(0, 4, empty=0.1)
    t = r.one_of(*types_of("Where", 1))
    inputs = [r.ints(r.broadcast(shape), 0, 1, np.bool_)]
    inputs += [
        r.numbers(s, t, edges=True)
        for s in r.one_of((shape, r.broadcast(shape)), (r.broadcast(shape), shape))
    ]
    return Case("Where", inputs)


def prelu(r):
    shape = r.shape(2, empty=0.1)
    t = r.one_of(*types_of("PRelu"))
    return Case("PRelu", [r.numbers(shape, t), r.numbers(r.broadcast(shape), t)])


def castable(r, shape, of, to):
    """Numbers that the other type can hold; what becomes of others is not defined."""
    x = r.numbers(shape, of, 30, edges=is_float(of) and is_float(to))
    if np.dtype(to).kind == "u" and np.dtype(of) != np.bool_:
        x = np.abs(x)
    return x


def cast(op):
    def make(r):
        of, to = r.one_of(*TYPES.values()), r.one_of(*TYPES.values())
        x = castable(r, r.shape(0, empty=0.1), of, to)
        if op == "CastLike":
            return Case(op, [x, r.numbers(r.shape(0, 2), to)], exact=True)
        return Case(op, [x], exact=True, to=ONNX_TYPE(to))

    return make


def bit_cast(r):
    sizes = {1: (np.int8, np.uint8), 2: (np.int16, np.uint16, np.float16)}
    sizes |= {4: (np.int32, np.uint32, np.float32), 8: (np.int64, np.uint64, np.float64)}
    of, to = (r.one_of(*sizes[s]) for s in [r.one_of(1, 2, 4, 8)] * 2)
    return Case(
        "BitCast",
        [r.numbers(r.shape(0, empty=0.1), of)],
        exact=True,
        opset=26,
        to=ONNX_TYPE(np.dtype(to)),
    )


ALPHAS = {"alpha": (0.2, 1.5)}
OPERATORS = {
    "Relu": unary("Relu"),
    "LeakyRelu": unary("LeakyRelu", **ALPHAS),
    "Sigmoid": unary("Sigmoid"),
    "HardSigmoid": unary("HardSigmoid", alpha=(0.2, 0.3), beta=(0.5, 0.25)),
    "Tanh": unary("Tanh"),
    "Exp": unary("Exp"),
    "Log": unary("Log"),
    "Sqrt": unary("Sqrt"),
    "Erf": unary("Erf"),
    "Elu": unary("Elu", alpha=(0.7, 1.0)),
    "Celu": unary("Celu", alpha=(1.5, 1.0)),
    "Selu": unary("Selu", alpha=(1.5, 1.25), gamma=(1.0, 0.5)),
    "Softplus": unary("Softplus"),
    # The reference takes no scalars.
    "Softsign": unary("Softsign", low=1),
    "Mish": unary("Mish"),
    # What overflows an integer is not defined.  ONNX Runtime computes f64 in f32.
    "Shrink": unary("Shrink", edges=False, exact=(np.float64,), bias=(0.5, 1.0), lambd=(0.75, 1.5)),
    "ThresholdedRelu": unary("ThresholdedRelu", alpha=(0.25, 1.0)),
    "Swish": unary("Swish", opset=24, **ALPHAS),
    # In f64 both references take the nearest numbers of f32 for constants.
    "HardSwish": unary("HardSwish", types=(np.float32, *HALVES)),
    "Gelu": unary("Gelu", types=(np.float32, *HALVES), approximate=("none", "tanh")),
    "Sin": unary("Sin", 50.0),
    "Cos": unary("Cos", 50.0),
    "Tan": unary("Tan"),
    "Asin": unary("Asin"),
    "Acos": unary("Acos"),
    "Atan": unary("Atan"),
    "Sinh": unary("Sinh"),
    "Cosh": unary("Cosh"),
    "Asinh": unary("Asinh"),
    "Acosh": unary("Acosh"),
    "Atanh": unary("Atanh"),
    "Round": unary("Round"),
    # ONNX Runtime makes 0 of NaN in f16.
    "Sign": unary("Sign", exact=HALVES),
    "IsNaN": unary("IsNaN"),
    "IsInf": unary("IsInf", detect_negative=(0, 1), detect_positive=(0, 1)),
    "Neg": unary("Neg"),
    "Abs": unary("Abs"),
    "Floor": unary("Floor"),
    "Ceil": unary("Ceil"),
    "Reciprocal": unary("Reciprocal"),
    "Identity": unary("Identity"),
    "Not": unary("Not"),
    "BitwiseNot": unary("BitwiseNot"),
    **{
        op: binary(op) for op in "Add Sub Mul Less Greater LessOrEqual GreaterOrEqual Equal".split()
    },
    **{op: binary(op) for op in "And Or Xor BitwiseAnd BitwiseOr BitwiseXor".split()},
    "Div": div,
    "BitShift": shift,
    "Mod": mod,
    **{op: several(op) for op in "Mean Sum Max Min".split()},
    "Pow": power,
    "Clip": clip,
    "Where": where,
    "PRelu": prelu,
    "Cast": cast("Cast"),
    "CastLike": cast("CastLike"),
    "BitCast": bit_cast,
}

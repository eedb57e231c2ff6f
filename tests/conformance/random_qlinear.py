"""Random models of ONNX Runtime's operators on quantized tensors.  Quotients of scales are no
simple fractions, so that no result is a half: ONNX Runtime rounds halves after it has added the
zero point, and integer kernels may be a step off there."""

import numpy as np
from random_case import Case
from random_quantized import like
from random_windows import window

MICROSOFT = "com.microsoft."


def quantized(r, t, shape):
    limits = np.iinfo(t)
    return r.ints(shape, limits.min, limits.max, t)


def parameters(r, t, low=-6, high=-2):
    """Scale and zero point."""
    return [np.float32(2.0 ** r.int(low, high) * r.g.uniform(1, 2)), like(r, np.zeros((), t))]


def case(op, inputs, data, **attributes):
    """`data`: the inputs that are no parameters."""
    fixed = {i for i, x in enumerate(inputs) if i not in data and x is not None}
    return Case(MICROSOFT + op, inputs, fixed, **attributes)


def binary(op):
    def make(r):
        t, shape = r.one_of(np.int8, np.uint8), r.shape()
        a, b = r.one_of((shape, r.broadcast(shape)), (r.broadcast(shape), shape))
        inputs = [quantized(r, t, a), *parameters(r, t), quantized(r, t, b), *parameters(r, t)]
        return case(op, inputs + parameters(r, t, -5, 0), (0, 3))

    return make


def unary(op, typical, ranks=(1, 4), **attributes):
    """`typical`: the exponent of the result's scale."""

    def make(r):
        t, shape = r.one_of(np.int8, np.uint8), r.shape(*ranks)
        inputs = [
            quantized(r, t, shape),
            *parameters(r, t),
            *parameters(r, t, typical, typical + 1),
        ]
        return case(op, inputs, (0,), **attributes)

    return make


def softmax(r):
    t, shape = r.one_of(np.int8, np.uint8), r.shape(2, 4)
    zero = np.array(np.iinfo(t).min, t)  # ONNX Runtime's table wants this one
    inputs = [quantized(r, t, shape), *parameters(r, t), np.float32(1 / 128), zero]
    # Before opset 13 the dimensions from the axis on are one.
    c = case("QLinearSoftmax", inputs, (0,), axis=r.int(0, len(shape) - 1))
    c.attributes["opset"] = r.one_of(12, 13)
    return c


def concat(r):
    t, shape = r.one_of(np.int8, np.uint8), list(r.shape())
    axis = r.int(0, len(shape) - 1)
    inputs, data = parameters(r, t), []
    for _ in range(r.int(1, 3)):
        shape[axis] = r.int(1, 4)
        data.append(len(inputs))
        inputs += [quantized(r, t, shape), *parameters(r, t)]
    return case("QLinearConcat", inputs, data, axis=axis)


def average_pool(r):
    kernel, extent, a = window(r, 2, 3, pool=True)
    a = {k: v for k, v in a.items() if k != "dilations"}
    a["count_include_pad"] = r.int(0, 1)
    t, channels_last = r.one_of(np.int8, np.uint8), r.int(0, 1)
    n, c = r.int(1, 2), r.int(1, 3)
    x = quantized(r, t, (n, *extent, c) if channels_last else (n, c, *extent))
    inputs = [x, *parameters(r, t), *parameters(r, t)]
    return case(
        "QLinearAveragePool", inputs, (0,), kernel_shape=kernel, channels_last=channels_last, **a
    )


def global_average_pool(r):
    t, n, c = r.one_of(np.int8, np.uint8), r.int(1, 2), r.int(1, 5)
    extent, channels_last = r.shape(2, 2), r.int(0, 1)
    x = quantized(r, t, (n, *extent, c) if channels_last else (n, c, *extent))
    inputs = [x, *parameters(r, t), *parameters(r, t)]
    return case("QLinearGlobalAveragePool", inputs, (0,), channels_last=channels_last)


def reduce_mean(r):
    t, shape = r.one_of(np.int8, np.uint8), r.shape()
    inputs = [quantized(r, t, shape), *parameters(r, t), *parameters(r, t)]
    axes = sorted(axis % len(shape) for axis in r.axes(len(shape)))
    c = case("QLinearReduceMean", inputs, (0,), axes=axes, keepdims=r.int(0, 1))

    def run():
        """ONNX Runtime has it in its list of operators only."""
        x = (inputs[0].astype(np.float32) - inputs[2]) * inputs[1]
        y = x.mean(axis=tuple(axes), keepdims=bool(c.attributes["keepdims"]))
        limits = np.iinfo(t)
        return [np.clip(np.rint(y / inputs[3]) + inputs[4], limits.min, limits.max).astype(t)]

    c.run = run
    return c


def where(r):
    t, shape = r.one_of(np.int8, np.uint8), r.shape()
    inputs = [r.ints(r.broadcast(shape), 0, 1, np.bool_)]
    for of in (shape, r.broadcast(shape)):
        inputs += [quantized(r, t, of), *parameters(r, t)]
    return case("QLinearWhere", inputs + parameters(r, t), (0, 1, 4))


def gemm(r):
    """The result may be float: without a scale of it."""
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 9)
    ta, tb, t = r.int(0, 1), r.int(0, 1), r.one_of(np.int8, np.uint8)
    a = quantized(r, t, (k, m) if ta else (m, k))
    b = quantized(r, t, (n, k) if tb else (k, n))
    inputs = [a, *parameters(r, t), b, *parameters(r, t)]
    inputs.append(r.one_of(None, r.ints([n], -500, 500, np.int32)))
    inputs += r.one_of([], parameters(r, t, -3, 0))
    return case("QGemm", inputs, (0,), transA=ta, transB=tb, alpha=r.one_of(1.0, 0.5))


WIDE = (np.int8, np.uint8, np.int16, np.uint16)


def quantize(r):
    x = r.floats(r.shape(), 5)
    t = r.one_of(*WIDE)
    return case("QuantizeLinear", [x, *parameters(r, t)], (0,))


def dequantize(r):
    t = r.one_of(*WIDE)
    return case("DequantizeLinear", [quantized(r, t, r.shape()), *parameters(r, t)], (0,))


OPERATORS = {
    "QLinearAdd": binary("QLinearAdd"),
    "QLinearMul": binary("QLinearMul"),
    "QLinearSigmoid": unary("QLinearSigmoid", -8),
    "QLinearLeakyRelu": unary("QLinearLeakyRelu", -5, alpha=0.25),
    "QLinearSoftmax": softmax,
    "QLinearConcat": concat,
    "QLinearAveragePool": average_pool,
    "QLinearGlobalAveragePool": global_average_pool,
    "QLinearReduceMean": reduce_mean,
    "QLinearWhere": where,
    "QGemm": gemm,
    "MicrosoftQuantizeLinear": quantize,
    "MicrosoftDequantizeLinear": dequantize,
}

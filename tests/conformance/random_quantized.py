"""Random models of quantization, and of numbers in few bits."""

import numpy as np
from onnx import TensorProto

from random_case import ONNX_TYPE, Case, numpy_type
from random_windows import window

CODED = tuple(
    numpy_type(getattr(TensorProto, name))
    for name in "FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ FLOAT4E2M1".split()
)


def cast_coded(r):
    """Floats of at most 8 bits; and integers of 2 and 4, of what they hold."""
    wide = r.one_of(np.float16, np.float32, np.float64)
    x = r.floats(r.shape(), r.one_of(1e-4, 0.3, 300), wide)
    if r.chance(0.3):
        x.flat[0] = r.one_of(np.inf, -np.inf, np.nan)
    coded = ONNX_TYPE(r.one_of(*CODED))
    if r.chance(0.3):
        to = getattr(TensorProto, r.one_of(*"INT2 UINT2 INT4 UINT4".split()))
        return Case("Cast", [r.ints(r.shape(), 0, 1, wide)], exact=True, to=to)
    if r.chance(0.5):
        return Case("Cast", [x], exact=True, to=coded, saturate=r.int(0, 1))
    return Case("CastLike", [x.astype(r.one_of(*CODED)), np.zeros(3, wide)], exact=True)


def bytes_of(r, shape):
    t = r.one_of(np.int8, np.uint8)
    return r.ints(shape, np.iinfo(t).min, np.iinfo(t).max, t)


def scales_of(r, shape, typical, dtype=np.float32):
    return (np.abs(r.floats(shape, typical)) + typical / 20).astype(dtype)


def like(r, x, shape=()):
    """Zero points for x."""
    t = np.iinfo(x.dtype)
    return r.ints(shape, t.min, t.max, x.dtype)


# The reference knows zero points and scales per channel for two spatial dimensions only.
def qlinear_conv(r):
    kernel, extent, a = window(r, 2, 2)
    ic, oc = r.int(1, 4), r.int(1, 4)
    x, w = bytes_of(r, [1, ic] + extent), bytes_of(r, [oc, ic] + kernel)
    per_channel = r.one_of((), (oc,))
    y_zero = like(r, r.one_of(np.zeros((), np.int8), np.zeros((), np.uint8)))
    inputs = [x, scales_of(r, (), 0.05), like(r, x)]
    inputs += [w, scales_of(r, per_channel, 0.02), like(r, w, per_channel)]
    inputs += [scales_of(r, (), 4), y_zero, r.ints([oc], -500, 500, np.int32)]
    return Case("QLinearConv", inputs, fixed=r.one_of((), range(1, 9)), exact=True, **a)


def conv_integer(r):
    kernel, extent, a = window(r, 2, 2)
    ic, oc = r.int(1, 4), r.int(1, 4)
    x, w = bytes_of(r, [1, ic] + extent), bytes_of(r, [oc, ic] + kernel)
    inputs = [x, w, like(r, x), like(r, w, r.one_of((), (oc,)))]
    return Case("ConvInteger", inputs, fixed=r.one_of((), (2,), (1, 2, 3)), exact=True, **a)


def integer_matrices(r):
    m, n, k = r.int(1, 5), r.int(1, 5), r.int(1, 40)
    batch = r.shape(0, 3, 3)
    a = r.one_of(r.broadcast(batch) + (m, k), batch + (m, k))
    b = r.one_of(r.broadcast(batch) + (k, n), batch + (k, n))
    # The reference broadcasts parameters of a as numpy does: rows in the shape of a.
    rows = r.one_of((), a[:-1] + (1,))
    columns = r.one_of((), (n,), b[:-2] + (1, n))
    return bytes_of(r, a), bytes_of(r, b), rows, columns


def matmul_integer(r):
    a, b, rows, columns = integer_matrices(r)
    return Case("MatMulInteger", [a, b, like(r, a, rows), like(r, b, columns)], exact=True)


def qlinear_matmul(r):
    a, b, rows, columns = integer_matrices(r)
    t = r.one_of(np.float32, np.float16)
    y_zero = like(r, r.one_of(np.zeros((), np.int8), np.zeros((), np.uint8)))
    inputs = [a, scales_of(r, rows, 0.05, t), like(r, a, rows)]
    inputs += [b, scales_of(r, columns, 0.05, t), like(r, b, columns)]
    inputs += [scales_of(r, (), 4, t), y_zero]
    return Case("QLinearMatMul", inputs, fixed=r.one_of((), range(1, 8)), exact=True)


def quantize_parameters(r, shape, dtype, zero_type):
    """Scale and zero point, one of each, along an axis or in blocks; and the attributes."""
    axis = r.int(0, len(shape) - 1)
    block = r.int(1, shape[axis])
    blocks = shape[:axis] + (-(-shape[axis] // block),) + shape[axis + 1 :]
    kind = r.int(0, 2)
    n = ((), (shape[axis],), blocks)[kind]
    attributes = {"axis": axis, "block_size": block if kind == 2 else 0}
    return scales_of(r, n, 0.1, dtype), like(r, np.zeros((), zero_type), n), attributes


QUANTIZED = (np.int8, np.uint8, np.int16, np.uint16)


def quantize(r):
    shape, t = r.shape(2), r.one_of(np.float32, np.float16)
    scale, zero, a = quantize_parameters(r, shape, t, r.one_of(*QUANTIZED))
    if r.chance(0.3):
        zero, a["output_dtype"] = None, ONNX_TYPE(np.dtype(r.one_of(*QUANTIZED)))
    return Case("QuantizeLinear", [r.floats(shape, 5, t), scale, zero], exact=True, **a)


def dequantize(r):
    shape, t = r.shape(2), r.one_of(*QUANTIZED)
    scale, zero, a = quantize_parameters(r, shape, r.one_of(np.float32, np.float16), t)
    x = like(r, zero, shape)
    return Case("DequantizeLinear", [x, scale, r.one_of(None, zero)], exact=True, **a)


def quantize_coded(r):
    shape, t = r.shape(2), r.one_of(np.float32, np.float16)
    scale, _, a = quantize_parameters(r, shape, t, np.int8)
    a.update(output_dtype=ONNX_TYPE(r.one_of(*CODED)), saturate=r.int(0, 1))
    return Case("QuantizeLinear", [r.floats(shape, 50, t), scale], exact=True, **a)


def dequantize_coded(r):
    shape, t = r.shape(2), r.one_of(np.float32, np.float16)
    scale, _, a = quantize_parameters(r, shape, t, np.int8)
    x = r.floats(shape, 5).astype(r.one_of(*CODED))
    return Case("DequantizeLinear", [x, scale], exact=True, **a)


def dynamic_quantize(r):
    x = r.floats(r.shape(1), 5) + np.float32(r.one_of(-20, 0, 0, 20))
    return Case("DynamicQuantizeLinear", [x], n_out=3, exact=True)


OPERATORS = {
    "QLinearConv": qlinear_conv,
    "ConvInteger": conv_integer,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "CastCoded": cast_coded,
    "QuantizeCoded": quantize_coded,
    "DequantizeCoded": dequantize_coded,
}

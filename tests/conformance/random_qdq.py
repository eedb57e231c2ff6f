#!/usr/bin/env python3
"""Small random networks, quantized by ONNX Runtime's quantize_static, and what they give:
random_qdq.py DIR N [SEED]

Writes N networks per format as DIR/FORMAT_I/ in the form of ONNX's test vectors, and `step`, the
scale of the output's last quantization.  Networks of QuantizeLinear and DequantizeLinear are run
by the onnx reference, those in QOperator format, whose operators are not all ONNX's, by ONNX
Runtime without optimization.
"""

import logging
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from random_case import Random

# Types of activations and of weights.
FORMATS = {
    "qdq": (QuantFormat.QDQ, (QuantType.QUInt8, QuantType.QInt8), QuantType.QInt8),
    "qdq_u8": (QuantFormat.QDQ, (QuantType.QUInt8,), QuantType.QUInt8),
    "qdq_16": (QuantFormat.QDQ, (QuantType.QUInt16, QuantType.QInt16), QuantType.QInt8),
    "qoperator": (QuantFormat.QOperator, (QuantType.QUInt8, QuantType.QInt8), QuantType.QInt8),
}


class Net:
    """A chain of layers on an image; `x` is the last tensor, of `channels`."""

    def __init__(self, r):
        self.r = r
        self.nodes, self.constants = [], []
        self.channels = r.int(3, 8)
        side = r.int(6, 12)
        self.shape = (1, self.channels, side, side)
        self.x = "x"
        for _ in range(r.int(3, 7)):
            r.one_of(*LAYERS)(self)
        r.one_of(head_dense, head_dense, head_conv, lambda net: None)(self)
        self.nodes.append(helper.make_node("Identity", [self.x], ["y"]))

    def name(self, stem):
        return f"{stem}_{len(self.nodes)}_{len(self.constants)}"

    def constant(self, value):
        name = self.name("c")
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, op, *inputs, **attributes):
        out = self.name(op)
        self.nodes.append(helper.make_node(op, list(inputs), [out], f"{out}_node", **attributes))
        return out

    def conv(self, x, out, kernel, group=1, bias=True):
        shape = (out, self.channels // group, kernel, kernel)
        w = self.r.floats(shape, np.sqrt(2 / np.prod(shape[1:])))
        inputs = [x, self.constant(w)]
        if bias:
            inputs.append(self.constant(self.r.floats(out, 0.3)))
        return self.op("Conv", *inputs, group=group, pads=[kernel // 2] * 4)

    def model(self):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "random",
            [value("x", TensorProto.FLOAT, self.shape)],
            [value("y", TensorProto.FLOAT, None)],
            self.constants,
        )
        # 21 is the first opset with 16-bit QuantizeLinear.
        opset = helper.make_opsetid("", 21)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
        return onnx.shape_inference.infer_shapes(model)


# ---- layers ----


def layer_conv(net):
    out = net.r.int(2, 11)
    net.x = net.conv(net.x, out, net.r.one_of(1, 3), bias=net.r.chance(0.5))
    net.channels = out


def layer_depthwise(net):
    net.x = net.conv(net.x, net.channels, 3, group=net.channels)


def layer_residual(net):
    y = net.op("Relu", net.conv(net.x, net.channels, 3))
    net.x = net.op("Add", net.x, net.conv(y, net.channels, 1))
    if net.r.chance(0.5):
        net.x = net.op("Relu", net.x)


def layer_difference(net):
    net.x = net.op("Sub", net.x, net.conv(net.x, net.channels, 1))


def layer_pool(net):
    op = net.r.one_of("MaxPool", "AveragePool")
    net.x = net.op(op, net.x, kernel_shape=[2, 2])


def layer_activation(net):
    op = net.r.one_of("Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid")
    net.x = net.op(op, net.x)


def layer_clip(net):
    bounds = net.constant(np.float32(0)), net.constant(np.float32(6))
    net.x = net.op("Clip", net.x, *bounds)


def layer_swish(net):
    op, attributes = net.r.one_of(("Sigmoid", {}), ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}))
    net.x = net.op("Mul", net.x, net.op(op, net.x, **attributes))


def layer_gelu(net):
    scaled = net.op("Div", net.x, net.constant(np.float32(np.sqrt(2))))
    both = net.op("Add", net.op("Erf", scaled), net.constant(np.float32(1)))
    half = net.constant(np.float32(0.5))
    net.x = net.op("Mul", net.op("Mul", net.x, both), half)


def layer_gate(net):
    mean = net.op("GlobalAveragePool", net.x)
    net.x = net.op("Mul", net.x, net.op("Sigmoid", net.conv(mean, net.channels, 1)))


def layer_concat(net):
    out = net.r.int(1, 3)
    y = net.op("Relu", net.conv(net.x, out, 1))
    net.x = net.op("Concat", net.x, y, axis=1)
    net.channels += out


def layer_pad(net):
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    net.x = net.op("Pad", net.x, net.constant(pads))


def layer_shuffle(net):
    sizes = net.constant(np.array([1, net.channels - 1], np.int64))
    if net.channels < 2:
        return
    parts = [net.name("a"), net.name("b")]
    net.nodes.append(helper.make_node("Split", [net.x, sizes], parts, net.name("s"), axis=1))
    net.x = net.op("Concat", net.op("Relu", parts[1]), parts[0], axis=1)


LAYERS = (
    layer_conv,
    layer_conv,
    layer_depthwise,
    layer_residual,
    layer_difference,
    layer_pool,
    layer_activation,
    layer_clip,
    layer_swish,
    layer_gelu,
    layer_gate,
    layer_concat,
    layer_pad,
    layer_shuffle,
)


def head_dense(net):
    if net.r.chance(0.5):
        net.x = net.op("Flatten", net.op("GlobalAveragePool", net.x))
    else:
        axes = net.constant(np.array([2, 3], np.int64))
        net.x = net.op("ReduceMean", net.x, axes, keepdims=0)
    out = net.r.int(2, 10)
    w = net.r.floats((net.channels, out), 1 / np.sqrt(net.channels))
    b = net.constant(net.r.floats(out, 0.1))
    if net.r.chance(0.5):
        net.x = net.op("Gemm", net.x, net.constant(w.T.copy()), b, transB=1)
    else:
        net.x = net.op("Add", net.op("MatMul", net.x, net.constant(w)), b)


def head_conv(net):
    net.x = net.conv(net.x, 4, 3)


# ---- quantization ----


class Samples(CalibrationDataReader):
    def __init__(self, samples):
        self.rest = iter(samples)

    def get_next(self):
        return next(self.rest, None)


def run(model, form, feeds):
    if form == QuantFormat.QDQ:
        return ReferenceEvaluator(model).run(None, feeds)[0]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)[0]


def last_step(model):
    values = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    scales = [n.input[1] for n in model.graph.node if n.op_type == "DequantizeLinear"]
    return float(next(values[s] for s in reversed(scales) if values[s].size == 1))


def write(folder, r, name):
    form, activations, weights = FORMATS[name]
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    net = Net(r)
    plain, path = os.path.join(folder, "float.onnx"), os.path.join(folder, "model.onnx")
    onnx.save(net.model(), plain)
    samples = [{"x": r.floats(net.shape, 1.0)} for _ in range(4)]
    quantize_static(
        plain,
        path,
        Samples(samples),
        quant_format=form,
        activation_type=r.one_of(*activations),
        weight_type=weights,
        per_channel=r.chance(0.5),
        extra_options={"ActivationSymmetric": r.chance(0.5)},
    )
    model = onnx.load(path)
    y = run(model, form, samples[0])
    with open(os.path.join(folder, "step"), "w", encoding="ascii") as f:
        f.write(f"{last_step(model):.9g}\n")
    for kind, array in (("input", samples[0]["x"]), ("output", y)):
        with open(os.path.join(data, f"{kind}_0.pb"), "wb") as f:
            f.write(numpy_helper.from_array(array, kind).SerializeToString())


def main():
    folder, n = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(4)
    for position, name in enumerate(FORMATS):
        for i in range(n):
            write(os.path.join(folder, f"{name}_{i}"), Random([seed, position, i]), name)


if __name__ == "__main__":
    main()

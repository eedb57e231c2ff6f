"""Reads a Caffe2 model and runs it, with numpy alone.

Shares nothing with the exporter or with PyTorch but the protobuf wire format,
so that it can tell whether the exported files mean what they should.
"""

import os
import struct

import numpy as np

import protobuf as pb


def read_argument(message):
    """A name and its value; the field that is present says of which type."""
    name, floats, ints, value = "", [], [], None
    for number, field in pb.fields(message):
        if number == 1:
            name = field.decode()
        elif number == 2:
            value = struct.unpack("<f", field)[0]
        elif number == 3:
            value = field
        elif number == 4:
            value = field.decode()
        elif number == 5:
            floats.append(field)
        elif number == 6:
            ints.append(field)
    if floats:
        value = np.frombuffer(b"".join(floats), "<f4")
    elif ints:
        value = ints
    return name, value


class Operator:
    def __init__(self, message):
        self.inputs, self.outputs, self.arguments = [], [], {}
        for number, field in pb.fields(message):
            if number == 1:
                self.inputs.append(field.decode())
            elif number == 2:
                self.outputs.append(field.decode())
            elif number == 4:
                self.kind = field.decode()
            elif number == 5:
                name, value = read_argument(field)
                self.arguments[name] = value

    def get(self, name, default):
        return self.arguments.get(name, default)


def windows(x, kernel, pad, stride, border):
    """Views of the input under the kernel: N x C x rows x columns x k x k."""
    edges = ((0, 0), (0, 0), (pad, pad), (pad, pad))
    x = np.pad(x, edges, constant_values=border)
    views = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))
    return views[:, :, ::stride, ::stride]


def conv(op, x, weight):
    kernel = op.get("kernel", 1)
    views = windows(x, kernel, op.get("pad", 0), op.get("stride", 1), 0)
    count, channels, rows, columns = views.shape[:4]
    views = views.transpose(0, 1, 4, 5, 2, 3)
    views = views.reshape(count, channels * kernel * kernel, rows * columns)
    flat = weight.reshape(len(weight), -1)
    return np.matmul(flat, views).reshape(count, -1, rows, columns)


def spatial_bn(op, x, scale, bias, mean, variance):
    factor = scale / np.sqrt(variance + np.float32(op.get("epsilon", 1e-5)))
    shift = bias - mean * factor
    return x * factor[:, None, None] + shift[:, None, None]


def pool(op, x, reduce, border):
    kernel = op.arguments["kernel"]
    views = windows(x, kernel, op.get("pad", 0), op.get("stride", 1), border)
    return reduce(views, (4, 5))


def softmax(op, x):
    x = x.reshape(len(x), -1)
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


RUN = {
    "Conv": conv,
    "SpatialBN": spatial_bn,
    "Relu": lambda op, x: np.maximum(x, 0),
    "MaxPool": lambda op, x: pool(op, x, np.max, -np.inf),
    "AveragePool": lambda op, x: pool(op, x, np.mean, 0),
    "Sum": lambda op, x, y: x + y,
    "FC": lambda op, x, w, b: x.reshape(len(x), -1) @ w.T + b,
    "Softmax": softmax,
    "GivenTensorFill": lambda op: op.arguments["values"].reshape(op.arguments["shape"]),
    "ConstantFill": lambda op: np.zeros(op.arguments["shape"], np.float32),
}


def read_net(path):
    """The operators of a NetDef and the names of its outputs."""
    with open(path, "rb") as file:
        found = pb.fields(file.read())
    operators = [Operator(field) for number, field in found if number == 2]
    return operators, [field.decode() for number, field in found if number == 8]


class Model:
    def __init__(self, folder):
        self.operators, outputs = read_net(os.path.join(folder, "predict_net.pb"))
        self.output = outputs[0]
        self.weights = {}
        self.execute(read_net(os.path.join(folder, "init_net.pb"))[0], self.weights)

    @staticmethod
    def execute(operators, blobs):
        for op in operators:
            inputs = [blobs[name] for name in op.inputs]
            blobs[op.outputs[0]] = RUN[op.kind](op, *inputs)

    def run(self, inputs):
        """Probabilities for a batch, N x 3 x 64 x 64 within 0 to 1."""
        blobs = dict(self.weights)
        blobs[self.operators[0].inputs[0]] = inputs
        self.execute(self.operators, blobs)
        return blobs[self.output]

    def classify(self, pictures):
        """Probabilities for N x 64 x 64 x 3 bytes."""
        parts = []
        for start in range(0, len(pictures), 64):
            part = pictures[start : start + 64].transpose(0, 3, 1, 2)
            parts.append(self.run(part.astype(np.float32) / 255))
        return np.concatenate(parts)

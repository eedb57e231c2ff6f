"""Turns the trained network into the two files of a Caffe2 model.

predict_net.pb holds the layers and init_net.pb the operators that fill in the
weights.  Operators, arguments, blob names and their order follow the published
Caffe2 ResNet-50; nothing is folded or fused.
"""

import numpy as np

import protobuf as pb
from model import EPSILON, STAGES

PREFIX = "gpu_0/"
DATA = PREFIX + "data"
RESULT = PREFIX + "softmax"
LAST_MAP = 2  # rows and columns of the map that the average pool reduces


def argument(name, value):
    """An Argument: f = 2, i = 3, s = 4, floats = 5, ints = 6."""
    encoded = pb.data(1, name)
    if isinstance(value, float):
        encoded += pb.fixed32(2, np.float32(value).tobytes())
    elif isinstance(value, int):
        encoded += pb.integer(3, value)
    elif isinstance(value, str):
        encoded += pb.data(4, value)
    elif isinstance(value, tuple):
        encoded += b"".join(pb.integer(6, item) for item in value)
    else:
        # Each float with a tag of its own, as Caffe2 writes them.
        floats = np.ascontiguousarray(value, "<f4").reshape(-1, 1).view(np.uint8)
        key = np.full((len(floats), 1), pb.tag(5, pb.FIXED32)[0], np.uint8)
        encoded += np.hstack((key, floats)).tobytes()
    return encoded


def operator(kind, inputs, outputs, arguments=()):
    """An OperatorDef of a predict_net: the empty name, device option and
    engine are written out, as the published model has them."""
    encoded = b"".join(pb.data(1, PREFIX + blob) for blob in inputs)
    encoded += b"".join(pb.data(2, PREFIX + blob) for blob in outputs)
    encoded += pb.data(3, "") + pb.data(4, kind)
    encoded += b"".join(pb.data(5, argument(*pair)) for pair in arguments)
    return encoded + pb.data(6, "") + pb.data(7, "")


class Layers:
    """Collects the operators of the network and the blobs they need."""

    def __init__(self):
        self.operators = []
        self.learned = []  # weights, scales and offsets in order of use
        self.measured = []  # running means and variances

    def add(self, *operator_parts):
        self.operators.append(operator(*operator_parts))

    def conv(self, source, name, arguments):
        self.add("Conv", [source, name + "_w"], [name], arguments)
        self.learned.append(name + "_w")

    def norm(self, source, name):
        """Reads the convolution's output and writes a blob of its own."""
        blobs = [name + suffix for suffix in ("_s", "_b", "_rm", "_riv")]
        arguments = [("epsilon", EPSILON), ("is_test", 1), ("order", "NCHW")]
        self.add("SpatialBN", [source] + blobs, [name], arguments)
        self.learned += blobs[:2]
        self.measured += blobs[2:]

    def relu(self, name):
        self.add("Relu", [name], [name])


def window(kernel, pad, stride):
    return [("kernel", kernel), ("pad", pad), ("order", "NCHW"), ("stride", stride)]


def layers():
    net = Layers()
    net.conv("data", "conv1", window(7, 3, 2))
    net.norm("conv1", "res_conv1_bn")
    net.relu("res_conv1_bn")
    pool = [("kernel", 3), ("order", "NCHW"), ("pad", 1), ("stride", 2)]
    net.add("MaxPool", ["res_conv1_bn"], ["pool1"], pool)
    source = "pool1"
    for stage, depth in enumerate(STAGES):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            source = bottleneck(net, source, f"res{stage + 2}_{index}", stride, index)
    pool = [("kernel", LAST_MAP), ("stride", 1), ("order", "NCHW")]
    net.add("AveragePool", [source], ["pool5"], pool)
    net.add("FC", ["pool5", "pred_w", "pred_b"], ["pred"])
    net.learned += ["pred_w", "pred_b"]
    net.add("Softmax", ["pred"], ["softmax"])
    return net


def bottleneck(net, source, name, stride, index):
    inner = source
    for branch, kernel, pad, step, active in (
        ("_branch2a", 1, 0, 1, True),
        ("_branch2b", 3, 1, stride, True),
        ("_branch2c", 1, 0, 1, False),
    ):
        net.conv(inner, name + branch, window(kernel, pad, step))
        inner = name + branch + "_bn"
        net.norm(name + branch, inner)
        if active:
            net.relu(inner)
    shortcut = source
    if index == 0:
        projection = [("stride", stride), ("order", "NCHW"), ("kernel", 1)]
        net.conv(source, name + "_branch1", projection)
        shortcut = name + "_branch1_bn"
        net.norm(name + "_branch1", shortcut)
    net.add("Sum", [inner, shortcut], [inner])
    net.relu(inner)
    return inner


def predict_net():
    net = layers()
    inputs = ["data"] + net.learned + net.measured
    encoded = pb.data(1, "resnet50")
    encoded += b"".join(pb.data(2, item) for item in net.operators)
    encoded += b"".join(pb.data(7, PREFIX + blob) for blob in inputs)
    return encoded + pb.data(8, RESULT)


def fill(kind, blob, *arguments):
    encoded = pb.data(2, PREFIX + blob) + pb.data(4, kind)
    return encoded + b"".join(pb.data(5, argument(*pair)) for pair in arguments)


# The ending of a Caffe2 blob name and of the tensor of PyTorch it stands for.
SUFFIXES = (
    ("_bn_riv", "_bn.running_var"),
    ("_bn_rm", "_bn.running_mean"),
    ("_bn_s", "_bn.weight"),
    ("_bn_b", "_bn.bias"),
    ("_w", ".weight"),
    ("_b", ".bias"),
)


def tensor_of(state, blob):
    for ending, replacement in SUFFIXES:
        if blob.endswith(ending):
            return state[blob[: -len(ending)] + replacement].numpy()
    raise KeyError(blob)


def init_net(state):
    """The weights, from the state_dict() of the trained network."""
    net = layers()
    encoded = pb.data(1, "resnet50_init")
    for blob in net.learned + net.measured:
        values = tensor_of(state, blob)
        shape = tuple(int(size) for size in values.shape)
        given = fill("GivenTensorFill", blob, ("shape", shape), ("values", values))
        encoded += pb.data(2, given)
    return encoded + pb.data(2, fill("ConstantFill", "data", ("shape", (1,))))


def tensor(name, values):
    """An ONNX TensorProto: dims = 1, data_type = 2, name = 8, raw_data = 9."""
    encoded = b"".join(pb.integer(1, size) for size in values.shape)
    encoded += pb.integer(2, 1) + pb.data(8, name)
    return encoded + pb.data(9, np.ascontiguousarray(values, "<f4").tobytes())

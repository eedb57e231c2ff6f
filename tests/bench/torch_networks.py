"""The networks that tests/bench/gpu times beside PyTorch, as modules of PyTorch.

Their weights are made, not trained: of each output channel those of one short table, read from
another place on.  So they are as random as a time needs, the same on every machine, and compress
to almost nothing in any layout, which matters where a pack of networks is carried to a device.
"""

import math
import warnings
import zlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Convolution(nn.Sequential):
    """Convolution, batch normalization and, where it is given, an activation."""

    def __init__(self, n_in, n_out, size, stride=1, groups=1, activation=None):
        layers = [nn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False),
                  nn.BatchNorm2d(n_out)]
        layers[0].gain = math.sqrt(2) if activation else 0.5  # so that sums do not grow
        super().__init__(*layers, *([activation()] if activation else []))


class Bottleneck(nn.Module):
    """Of ResNet-50 v1.5: the stride is in the 3x3 convolution (He and others, 2015; NVIDIA)."""

    def __init__(self, n_in, n_inner, stride):
        super().__init__()
        n_out = 4 * n_inner
        self.branch = nn.Sequential(Convolution(n_in, n_inner, 1, activation=nn.ReLU),
                                    Convolution(n_inner, n_inner, 3, stride, activation=nn.ReLU),
                                    Convolution(n_inner, n_out, 1))
        self.shortcut = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = Convolution(n_in, n_out, 1, stride)

    def forward(self, x):
        return functional.relu(self.branch(x) + self.shortcut(x))


def resnet50():
    layers = [Convolution(3, 64, 7, 2, activation=nn.ReLU), nn.MaxPool2d(3, 2, 1)]
    n_in = 64
    for n_inner, n_blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(n_blocks):
            layers.append(Bottleneck(n_in, n_inner, stride if i == 0 else 1))
            n_in = 4 * n_inner
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, 1000))


class InvertedResidual(nn.Module):
    """Of MobileNetV2 (Sandler and others, 2018)."""

    def __init__(self, n_in, n_out, stride, expansion):
        super().__init__()
        n_inner = n_in * expansion
        layers = [Convolution(n_in, n_inner, 1, activation=nn.ReLU6)] if expansion > 1 else []
        self.branch = nn.Sequential(
            *layers, Convolution(n_inner, n_inner, 3, stride, n_inner, activation=nn.ReLU6),
            Convolution(n_inner, n_out, 1))
        self.adds = stride == 1 and n_in == n_out

    def forward(self, x):
        return x + self.branch(x) if self.adds else self.branch(x)


def mobilenetv2():
    layers = [Convolution(3, 32, 3, 2, activation=nn.ReLU6)]
    n_in = 32
    for expansion, n_out, n_blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2),
                                               (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                               (6, 320, 1, 1)):
        for i in range(n_blocks):
            layers.append(InvertedResidual(n_in, n_out, stride if i == 0 else 1, expansion))
            n_in = n_out
    return nn.Sequential(*layers, Convolution(n_in, 1280, 1, activation=nn.ReLU6),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


class BertLayer(nn.Module):
    """One of the twelve encoder layers of BERT-base (Devlin and others, 2018)."""

    def __init__(self, width=768, n_heads=12, n_inner=3072):
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value, self.attended = (nn.Linear(width, width)
                                                           for _ in range(4))
        self.grow, self.shrink = nn.Linear(width, n_inner), nn.Linear(n_inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)

    def heads(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.n_heads, -1).transpose(1, 2)

    def forward(self, x):
        y = functional.scaled_dot_product_attention(
            *(self.heads(f(x)) for f in (self.query, self.key, self.value)))
        x = self.norm1(x + self.attended(y.transpose(1, 2).reshape(x.shape)))
        return self.norm2(x + self.shrink(functional.gelu(self.grow(x))))


NETWORKS = {"resnet50": resnet50, "mobilenetv2": mobilenetv2, "bert_layer": BertLayer}


def table_weights(shape, gain, random):
    """Of each output channel a table's values, from the next one on.  A row adds up to +gain or
    -gain: rows of random numbers do so in the mean."""
    n_out, n = shape[0], math.prod(shape[1:])
    values = np.empty((n_out, n), np.float32)
    for start in range(0, n_out, n):
        table = random.standard_normal(n)
        table = gain * (table - table.mean()) / (table.std() * math.sqrt(n))
        for i in range(start, min(start + n, n_out)):
            values[i] = np.roll(table, start - i) + gain / n * random.choice((-1, 1))
    return values.reshape(shape)


def small(random, shape):
    return torch.from_numpy((0.05 * random.standard_normal(shape)).astype(np.float32))


def fill(module):
    """The same weights on every machine: NumPy does not change what RandomState gives."""
    for name, m in module.named_modules():
        random = np.random.RandomState(zlib.crc32(name.encode()))
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.weight.data = torch.from_numpy(
                table_weights(m.weight.shape, getattr(m, "gain", 1.0), random))
        if isinstance(m, (nn.BatchNorm2d, nn.Linear)):
            m.bias.data = small(random, m.bias.shape)


def network(name):
    with torch.no_grad():
        module = NETWORKS[name]().eval()
        fill(module)
    return module


def folded(module):
    """Without batch normalizations, which become part of the convolutions before them."""
    for m in module.modules():
        if isinstance(m, Convolution):
            m[0], m[1] = nn.utils.fuse_conv_bn_eval(m[0], m[1]), nn.Identity()
    return module


def reference(name, data, dims):
    """The output in float64, as bytes, for an input of floats."""
    x = torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(dims).double()
    module = network(name).double()
    with torch.no_grad():
        return torch.cat([module(item) for item in x.split(8)]).numpy().tobytes()


def export(name, shape, path):
    """As an ONNX model, whose batch is left open.  Opset 16 knows no layer normalization: PyTorch
    writes what it consists of."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(network(name), (torch.zeros(1, *shape),), path, dynamo=False,
                          opset_version=16, input_names=["input"], output_names=["output"],
                          dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})

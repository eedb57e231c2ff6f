"""ResNet-50 at one eighth of its usual width, for 64x64 pictures.

The layer graph is that of the Caffe2 ResNet-50: a 7x7/2 stem, a 3x3/2 max
pool, four stages of 3, 4, 6 and 3 bottlenecks and one fully connected layer,
53 convolutions in all (a projection at the head of every stage included).
As in that model, the stride of a stage sits in the 3x3 convolution of its
first bottleneck and in the projection beside it, not in the first 1x1.

Module names equal the Caffe2 blob names without their prefix, so that the
exporter can map one onto the other: `res3_0_branch2a` is a convolution and
`res3_0_branch2a_bn` the batch normalization behind it.
"""

import torch
from torch import nn

WIDTH = 8  # channels inside a bottleneck of the first stage; ResNet-50 has 64
STAGES = (3, 4, 6, 3)  # bottlenecks per stage
EXPANSION = 4  # channels leaving a bottleneck per channel inside it
EPSILON = 1e-5  # of every batch normalization


def add_conv_bn(net, name, bn_name, cin, cout, kernel, stride):
    net.add_module(
        name, nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)
    )
    net.add_module(bn_name, nn.BatchNorm2d(cout, eps=EPSILON))


class ResNet50(nn.Module):
    def __init__(self, classes, width=WIDTH):
        super().__init__()
        add_conv_bn(self, "conv1", "res_conv1_bn", 3, width, 7, 2)
        self.pool1 = nn.MaxPool2d(3, 2, 1)
        channels = width
        self.blocks = []  # (name, has a projection), in order
        for stage, depth in enumerate(STAGES):
            inner = width << stage
            outer = inner * EXPANSION
            for index in range(depth):
                name = f"res{stage + 2}_{index}"
                stride = 2 if stage > 0 and index == 0 else 1
                self.blocks.append((name, index == 0))
                for suffix, cin, cout, kernel, step in (
                    ("branch2a", channels, inner, 1, 1),
                    ("branch2b", inner, inner, 3, stride),
                    ("branch2c", inner, outer, 1, 1),
                ):
                    conv = f"{name}_{suffix}"
                    add_conv_bn(self, conv, conv + "_bn", cin, cout, kernel, step)
                if index == 0:
                    conv = f"{name}_branch1"
                    add_conv_bn(self, conv, conv + "_bn", channels, outer, 1, stride)
                channels = outer
        self.pool5 = nn.AdaptiveAvgPool2d(1)
        self.pred = nn.Linear(channels, classes)
        self.initialize()

    def initialize(self):
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.BatchNorm2d) and name.endswith("branch2c_bn"):
                # Every bottleneck starts out as the identity.
                nn.init.zeros_(module.weight)

    def conv_bn(self, x, name, bn_name=None):
        x = getattr(self, name)(x)
        return getattr(self, bn_name or name + "_bn")(x)

    def forward(self, x):
        """Logits of a batch of pictures, N x 3 x 64 x 64 within 0 to 1."""
        x = torch.relu_(self.conv_bn(x, "conv1", "res_conv1_bn"))
        x = self.pool1(x)
        for name, projected in self.blocks:
            y = torch.relu_(self.conv_bn(x, name + "_branch2a"))
            y = torch.relu_(self.conv_bn(y, name + "_branch2b"))
            y = self.conv_bn(y, name + "_branch2c")
            if projected:
                x = self.conv_bn(x, name + "_branch1")
            x = torch.relu_(y.add_(x))
        return self.pred(self.pool5(x).flatten(1))

"""Networks made of PyTorch's own layers: recurrent, recommending, generating."""

import math

import torch
from torch import nn
from torch.nn import functional

from network import NEW, OLD, Network, floats, ints

BOTH = (OLD, NEW)


class Recurrent(nn.Module):
    """A stack of LSTM, GRU or RNN with a product at its end."""

    def __init__(self, kind, **options):
        super().__init__()
        self.stack = kind(16, 24, batch_first=True, **options)
        width = 24 * (2 if options.get("bidirectional") else 1)
        self.head = nn.Linear(options.get("proj_size", width), 5)

    def forward(self, x):
        states, last = self.stack(x)
        last = last if isinstance(last, tuple) else (last,)
        return (self.head(states), *last)


class Dlrm(nn.Module):
    """Tables of features, their products with each other, and two stacks of layers (Naumov and
    others, 2019)."""

    def __init__(self, n_tables=3, width=8):
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(50, width, mode="sum")
                                    for _ in range(n_tables))
        self.bottom = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, width), nn.ReLU())
        n = n_tables + 1
        self.top = nn.Sequential(nn.Linear(width + n * (n - 1) // 2, 16), nn.ReLU(),
                                 nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, dense, words):
        x = self.bottom(dense)
        rows = torch.stack([x] + [table(words[i]) for i, table in enumerate(self.tables)], 1)
        products = torch.bmm(rows, rows.transpose(1, 2))
        n = rows.shape[1]
        i, j = zip(*((i, j) for i in range(n) for j in range(i)))
        return self.top(torch.cat([x, products[:, i, j]], 1))


class Residual(nn.Module):
    """A block of a diffusion UNet: the time is added between two convolutions."""

    def __init__(self, n_in, n_out, n_time):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(4, n_in), nn.GroupNorm(4, n_out)
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.time = nn.Linear(n_time, n_out)
        self.shortcut = nn.Conv2d(n_in, n_out, 1)

    def forward(self, x, time):
        y = self.conv1(functional.silu(self.norm1(x)))
        y = y + self.time(functional.silu(time))[:, :, None, None]
        return self.shortcut(x) + self.conv2(functional.silu(self.norm2(y)))


class Attending(nn.Module):
    """Attention of all positions of a picture to each other and to a text."""

    def __init__(self, width, n_text):
        super().__init__()
        self.norm = nn.GroupNorm(4, width)
        self.itself = nn.MultiheadAttention(width, 4, batch_first=True)
        self.text = nn.MultiheadAttention(width, 4, kdim=n_text, vdim=n_text, batch_first=True)

    def forward(self, x, text):
        rows = self.norm(x).flatten(2).transpose(1, 2)
        rows = rows + self.itself(rows, rows, rows, need_weights=False)[0]
        rows = rows + self.text(rows, text, text, need_weights=False)[0]
        return x + rows.transpose(1, 2).reshape(x.shape)


class UNet(nn.Module):
    """One level of a diffusion UNet, down and up."""

    def __init__(self, width=16, n_time=32, n_text=12):
        super().__init__()
        self.n_time = n_time
        self.time = nn.Sequential(nn.Linear(n_time, n_time), nn.SiLU(), nn.Linear(n_time, n_time))
        self.enter = nn.Conv2d(4, width, 3, padding=1)
        self.leave = nn.Conv2d(width, 4, 3, padding=1)
        self.down = nn.Conv2d(width, width, 3, 2, 1)
        self.blocks = nn.ModuleList([Residual(width, width, n_time),
                                     Residual(width, 2 * width, n_time),
                                     Residual(3 * width, width, n_time)])
        self.attention = Attending(2 * width, n_text)

    def forward(self, x, step, text):
        scale = torch.exp(torch.arange(self.n_time // 2) * (-2 * math.log(10000) / self.n_time))
        angle = step[:, None].float() * scale[None]
        time = self.time(torch.cat([angle.cos(), angle.sin()], 1))
        x = self.blocks[0](self.enter(x), time)
        y = self.attention(self.blocks[1](self.down(x), time), text)
        y = functional.interpolate(y, scale_factor=2.0, mode="nearest")
        return self.leave(functional.silu(self.blocks[2](torch.cat([x, y], 1), time)))


def generator():
    """Of a DCGAN (Radford and others, 2015)."""
    layers, n_in = [], 20
    for n_out, stride, padding in ((32, 1, 0), (16, 2, 1), (8, 2, 1)):
        layers += [nn.ConvTranspose2d(n_in, n_out, 4, stride, padding, bias=False),
                   nn.BatchNorm2d(n_out), nn.ReLU()]
        n_in = n_out
    return nn.Sequential(*layers, nn.ConvTranspose2d(n_in, 3, 4, 2, 1), nn.Tanh())


def enlarger():
    """Sub-pixel convolution (Shi and others, 2016)."""
    return nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.PReLU(), nn.Conv2d(16, 9, 3, padding=1),
                         nn.PixelShuffle(3), nn.Upsample(scale_factor=2, mode="bicubic"))


class Causal(nn.Module):
    """Dilated convolutions over time that see the past alone."""

    def __init__(self, width=8):
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.gates = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(4))

    def forward(self, x):
        x = self.enter(x)
        for gate in self.gates:
            y = gate(functional.pad(x, (gate.dilation[0], 0)))
            x = x + functional.glu(y, 1)
        return x.mean(2)


class Translator(nn.Module):
    """nn.Transformer, with the mask of the future."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 32)
        self.module = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)

    def forward(self, source, target):
        n = target.shape[1]
        mask = torch.triu(torch.full((n, n), float("-inf")), 1)
        return self.module(self.words(source), self.words(target), tgt_mask=mask)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ELU(), nn.Conv2d(8, 16, 3, 2, 1),
                                    nn.LeakyReLU(0.1), nn.InstanceNorm2d(16, affine=True))
        self.mean, self.deviation = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 4, 1)
        self.decode = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(4, 8, 3, padding=1),
                                    nn.Hardswish(), nn.Upsample(scale_factor=2, mode="bilinear"),
                                    nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, x, noise):
        y = self.encode(x)
        mean, deviation = self.mean(y), self.deviation(y)
        return self.decode(mean + noise * torch.exp(deviation / 2)), mean


def steps(n=1):
    return {"x": floats(n, 9, 16)}


FEATURES = {"dense": floats(2, 4), "words": ints(50, 3, 2, 4)}
FREE = {"x": {0: "batch", 1: "steps"}}
NETWORKS = {
    "LSTM, 2 layers": Network(lambda: Recurrent(nn.LSTM, num_layers=2), steps(), BOTH),
    "LSTM, both ways": Network(lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
                               steps(), (OLD,), FREE),
    "GRU, 2 layers": Network(lambda: Recurrent(nn.GRU, num_layers=2), steps(), BOTH),
    "GRU, both ways": Network(lambda: Recurrent(nn.GRU, bidirectional=True), steps(2)),
    "RNN": Network(lambda: Recurrent(nn.RNN), steps()),
    "DLRM": Network(Dlrm, FEATURES, (NEW,)),
    "DLRM, sums in loops": Network(Dlrm, FEATURES, (OLD,)),
    "UNet of a diffusion": Network(UNet, {"x": floats(1, 4, 16, 16), "step": ints(1000, 1),
                                          "text": floats(1, 7, 12)}, BOTH),
    "DCGAN, generator": Network(generator, {"x": floats(1, 20, 1, 1)}, BOTH, {"x": {0: "batch"}}),
    "sub-pixel convolution": Network(enlarger, {"x": floats(1, 1, 12, 12)}, BOTH),
    "dilated convolutions over time": Network(Causal, {"x": floats(1, 1, 40)}, BOTH),
    "nn.Transformer": Network(Translator, {"source": ints(50, 1, 7), "target": ints(50, 1, 5)}),
    "variational autoencoder": Network(Autoencoder, {"x": floats(1, 1, 16, 16),
                                                     "noise": floats(1, 4, 4, 4)}, BOTH),
}

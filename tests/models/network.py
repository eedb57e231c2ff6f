"""A network to be exported: what makes it, what it takes, and by which exporters it goes."""

import torch

OLD, NEW = "TorchScript", "dynamo"


def floats(*shape):
    return lambda g: torch.randn(shape, generator=g)


def ints(below, *shape):
    return lambda g: torch.randint(0, below, shape, generator=g)


def ones(*shape):
    return lambda g: torch.ones(shape, dtype=torch.int64)


class Network:
    """`inputs` has a function for each name, which makes the tensor of a random generator; `free`
    says which dimensions are left open, by input.  What is `outside` of Sheaf is refused."""

    def __init__(self, make, inputs, exporters=(OLD,), free=None, outside=False):
        self.make = make
        self.inputs = inputs
        self.exporters = exporters
        self.free = free or {}
        self.outside = outside

    def module(self):
        torch.manual_seed(0)
        module = self.make().eval()
        for weights in module.parameters():  # some heads start at zero
            if weights.dim() > 1 and not weights.any():
                torch.nn.init.normal_(weights, std=0.1)
        return module

    def tensors(self):
        g = torch.Generator().manual_seed(1)
        return {name: make(g) for name, make in self.inputs.items()}


def picture(size, n=1, channels=3):
    return {"pixels": floats(n, channels, size, size)}


class Named(torch.nn.Module):
    """A module of transformers, whose arguments have names and whose results are a record."""

    def __init__(self, module, names, results, **fixed):
        super().__init__()
        self.module, self.names, self.results, self.fixed = module, names, results, fixed

    def forward(self, *tensors):
        given = dict(zip(self.names, tensors))
        record = self.module(**given, **self.fixed, return_dict=True)
        return tuple(record[name] for name in self.results)


class Nested(torch.nn.Module):
    """A module whose results are dictionaries and lists: their tensors in a row."""

    def __init__(self, module, listed=False):
        super().__init__()
        self.module, self.listed = module, listed

    def forward(self, x):
        return tuple(self.flat(self.module([x[0]] if self.listed else x)))

    def flat(self, value):
        if isinstance(value, dict):
            value = value.values()
        if isinstance(value, torch.Tensor):
            return [value]
        return [t for v in value for t in self.flat(v)]

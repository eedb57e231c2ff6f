"""PyTorch on the device, to be timed beside a bundle on the same stream."""

import copy
import sys
import warnings

import torch

import torch_networks


class Other:
    """A function of no arguments that queues a run, and its output."""

    def __init__(self, stream, function, output=None, keeps=None):
        self.stream, self.function, self.output = stream, function, output
        self.keeps = keeps  # a graph holds addresses alone

    def queue(self, n):
        output = None
        with torch.cuda.stream(self.stream), torch.inference_mode():
            for _ in range(n):
                output = self.function()
        if output is not None:
            self.output = output

    def error(self, reference):
        """||output - reference|| / ||reference||, for a reference in float64."""
        want = torch.frombuffer(bytearray(reference), dtype=torch.float64)
        if want.numel() != self.output.numel():
            return ""  # not of the network in floats
        got = self.output.double().cpu().reshape(-1)
        return f"{((got - want).norm() / want.norm()).item():.1e}"


class Torch:
    def __init__(self, device):
        if not torch.cuda.is_available():
            raise RuntimeError("it finds no device")
        self.stream = torch.cuda.ExternalStream(device.stream)
        self.modules = {}  # in float32, in the host's memory: filling them takes seconds
        torch.backends.cudnn.benchmark = True

    def version(self):
        return f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}."

    def forget(self):
        torch.cuda.synchronize()
        if "torch._dynamo" in sys.modules:  # only torch.compile needs it
            torch._dynamo.reset()
        torch.cuda.empty_cache()

    def prepare(self, entry, bundle):
        """(module, input) in the type of the entry.  Integers: PyTorch has no convolutions of them
        on GPUs, so that its fp16 stands in."""
        tf32 = entry["kind"] == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        dtype = torch.float16 if entry["kind"] in ("fp16", "int8") else torch.float32
        name = bundle.names[1][0]
        data = bytearray(bundle.data(name))
        given = torch.float16 if len(data) == 2 * torch.Size(entry["dims"]).numel() \
            else torch.float32
        x = torch.frombuffer(data, dtype=given).reshape(entry["dims"]).to("cuda", dtype)
        network = entry["network"]
        if network not in self.modules:
            self.modules[network] = torch_networks.network(network)
        return copy.deepcopy(self.modules[network]).to("cuda", dtype), x

    def best_form(self, module, x):
        """What costs a user a line each: batch normalizations folded, channels last."""
        module = torch_networks.folded(copy.deepcopy(module))
        if x.dim() == 4:
            module = module.to(memory_format=torch.channels_last)
            x = x.to(memory_format=torch.channels_last)
        return module, x

    def captured(self, function):
        """The function as a CUDA graph."""
        with torch.inference_mode():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    function()
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=side):
                output = function()
        torch.cuda.synchronize()
        return Other(self.stream, graph.replay, output, function)

    def suffix(self, entry):
        return " in fp16" if entry["kind"] == "int8" else ""

    def contenders(self, entry, makers):
        """{name: Other}, or in its place a sentence that tells why there is none."""
        made = {}
        for name, make in makers.items():
            try:
                made[name + self.suffix(entry)] = make()
            except Exception as e:  # whatever PyTorch, a compiler or a driver may raise
                told = " ".join(str(e).split())[:200]
                made[name + self.suffix(entry)] = f"{type(e).__name__}: {told}"
        return made

    def quick(self, entry, bundle):
        module, x = self.prepare(entry, bundle)
        best, y = self.best_form(module, x)
        return self.contenders(entry, {
            "PyTorch, eager": lambda: self.eager(lambda: module(x)),
            "PyTorch, channels last, CUDA graph": lambda: self.captured(lambda: best(y))})

    def eager(self, function):
        other = Other(self.stream, function)
        other.queue(1)
        torch.cuda.synchronize()
        return other

    def compiled(self, entry, bundle):
        """torch.compile's max-autotune, in a CUDA graph of ours, which copies no input."""
        best, y = self.best_form(*self.prepare(entry, bundle))

        def make():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function = torch.compile(best, mode="max-autotune-no-cudagraphs")
                return self.captured(lambda: function(y))
        return self.contenders(entry, {"torch.compile, max-autotune, CUDA graph": make})

"""PyTorch on the device, to be timed beside a bundle on the same stream."""

import copy
import signal
import warnings

import torch

import torch_networks
from device import Failure

COMPILE_SECONDS = 240  # of one network, at most


class Other:
    """A function of no arguments that queues a run, and its output."""

    def __init__(self, stream, function, output=None):
        self.stream, self.function, self.output = stream, function, output

    def queue(self, _):
        with torch.cuda.stream(self.stream), torch.inference_mode():
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
        torch.backends.cudnn.benchmark = True

    def version(self):
        return f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}."

    def forget(self):
        torch.cuda.synchronize()
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
        return torch_networks.network(entry["network"]).to("cuda", dtype), x

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
        return Other(self.stream, graph.replay, output)

    def suffix(self, entry):
        return " in fp16" if entry["kind"] == "int8" else ""

    def quick(self, entry, bundle):
        module, x = self.prepare(entry, bundle)
        best, y = self.best_form(module, x)
        suffix = self.suffix(entry)
        return {f"PyTorch, eager{suffix}": Other(self.stream, lambda: module(x)),
                f"PyTorch, channels last, CUDA graph{suffix}": self.captured(lambda: best(y))}

    def compiled(self, entry, bundle):
        """torch.compile's max-autotune, in a CUDA graph of ours, which copies no input."""
        best, y = self.best_form(*self.prepare(entry, bundle))

        def too_long(*_):
            raise Failure("torch.compile takes too long")
        before = signal.signal(signal.SIGALRM, too_long)
        signal.alarm(COMPILE_SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function = torch.compile(best, mode="max-autotune-no-cudagraphs")
                other = self.captured(lambda: function(y))
        except Failure:
            raise
        except Exception as e:  # whatever a compiler may raise
            raise Failure(f"torch.compile: {type(e).__name__}: {str(e).splitlines()[:1]}") from e
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        return {f"torch.compile, max-autotune, CUDA graph{self.suffix(entry)}": other}

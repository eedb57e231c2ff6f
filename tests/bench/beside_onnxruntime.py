"""Times a bundle beside ONNX Runtime: beside_onnxruntime.py MODEL BUNDLE_DIR NAME [ROUNDS]

Both run in this process on one thread, by turns, on the same input; minima, medians and their
ratios are printed, and the largest difference of the outputs.
"""

import ctypes
import statistics
import sys
import time

import numpy as np
import onnxruntime


class Symbol(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("offset", ctypes.c_size_t),
                ("size", ctypes.c_size_t), ("kind", ctypes.c_char)]


class Config(ctypes.Structure):
    _fields_ = [("constants", ctypes.c_size_t), ("mutable", ctypes.c_size_t),
                ("activations", ctypes.c_size_t), ("alignment", ctypes.c_size_t),
                ("n_symbols", ctypes.c_size_t), ("symbols", ctypes.POINTER(Symbol))]


def aligned(size, alignment):
    """Zeroed bytes at a multiple of the alignment."""
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start:start + size]


class Bundle:
    """The three areas of a bundle and its function."""

    def __init__(self, folder, name):
        library = ctypes.CDLL(f"{folder}/{name}.so")
        config = Config.in_dll(library, f"{name}_config")
        self.function = getattr(library, name)
        self.function.argtypes = [ctypes.c_void_p] * 3
        self.areas = [aligned(n, config.alignment)
                      for n in (config.constants, config.mutable, config.activations)]
        weights = np.fromfile(f"{folder}/{name}.weights", np.uint8)
        self.areas[0][:] = weights
        self.symbols = [(s.offset, s.size) for s in config.symbols[:config.n_symbols]
                        if s.kind == b"\1"]

    def tensor(self, index):
        offset, size = self.symbols[index]
        return self.areas[1][offset:offset + 4 * size].view(np.float32)

    def run(self):
        status = self.function(*(a.ctypes.data for a in self.areas))
        if status:
            raise SystemExit(f"the bundle returned status {status}")


def milliseconds(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1e3


def main():
    model, folder, name = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 60
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    feed = session.get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in feed.shape]
    x = np.random.default_rng(1).standard_normal(shape, np.float32)

    bundle = Bundle(folder, name)
    bundle.tensor(0)[:] = x.ravel()
    bundle.run()
    want = session.run(None, {feed.name: x})[0].ravel()
    got = bundle.tensor(1)
    print(f"largest difference {np.abs(got - want).max():.3g} of {np.abs(want).max():.3g}")

    times = {"Sheaf": [], "ONNX Runtime": []}
    for _ in range(rounds):
        times["Sheaf"].append(milliseconds(bundle.run))
        times["ONNX Runtime"].append(milliseconds(lambda: session.run(None, {feed.name: x})))
    for who, t in times.items():
        print(f"{who:14s} minimum {min(t):8.3f} ms, median {statistics.median(t):8.3f} ms")
    ours, theirs = times["Sheaf"], times["ONNX Runtime"]
    print(f"Sheaf / ONNX Runtime {onnxruntime.__version__}: minima {min(ours) / min(theirs):.3f}, "
          f"medians {statistics.median(ours) / statistics.median(theirs):.3f}")


if __name__ == "__main__":
    main()

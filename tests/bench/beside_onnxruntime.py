"""Times a bundle beside ONNX Runtime: beside_onnxruntime.py MODEL BUNDLE_DIR NAME [ROUNDS]

Both run in this process on one thread, by turns, on the same input; minima, medians and their
ratios are printed, and the largest difference of the outputs.  PYTHONPATH names tests/tools.
"""

import statistics
import sys
import time

import numpy as np
import onnxruntime

from bundle import Bundle


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
    bundle.inputs[0][:] = x
    bundle.run()
    want = session.run(None, {feed.name: x})[0].ravel()
    got = bundle.outputs[0].ravel()
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

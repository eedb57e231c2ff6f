#!/usr/bin/env python3
"""Networks as PyTorch exports them, compiled and run beside ONNX Runtime:

    compare.py LOADER FOLDER [--write | --check] [--keep] [WORD...]

Prints a line of TAP for each network and exporter.  --write makes docs/models.md of the results,
--check tells whether the page has them.  Models are exported into FOLDER; --keep takes those that
are there.  Only networks whose names contain one of the words are run.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

import blocks
import language
import vision
from network import NEW

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "models.md")
NETWORKS = {**vision.NETWORKS, **language.NETWORKS, **blocks.NETWORKS}
LIMIT = 1e-4  # of a difference, relative to the largest value of the output
TEXT = """# Networks as people export them

Written by `make -C tests models`.

Networks of PyPI's torchvision, timm and transformers, and of PyTorch's own layers, {n} of them, with random weights and as
few narrow layers and small pictures as they can be made with. `torch.onnx.export` writes each as ONNX, by the exporter
named: TorchScript's, with open dimensions where users leave them open, or the newer one (dynamo). The model is compiled
for the CPU, run on random inputs, and compared with ONNX Runtime. The error is the largest difference of an output from
ONNX Runtime's, relative to the largest value of that output; integers must be equal. It may be {limit:.0e}.

| network | exporter | opset | nodes | outcome |
|---|---|---|---|---|
"""


class Refused(Exception):
    """Sheaf says in a sentence why it does not compile or run a model."""


def export(network, exporter, path):
    tensors = network.tensors()
    options = {"input_names": list(tensors)}
    if exporter == NEW:
        options.update(dynamo=True, external_data=False, verbose=False)
    else:
        options.update(dynamo=False, dynamic_axes=network.free)
    torch.backends.mha.set_fastpath_enabled(False)  # the operators of which no exporter knows
    with warnings.catch_warnings(), torch.no_grad(), \
            contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(network.module(), tuple(tensors.values()), path, **options)


def expected(path, tensors):
    """The inputs that the model has kept, and its outputs, by name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {i.name: tensors[i.name].numpy() for i in session.get_inputs()}
    names = [o.name for o in session.get_outputs()]
    return inputs, dict(zip(names, session.run(names, inputs)))


def symbols(network, tensors):
    """Values of the dimensions that were left open."""
    return {name: tensors[tensor].shape[i] for tensor, names in network.free.items()
            for i, name in names.items()}


def computed(loader, path, values, inputs, names):
    """The outputs of the compiled model, by name."""
    folder = os.path.dirname(path)
    command = [loader, "-m", path]
    command += [f"-onnx-define-symbol={name},{value}" for name, value in values.items()]
    for i, (name, array) in enumerate(inputs.items()):
        np.save(f"{folder}/input_{i}.npy", array)
        command.append(f"-input={name}={folder}/input_{i}.npy")
    files = {name: f"{folder}/output_{i}.npy" for i, name in enumerate(names)}
    command += [f"-output={name}={file}" for name, file in files.items()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        raise Refused("it takes longer than 15 minutes") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [""]
        if done.returncode < 0:
            lines = [f"ended by signal {-done.returncode}"]
        raise Refused("; ".join(line.removeprefix("error: ").replace(folder + "/", "")
                                for line in lines))
    return {name: np.load(file) for name, file in files.items()}


def error(got, want):
    """The largest difference, relative to the largest value; None where the two do not compare."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return None
    if got.size == 0 or np.array_equal(got, want, equal_nan=got.dtype.kind == "f"):
        return 0.0
    finite = np.isfinite(want)
    if want.dtype.kind != "f" or not np.array_equal(finite, np.isfinite(got)):
        return None
    want, got = want[finite].astype(np.float64), got[finite].astype(np.float64)
    return float(np.abs(got - want).max() / max(np.abs(want).max(), np.finfo(np.float32).tiny))


def is_telling(values):
    """Whether an output could differ: not that of weights that make everything 0 or NaN."""
    return values.dtype.kind != "f" or values.size < 2 or \
        np.isfinite(values).any() and values.min() != values.max()


def outcome(loader, path, network, exporter):
    """Whether the network agrees, and in words how well."""
    tensors = network.tensors()
    inputs, want = expected(path, tensors)
    if not all(is_telling(value) for value in want.values()):
        return False, "its random weights give an output that says nothing"
    try:
        values = {} if exporter == NEW else symbols(network, tensors)
        got = computed(loader, path, values, inputs, list(want))
    except Refused as e:
        return False, f"refused: {e}"
    errors = {name: error(got[name], value) for name, value in want.items()}
    for name, value in errors.items():
        if value is None:
            return False, f"differs: {name} is {got[name].dtype} {list(got[name].shape)}, " \
                f"expected {want[name].dtype} {list(want[name].shape)}, or not in the same places"
    largest = max(errors.values())
    return largest <= LIMIT, f"{largest:.0e}" if largest else "none"


def run(loader, folder, name, exporter, keep):
    """The cells of a row after the network's name, and whether all is well."""
    network = NETWORKS[name]
    own = os.path.join(folder, re.sub(r"\W+", "_", f"{name}_{exporter}"))
    path = os.path.join(own, "model.onnx")
    if not (keep and os.path.exists(path)):
        shutil.rmtree(own, ignore_errors=True)
        os.makedirs(own)
        try:
            export(network, exporter, path)
        except Exception as e:  # whatever an exporter may raise
            told = " ".join(str(e).split())[:200]
            return False, [exporter, "", "", f"not exported: {type(e).__name__}: {told}"]
    model = onnx.load(path, load_external_data=False)
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    cells = [exporter, str(opset), str(len(model.graph.node))]
    good, words = outcome(loader, path, network, exporter)
    if network.outside:
        good = words.startswith("refused")
    if good and not keep:
        shutil.rmtree(own)
    return good, cells + [words]


def page(rows):
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    n = len({row[0] for row in rows})
    return TEXT.format(n=n, limit=LIMIT) + "\n".join(lines) + "\n"


def is_current(rows):
    """Whether the page has these networks, exporters and refusals; errors differ by machine."""
    def marks(lines):
        return [(line[0], line[1], line[-1].split(":")[0] if ":" in line[-1] else "")
                for line in lines]
    if not os.path.exists(PAGE):
        return False
    with open(PAGE) as f:
        lines = [[cell.strip() for cell in line.strip().strip("|").split("|")]
                 for line in f if line.startswith("| ")][1:]
    return marks(lines) == marks(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("loader")
    parser.add_argument("folder")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("words", nargs="*")
    args = parser.parse_intermixed_args()
    jobs = [(name, exporter) for name, network in NETWORKS.items()
            for exporter in network.exporters
            if not args.words or any(word in name for word in args.words)]
    print(f"1..{len(jobs) + args.check}", flush=True)
    rows, failed = [], 0
    for i, (name, exporter) in enumerate(jobs):
        good, cells = run(args.loader, args.folder, name, exporter, args.keep)
        rows.append([name] + cells)
        failed += not good
        print("%s %d - %s, %s: %s" % ("ok" if good else "not ok", i + 1, name, exporter,
                                     cells[-1]), flush=True)
    if args.check:
        current = is_current(rows)
        failed += not current
        print("%s %d - docs/models.md is current" % ("ok" if current else "not ok", len(jobs) + 1))
    if args.write:
        with open(PAGE, "w") as f:
            f.write(page(rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

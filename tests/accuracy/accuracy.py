"""How much quantization changes the outputs of networks: accuracy.py LOADER DATA MODELS SCRATCH [WORD...]

Prints, as Markdown, for every network of the test data whose name contains one of the words, the
cosine between the outputs of the float network and those of its reduced forms, with ONNX Runtime's
static quantization of the same network, calibrated with the same samples, beside it; then, for
classifiers, how often both have the same first class.  The exit status is 1 where a network quantized
here is further from its float form than ONNX Runtime's and no node of it is kept in float.

The cosine is over all measured samples taken as one vector; of several outputs the lowest counts.
"""

import os
import re
import sys
import traceback

import numpy as np

import lenet
import networks
import onnx_static
from sheaf import Failed, Sheaf

# Nodes that stay in float, by network, and why.
KEEP = {}

FORMS = {
    "int8": ["-load_profile=PROFILE"],
    "int16": ["-load_profile=PROFILE", "-quantization-precision=Int16"],
    "int8 weights": ["-weights-only=int8"],
    "int4 weights": ["-weights-only=int4"],
    "fp16": ["-convert-to-fp16"],
    "bfloat16": ["-convert-to-fp16", "-fp16-format=bfloat16"],
}
# What both runtimes compute in float, they compute alike up to this.
ROUNDING = 1e-5
NEEDED = {"resnet50": 0.99}  # least cosine of the integer form


def cosine(want, got):
    """Over all samples; the lowest of the outputs."""
    lowest = 1.0
    for i in range(len(want[0])):
        a, b = (np.concatenate([sample[i].ravel() for sample in x]).astype(np.float64)
                for x in (want, got))
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        lowest = min(lowest, float(a @ b / lengths) if lengths else float(not a.any() == b.any()))
    return lowest


def first_classes(outputs):
    return np.array([np.argmax(sample[0]) for sample in outputs])


class Measurement:
    """The figures of one network."""

    def __init__(self, network, loader, scratch):
        self.network = network
        self.folder = f"{scratch}/{network.name}"
        self.sheaf = Sheaf(loader, network, self.folder)
        self.cosine = {}
        self.agreement = {}  # of the first class with the float network's
        self.right = {}      # of the first class with the label
        self.bytes = {}
        self.quantized = ""  # how many nodes compute in integers
        self.missing = ""    # operators without which it cannot be compiled
        self.faults = []

    def add(self, form, want, got):
        network = self.network
        self.cosine[form] = cosine(want, got)
        if network.classifies:
            classes = first_classes(got)
            self.agreement[form] = int((classes == first_classes(want)).sum())
            if network.labels:
                self.right[form] = int((classes == np.array(network.labels)).sum())

    def onnx_runtime(self):
        network = self.network
        want = onnx_static.run(network.onnx, network.measured)
        quantized = onnx_static.quantize(network.onnx, network.calibration, self.folder)
        got = onnx_static.run(quantized, network.measured)
        if network.to_probabilities:
            want, got = onnx_static.softmax(want), onnx_static.softmax(got)
        self.add("ONNX Runtime", want, got)
        return want

    def ours(self, reference):
        """Every form; `reference` is the float output of ONNX Runtime."""
        sheaf, measured = self.sheaf, self.network.measured
        try:
            bundle = sheaf.bundle("float")
        except Failed as failure:
            if "not supported: " not in str(failure):
                raise
            self.missing = str(failure).split("not supported: ")[1]
            return
        want = sheaf.run(bundle, measured)
        if cosine(reference, want) < 1 - ROUNDING:
            self.faults.append("the float network differs from ONNX Runtime's")
        self.add("float", want, want)
        self.bytes["float"] = sheaf.weight_bytes("float")
        profile = sheaf.capture(bundle.input_names)
        keep = KEEP.get(self.network.name)
        for form, options in FORMS.items():
            options = [o.replace("PROFILE", profile) for o in options]
            if keep and form == "int8":
                options.append("-keep-original-precision-for-nodes=" + ",".join(keep))
            name = form.replace(" ", "_")
            try:
                got = sheaf.run(sheaf.bundle(name, *options), measured)
            except Failed as failure:
                self.faults.append(f"{form}: {failure}")
                continue
            self.add(form, want, got)
            self.bytes[form] = sheaf.weight_bytes(name)
            if form == "int8":
                said = re.search(r"Quantized: (\d+ of \d+)", sheaf.said)
                self.quantized = said[1] if said else ""

    def judge(self):
        """Adds what the figures must not be to the faults."""
        ours, theirs = self.cosine.get("int8"), self.cosine.get("ONNX Runtime")
        name = self.network.name
        if ours is None:
            return
        if theirs is not None and ours < theirs - ROUNDING and not KEEP.get(name):
            self.faults.append(f"int8 has the cosine {ours:.5f}, ONNX Runtime {theirs:.5f}")
        if ours < NEEDED.get(name, 0):
            self.faults.append(f"int8 has the cosine {ours:.5f}, not {NEEDED[name]}")


def print_table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def print_cosines(found):
    forms = ["ONNX Runtime", *FORMS]
    rows = []
    for m in found:
        cells = [f"{m.cosine[f]:.5f}" if f in m.cosine else "" for f in forms]
        counts = f"{len(m.network.calibration)} / {len(m.network.measured)}"
        nodes = m.quantized + (f", kept: {', '.join(KEEP[m.network.name])}"
                               if m.network.name in KEEP else "")
        rows.append([m.network.name, counts, *cells, nodes])
    print_table(["network", "samples", "ONNX Runtime int8", *FORMS, "integer nodes (int8)"], rows)


def print_classes(found):
    forms = ["ONNX Runtime", *FORMS]
    rows = []
    for m in found:
        if m.network.classifies:
            n = len(m.network.measured)
            rows.append([m.network.name,
                         *(f"{m.agreement[f]} of {n}" if f in m.agreement else "" for f in forms),
                         f"{m.right['float']} / {m.right['int8']}" if "int8" in m.right else ""])
    if rows:
        print_table(["network", "ONNX Runtime int8", *FORMS, "right, float / int8"], rows)


def print_sizes(found):
    rows = [[m.network.name, *(f"{m.bytes[f] / 1e6:.3f}" if f in m.bytes else ""
                               for f in ("float", *FORMS))] for m in found]
    print_table(["network", "float", *FORMS], rows)


def measure(network, loader, scratch):
    m = Measurement(network, loader, scratch)
    try:
        m.ours(m.onnx_runtime())
    except Failed as failure:
        m.faults.append(str(failure))
    except Exception:  # of ONNX Runtime or a bundle: the other networks are measured all the same
        m.faults.append(traceback.format_exc(limit=-1).strip())
    m.judge()
    return m


def main():
    loader, data, models, scratch, *words = sys.argv[1:]
    os.makedirs(scratch, exist_ok=True)
    lenet.to_onnx(f"{models}/mnist_lenet", f"{scratch}/lenet.onnx")
    found, missing = [], []
    for network in networks.all_networks(data, models, f"{scratch}/lenet.onnx"):
        if not words or any(word in network.name for word in words):
            print(f"{network.name}", file=sys.stderr, flush=True)
            m = measure(network, loader, scratch)
            (missing if m.missing else found).append(m)
    print("Cosine with the float network:\n")
    print_cosines(found)
    print("Samples with the float network's first class:\n")
    print_classes(found)
    print("Weights, MB:\n")
    print_sizes(found)
    for m in missing:
        print(f"skipped: {m.network.name}: no operator {m.missing}")
    faults = [f"{m.network.name}: {fault}" for m in found for fault in m.faults]
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults or not found else 0


if __name__ == "__main__":
    sys.exit(main())

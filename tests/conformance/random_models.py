#!/usr/bin/env python3
"""Models of few operators each with random shapes, types, attributes and data, and what ONNX
Runtime (or, where it has no such operator, the onnx reference) makes of them:

    random_models.py DIR N [SEED]

Writes N models per generator as DIR/NAME_I/ in the form of ONNX's own test vectors: model.onnx,
test_data_set_0/input_I.pb, test_data_set_0/output_I.pb.  Generators stand in the files random_*.py
beside this one.  Fails where an operator that the importer takes, or a range of its versions, is in
none of the models.
"""

import importlib
import os
import re
import sys
import warnings
import zlib

import onnxruntime

from random_case import Random

MODULES = (
    "elementwise",
    "sums",
    "moves",
    "windows",
    "products",
    "norm",
    "layers",
    "language",
    "quantized",
    "qlinear",
    "control",
    "ml",
    "microsoft",
    "training",
    "contrib",
    "extents",
    "sequence",
    "versions",
)

NEWEST = 1 << 30
DOMAINS = {
    "ONNX_ML": "ai.onnx.ml.",
    "ONNX_MICROSOFT": "com.microsoft.",
    "ONNX_TRAINING": "ai.onnx.preview.training.",
    None: "",
}


def generators():
    all_of_them = {}
    for name in MODULES:
        for generator, make in importlib.import_module(f"random_{name}").OPERATORS.items():
            assert generator not in all_of_them, generator
            all_of_them[generator] = make
    return all_of_them


def operators_of(graph, versions):
    """Pairs of an operator and the version of its domain, also of graphs inside."""
    for node in graph.node:
        yield (f"{node.domain}." if node.domain else "") + node.op_type, versions[node.domain]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from operators_of(attribute.g, versions)


def rows_of_tables():
    """What the importer takes: (operator, first version, last)."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(top, "loader", "import", "onnx", "adapt.def")) as f:
        text = f.read()
    for domain, op, first, last in re.findall(
        r'^ADAPT\((?:(\w+) )?"([^"]+)", (\d+), (\w+),', text, re.M
    ):
        yield DOMAINS[domain or None] + op, int(first), NEWEST if last == "NEWEST" else int(last)
    with open(os.path.join(top, "ir", "ops.def")) as f:
        text = f.read()
    for op in re.findall(r'^OP\(\w+, "(\w+)"', text, re.M):
        yield op, 1, NEWEST


def is_in(made, op, first, last):
    # Versions count those of ONNX; a domain of its own has few.
    return any(name == op and (first <= version <= last or "." in op) for name, version in made)


def main():
    folder, n = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    onnxruntime.set_default_logger_severity(4)
    warnings.simplefilter("ignore")  # NaN and infinities are meant
    made = set()
    for name, make in generators().items():
        for i in range(n):
            r = Random([seed, zlib.crc32(name.encode()), i])
            try:
                model = make(r).write(os.path.join(folder, f"{name}_{i}"))
            except Exception as fault:
                fault.add_note(f"in the model {name}_{i} of seed {seed}")
                raise
            made.update(
                operators_of(model.graph, {o.domain: o.version for o in model.opset_import})
            )
    missing = [row for row in rows_of_tables() if not is_in(made, *row)]
    for op, first, last in missing:
        print(
            f"no model has {op} of versions {first} to {'the newest' if last == NEWEST else last}"
        )
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())

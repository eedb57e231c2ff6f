"""Accuracy of the example's network, float and quantized: example.py LOADER SCRATCH [COUNT]

Compiles both with the example's own Makefile, draws COUNT pictures that neither training nor
calibration has seen, and prints how many of them each gets right.  The exit status is 1 where the
quantized network is more than a point worse.
"""

import os
import subprocess
import sys

import numpy as np

import draw
from bundle import Bundle

SEED = 2000  # not one of those in train/README.md
COUNT = 4096
MOST_POINTS = 1.0
EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(draw.__file__)), "..")


def compiled(loader, folder, quantize):
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["make", "-s", "--no-print-directory", "-C", EXAMPLE, "resnet50",
                    f"BUILD={folder}", f"LOADER={loader}", f"QUANTIZE={quantize}",
                    "LOADER_FLAGS=-mcpu=native"], check=True)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-o", f"{folder}/resnet50.so",
                    f"{folder}/resnet50.o"], check=True)
    return Bundle(folder, "resnet50")


def classify(bundle, pictures):
    found = []
    for picture in pictures:
        bundle.inputs[0][0] = picture.transpose(2, 0, 1).astype(np.float32) / 255
        bundle.run()
        found.append(bundle.outputs[0].argmax())
    return np.array(found)


def main():
    loader, scratch = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else COUNT
    loader, scratch = os.path.abspath(loader), os.path.abspath(scratch)
    pictures, labels = draw.draw(SEED, count)
    classes = {q: classify(compiled(loader, f"{scratch}/example_{q}", q), pictures)
               for q in ("NO", "YES")}
    right = {q: (c == labels).sum() for q, c in classes.items()}
    lost = 100 * (right["NO"] - right["YES"]) / count
    print(f"compile_resnet50, {count} fresh pictures: float {right['NO'] / count:.2%}, "
          f"int8 {right['YES'] / count:.2%}, {lost:.2f} points lost, "
          f"the same class for {(classes['NO'] == classes['YES']).sum()}\n")
    return 1 if lost > MOST_POINTS else 0


if __name__ == "__main__":
    sys.exit(main())

"""Draws the pictures kept beside the example; needs numpy only.

    python make_images.py

writes into ../images one sample LABEL_CLASSNAME.png per class, and as many
fresh pictures as fit into a file below 2 MB, tiled in eval_sheet.png, with
their labels in eval_labels.txt.
"""

import argparse
import os

import numpy as np

import draw
import png
import shapes

SAMPLE_SEED = 4
SHEET_SEED = 5
SHEET_COUNT = 240
COLUMNS = 16
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "images")


def main():
    parser = argparse.ArgumentParser(description="Draws the example's pictures.")
    parser.add_argument("--out", default=FOLDER)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)

    pictures, labels = draw.draw(SAMPLE_SEED, draw.BLOCK)
    for label, name in enumerate(shapes.NAMES):
        first = np.flatnonzero(labels == label)[0]
        path = os.path.join(options.out, f"{label:02d}_{name}.png")
        png.write(path, pictures[first])

    pictures, labels = draw.draw(SHEET_SEED, SHEET_COUNT)
    path = os.path.join(options.out, "eval_sheet.png")
    png.write(path, png.sheet(pictures, COLUMNS))
    with open(os.path.join(options.out, "eval_labels.txt"), "w") as file:
        file.write("".join(f"{label}\n" for label in labels))


if __name__ == "__main__":
    main()

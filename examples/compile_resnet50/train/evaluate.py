"""Measures the exported model on freshly drawn pictures; needs numpy only.

    python evaluate.py --seed 1000 --count 8192

prints the top-1 accuracy over all pictures and per class, and the commonest
mistakes.
"""

import argparse
import os

import numpy as np

import caffe2_run
import draw
import shapes

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "resnet50")


def main():
    parser = argparse.ArgumentParser(description="Measures the exported model.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--model", default=MODEL, help="folder of the two nets")
    options = parser.parse_args()
    pictures, labels = draw.draw(options.seed, options.count)
    guesses = caffe2_run.Model(options.model).classify(pictures).argmax(1)
    right = guesses == labels
    print(f"{right.sum()} of {len(right)} right: {right.mean():.2%}")
    classes = len(shapes.NAMES)
    mistakes = np.zeros((classes, classes), int)
    np.add.at(mistakes, (labels, guesses), ~right)
    for label, name in enumerate(shapes.NAMES):
        mine = labels == label
        if mine.any():
            print(f"  {name:13}{right[mine].mean():8.2%} of {mine.sum()}")
    for index in np.argsort(-mistakes, axis=None, kind="stable")[:8]:
        label, guess = divmod(int(index), classes)
        times = mistakes[label, guess]
        if times:
            print(f"  {times} x {shapes.NAMES[label]} taken for {shapes.NAMES[guess]}")


if __name__ == "__main__":
    main()

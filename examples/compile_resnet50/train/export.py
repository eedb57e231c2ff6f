"""Writes the trained network as a Caffe2 model and checks what it wrote.

    python export.py DIR/net.pt

writes predict_net.pb, init_net.pb, labels.txt and test_data_set_0 to _2 (an
input, the picture it comes from and the output that PyTorch computes for it)
into ../resnet50, reads the model back with an independent evaluator and
compares that with PyTorch.
"""

import argparse
import os
import sys

import numpy as np
import torch

import caffe2_export
import caffe2_run
import draw
import png
import shapes
from evaluate import MODEL
from model import ResNet50
from train import as_input

SEED = 3
COUNT = 1024
TOLERANCE = 1e-5
LIMIT = 2_000_000  # bytes of init_net.pb


def write(folder, name, content):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def probabilities(net, pictures):
    with torch.no_grad():
        parts = [net(as_input(part)).softmax(1) for part in np.split(pictures, 16)]
    return torch.cat(parts).numpy()


def main():
    parser = argparse.ArgumentParser(description="Exports the trained network.")
    parser.add_argument("weights", help="net.pt, as train.py writes it")
    parser.add_argument("--out", default=MODEL)
    options = parser.parse_args()

    net = ResNet50(len(shapes.NAMES))
    net.load_state_dict(torch.load(options.weights, weights_only=True))
    net.eval()
    weights = caffe2_export.init_net(net.state_dict())
    write(options.out, "predict_net.pb", caffe2_export.predict_net())
    write(options.out, "init_net.pb", weights)
    labels = "".join(name + "\n" for name in shapes.NAMES)
    write(options.out, "labels.txt", labels.encode())

    pictures, truth = draw.draw(SEED, COUNT)
    expected = probabilities(net, pictures)
    # Two pictures as they come, and the one the network is least sure about.
    chosen = (0, 1, int(expected.max(1).argmin()))
    for number, index in enumerate(chosen):
        folder = f"test_data_set_{number}"
        inputs = as_input(pictures[index : index + 1])
        with torch.no_grad():
            outputs = net(inputs).softmax(1)
        for name, blob, values in (
            ("input_0.pb", caffe2_export.DATA, inputs),
            ("output_0.pb", caffe2_export.RESULT, outputs),
        ):
            encoded = caffe2_export.tensor(blob, values.numpy())
            write(options.out, os.path.join(folder, name), encoded)
        png.write(os.path.join(options.out, folder, "input_0.png"), pictures[index])

    result = caffe2_run.Model(options.out).classify(pictures)
    difference = np.abs(result - expected).max()
    score = (result.argmax(1) == truth).mean()
    print(f"{sum(p.numel() for p in net.parameters())} parameters")
    print(f"init_net.pb has {len(weights)} bytes")
    print(f"{COUNT} pictures: {score:.2%} right")
    print(f"largest difference from PyTorch: {difference:.1e}")
    if difference > TOLERANCE or len(weights) > LIMIT:
        sys.exit("the exported model is wrong or too large")


if __name__ == "__main__":
    main()

"""Trains the network on pictures drawn for it and saves its weights.

    python train.py --out DIR

draws the training pictures into memory, trains, prints the accuracy on other
pictures after every epoch and writes DIR/net.pt.  See README.md for the figures.
"""

import argparse
import os
import time

import numpy as np
import torch
from torch import nn

import draw
import shapes
from model import ResNet50

TRAIN_SEED = 1
VALIDATION_SEED = 2
VALIDATION_COUNT = 4096
PICTURES = 200_000
EPOCHS = 12
BATCH = 128
PEAK_RATE = 0.2
WARM_UP = 500  # steps
DECAY = 2e-4
CHANNEL_ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def as_input(pictures):
    """N x 64 x 64 x 3 bytes as a batch of the network's input, 0 to 1."""
    pictures = torch.from_numpy(np.ascontiguousarray(pictures))
    return pictures.permute(0, 3, 1, 2).float().div_(255)


def varied(pictures, rng):
    """The pictures turned, mirrored, recoloured and inverted at random, an
    eighth of them at a time.  Each result could have been drawn as well."""
    parts = []
    for quarter_turns, part in enumerate(np.array_split(pictures, 8)):
        part = np.rot90(part, quarter_turns, (1, 2))
        if rng.random() < 0.5:
            part = part[:, :, ::-1]
        part = part[..., CHANNEL_ORDERS[rng.integers(6)]]
        parts.append(255 - part if rng.random() < 0.5 else part)
    return np.concatenate(parts)


def rate(step, steps):
    """The learning rate: a linear rise, then half a cosine down to zero."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    part = (step - WARM_UP) / (steps - WARM_UP)
    return PEAK_RATE * 0.5 * (1 + np.cos(np.pi * part))


def accuracy(net, pictures, labels):
    net.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(pictures), 256):
            logits = net(as_input(pictures[start : start + 256]))
            right += (logits.argmax(1).numpy() == labels[start : start + 256]).sum()
    return right / len(pictures)


def train(net, pictures, labels, checked, epochs, save):
    # Scales, offsets and biases are left to grow as they like.
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    groups = [
        {"params": weights, "weight_decay": DECAY},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=0.9, nesterov=True)
    rng = np.random.default_rng(TRAIN_SEED)
    per_epoch = len(pictures) // BATCH
    began = time.monotonic()
    for epoch in range(epochs):
        net.train()
        order = rng.permutation(len(pictures))
        total = 0.0
        for index in range(per_epoch):
            step = epoch * per_epoch + index
            for group in optimizer.param_groups:
                group["lr"] = rate(step, epochs * per_epoch)
            batch = order[index * BATCH : (index + 1) * BATCH]
            inputs = as_input(varied(pictures[batch], rng))
            targets = torch.from_numpy(labels[batch].astype(np.int64))
            loss = nn.functional.cross_entropy(net(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            if index % 200 == 199:
                minutes = (time.monotonic() - began) / 60
                print(f"  step {step + 1}: loss {total / 200:.4f}, {minutes:.1f} min")
                total = 0.0
        minutes = (time.monotonic() - began) / 60
        score = accuracy(net, *checked)
        print(f"epoch {epoch + 1}: {score:.2%} right, {minutes:.1f} min", flush=True)
        save()


def main():
    parser = argparse.ArgumentParser(description="Trains the network.")
    parser.add_argument("--out", required=True, help="folder for net.pt")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(TRAIN_SEED)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    os.makedirs(options.out, exist_ok=True)
    net = ResNet50(len(shapes.NAMES)).to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in net.parameters())} parameters")
    began = time.monotonic()
    pictures, labels = draw.draw(TRAIN_SEED, options.pictures)
    seconds = time.monotonic() - began
    print(f"{len(pictures)} pictures drawn in {seconds:.0f} s", flush=True)
    checked = draw.draw(VALIDATION_SEED, VALIDATION_COUNT)

    def save():
        torch.save(net.state_dict(), os.path.join(options.out, "net.pt"))

    train(net, pictures, labels, checked, options.epochs, save)


if __name__ == "__main__":
    main()

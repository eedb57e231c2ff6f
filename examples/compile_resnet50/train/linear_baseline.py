"""Measures how far a linear classifier gets: logistic regression on the pixels.

    python linear_baseline.py

trains on as many pictures as the network and as many times, at two learning
rates, and prints the best accuracy reached on fresh pictures after any epoch.
"""

import argparse

import numpy as np
import torch
from torch import nn

import draw
import shapes
from train import EPOCHS, PICTURES, TRAIN_SEED

SEED = 1000
COUNT = 8192
BATCH = 256
RATES = (1e-4, 1e-3)


def as_rows(pictures):
    rows = torch.from_numpy(pictures.reshape(len(pictures), -1))
    return rows.float().div_(127.5).sub_(1)


def main():
    parser = argparse.ArgumentParser(description="Measures a linear classifier.")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    options = parser.parse_args()
    torch.manual_seed(TRAIN_SEED)
    pictures, labels = draw.draw(TRAIN_SEED, options.pictures)
    fresh, truth = draw.draw(SEED, COUNT)
    fresh = as_rows(fresh)
    best = 0.0
    for rate in RATES:
        model = nn.Linear(fresh.shape[1], len(shapes.NAMES))
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        for epoch in range(EPOCHS):
            order = np.random.default_rng(epoch).permutation(len(pictures))
            right = 0
            for start in range(0, len(order), BATCH):
                batch = order[start : start + BATCH]
                targets = torch.from_numpy(labels[batch].astype(np.int64))
                logits = model(as_rows(pictures[batch]))
                loss = nn.functional.cross_entropy(logits, targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                right += (logits.argmax(1) == targets).sum().item()
            with torch.no_grad():
                score = (model(fresh).argmax(1).numpy() == truth).mean()
            best = max(best, score)
            print(
                f"rate {rate}, epoch {epoch + 1}: {score:.2%} right, "
                f"{right / len(order):.2%} while training",
                flush=True,
            )
    print(f"best: {best:.2%}")


if __name__ == "__main__":
    main()

"""Draws labelled pictures of shapes and textures; needs numpy only.

    python draw.py --seed 12345 --count 1000 --out DIR

writes NNNN_LABEL_CLASSNAME.png for N = 0000 on, and labels.txt with one line
"NNNN_LABEL_CLASSNAME.png LABEL" per picture.  With --sheet COLUMNS it writes
one picture sheet.png in which all of them are tiled row by row, and labels.txt
holds one label per line in the same order.

A picture is 64x64 RGB: a shape or texture of random colour, size, position,
rotation and stretch on a background, both with a colour gradient; blobs behind
it; lines and a rectangle in front of it; blur and noise on top.  Which picture
comes out depends on the seed and the picture's number alone.
"""

import argparse
import os

import numpy as np

import png
import shapes

SIZE = 64
PER_CLASS = 16  # pictures of every class in a block
BLOCK = PER_CLASS * len(shapes.CLASSES)

CENTRES = np.arange(SIZE, dtype=np.float32) - np.float32(SIZE / 2 - 0.5)
X = CENTRES[None, None, :]
Y = CENTRES[None, :, None]


def random_source(rng, count):
    """A function that returns one number of an interval for each picture."""

    def rnd(low, high, *more):
        values = low + (high - low) * rng.random((count, *(more or (1, 1))))
        return values.astype(np.float32)

    return rnd


def rotated(x, y, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def cover(distance):
    """The part of a pixel inside an outline, of the distance in pixels."""
    return np.clip(np.float32(0.5) - distance, 0, 1)


def paint(canvas, part, colour):
    """Blends a colour over the canvas where `part` is 1."""
    canvas += part[:, None] * (colour - canvas)


def gradient(rnd, colour):
    """The colour, drifting along one direction by up to `drift` in all."""
    x, _ = rotated(X, Y, rnd(0, 2 * np.pi))
    drift = rnd(-0.3, 0.3, 3, 1, 1)
    return colour + (x / SIZE)[:, None] * drift


def contrasting(rnd, colour, candidates):
    """A colour far from the given one: the farthest of some random ones,
    moved towards it again by up to a third."""
    others = rnd(0, 1, candidates, 3)
    apart = np.square(others - colour.reshape(-1, 1, 3)).sum(2)
    other = others[np.arange(len(others)), apart.argmax(1)].reshape(colour.shape)
    return colour + (other - colour) * rnd(0.67, 1, 1, 1, 1)


def outline(label, rnd):
    """The distance in pixels to the outline of a class."""
    function = shapes.CLASSES[label]
    angle = rnd(0, 2 * np.pi)
    stretch = rnd(0.87, 1.15)
    if function in shapes.TEXTURES:
        u, v = rotated(X - rnd(-16, 16), Y - rnd(-16, 16), angle)
        return function(u * stretch, v / stretch, rnd)
    scale = rnd(15, 26)
    room = SIZE / 2 + 1 - scale
    u, v = rotated(X - room * rnd(-1, 1), Y - room * rnd(-1, 1), angle)
    return function(u * (stretch / scale), v / (stretch * scale), rnd) * scale


def blob(rnd):
    u, v = rotated(X - rnd(-32, 32), Y - rnd(-32, 32), rnd(0, np.pi))
    radius = rnd(1.5, 5)
    return shapes.length(u, v * rnd(1, 2)) - radius


def line(rnd):
    u, v = rotated(X - rnd(-32, 32), Y - rnd(-32, 32), rnd(0, np.pi))
    return shapes.box(u, v, rnd(6, 30), rnd(0.3, 1))


def patch(rnd):
    u, v = rotated(X - rnd(-28, 28), Y - rnd(-28, 28), rnd(0, np.pi))
    return shapes.box(u, v, rnd(3, 6), rnd(3, 6))


def blurred(canvas, weight):
    """Mixes every pixel with its four neighbours, each of which counts
    `weight` as much along its axis; the border repeats."""
    for axis in (2, 3):
        first = [slice(None)] * 4
        last = [slice(None)] * 4
        first[axis], last[axis] = slice(0, 1), slice(-1, None)
        wide = np.concatenate((canvas[tuple(first)], canvas, canvas[tuple(last)]), axis)
        before, after = [slice(None)] * 4, [slice(None)] * 4
        before[axis], after[axis] = slice(0, -2), slice(2, None)
        canvas *= 1 - 2 * weight
        canvas += weight * (wide[tuple(before)] + wide[tuple(after)])
    return canvas


def noise(rng, shape):
    """Bell-shaped noise of unit variance: the sum of three random bytes."""
    count = int(np.prod(shape))
    raw = rng.bit_generator.random_raw(-(-3 * count // 8)).view(np.uint8)
    raw = raw[: 3 * count].reshape(3, *shape)
    total = raw[0].astype(np.float32)
    total += raw[1]
    total += raw[2]
    total -= np.float32(3 * 127.5)
    total *= np.float32(1 / 128)
    return total


def render(label, count, rng):
    """Pictures of one class, count x 64 x 64 x 3 bytes."""
    rnd = random_source(rng, count)

    def maybe(chance, distance):
        return cover(distance) * (rnd(0, 1) < chance)

    ground = rnd(0, 1, 3, 1, 1)
    canvas = gradient(rnd, ground)
    for _ in range(3):
        paint(canvas, maybe(0.6, blob(rnd)), rnd(0, 1, 3, 1, 1))
    colour = gradient(rnd, contrasting(rnd, ground, 4))
    paint(canvas, cover(outline(label, rnd)), colour)
    for _ in range(2):
        paint(canvas, maybe(0.5, line(rnd)), rnd(0, 1, 3, 1, 1))
    paint(canvas, maybe(0.6, patch(rnd)), rnd(0, 1, 3, 1, 1))
    canvas = blurred(canvas, rnd(0, 0.3, 1, 1, 1))
    canvas = blurred(canvas, rnd(0, 0.3, 1, 1, 1))
    strength = rnd(0, 1, 1, 1, 1)
    canvas += noise(rng, canvas.shape) * (strength**3 * np.float32(0.1))
    pixels = np.clip(canvas * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
    return pixels.transpose(0, 2, 3, 1)


def block(seed, number):
    """The pictures number * BLOCK on of a seed, and their labels."""
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    order = np.argsort(rng.random(BLOCK), kind="stable")
    classes = range(len(shapes.CLASSES))
    pictures = np.concatenate([render(c, PER_CLASS, rng) for c in classes])
    labels = np.repeat(np.arange(len(classes), dtype=np.uint8), PER_CLASS)
    return pictures[order], labels[order]


def draw(seed, count):
    """The first pictures of a seed, N x 64 x 64 x 3 bytes, and their labels."""
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    labels = np.empty(count, np.uint8)
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        some, their_labels = block(seed, start // BLOCK)
        pictures[start:stop] = some[: stop - start]
        labels[start:stop] = their_labels[: stop - start]
    return pictures, labels


def main():
    parser = argparse.ArgumentParser(description="Draws labelled pictures.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument(
        "--sheet", type=int, metavar="COLUMNS", help="write one tiled picture"
    )
    options = parser.parse_args()
    pictures, labels = draw(options.seed, options.count)
    os.makedirs(options.out, exist_ok=True)
    lines = []
    if options.sheet:
        path = os.path.join(options.out, "sheet.png")
        png.write(path, png.sheet(pictures, options.sheet))
        lines = [str(label) for label in labels]
    else:
        for index, (picture, label) in enumerate(zip(pictures, labels)):
            name = f"{index:04d}_{label}_{shapes.NAMES[label]}.png"
            png.write(os.path.join(options.out, name), picture)
            lines.append(f"{name} {label}")
    with open(os.path.join(options.out, "labels.txt"), "w") as file:
        file.write("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()

"""The classes: sixteen shapes and textures, each as a signed distance.

A shape gets coordinates (u, v) in which it fills about the unit circle, and
returns the distance to its outline in the same unit, negative inside.  A
texture covers the plane and gets coordinates in pixels.  All arrays have the
form pictures x rows x columns; `rnd(low, high)` returns one random number
per picture, shaped so that it broadcasts over the pixels.
"""

import numpy as np

PI = np.float32(np.pi)


def length(u, v):
    return np.sqrt(u * u + v * v)


def box(u, v, width, height):
    return np.maximum(np.abs(u) - width, np.abs(v) - height)


def fold(x, period):
    """Distance from x to the nearest multiple of the period."""
    return np.abs(x - period * np.rint(x / period))


def disc(u, v, rnd):
    return length(u, v) - np.float32(0.88)


def ring(u, v, rnd):
    return np.abs(length(u, v) - np.float32(0.74)) - rnd(0.11, 0.2)


def square(u, v, rnd):
    return box(u, v, np.float32(0.74), np.float32(0.74))


def triangle(u, v, rnd):
    side = np.float32(np.sqrt(0.75)) * np.abs(u) + np.float32(0.5) * v
    return np.maximum(side, -v) - np.float32(0.52)


def star(u, v, rnd):
    """Five tips at radius 1, the corners between them at a smaller radius."""
    sector = 2 * PI / 5
    angle = fold(np.arctan2(v, u), sector)
    radius = length(u, v)
    inner = rnd(0.4, 0.46)
    edge_u = inner * np.cos(sector / 2) - 1
    edge_v = inner * np.sin(sector / 2)
    across = radius * np.sin(angle) * -edge_u + (radius * np.cos(angle) - 1) * edge_v
    return across / length(edge_u, edge_v)


def cross(u, v, rnd):
    arm = np.float32(0.95)
    width = rnd(0.2, 0.3)
    return np.minimum(box(u, v, arm, width), box(u, v, width, arm))


def crescent(u, v, rnd):
    bite = rnd(0.36, 0.5)
    outside = length(u, v) - np.float32(0.95)
    return np.maximum(outside, np.float32(0.78) - length(u - bite, v))


def heart(u, v, rnd):
    """A square with a disc on two neighbouring sides."""
    half = np.float32(0.52)
    u = u + np.float32(0.16)
    v = v + np.float32(0.16)
    discs = np.minimum(length(u - half, v), length(u, v - half)) - half
    return np.minimum(box(u, v, half, half), discs)


def arrow(u, v, rnd):
    shaft = box(u + np.float32(0.35), v, np.float32(0.6), rnd(0.13, 0.2))
    slope = np.float32(0.8) * np.abs(v) + np.float32(0.6) * u - np.float32(0.58)
    head = np.maximum(slope, np.float32(0.1) - u)
    return np.minimum(shaft, head)


def gear(u, v, rnd):
    radius = length(u, v)
    teeth = np.floor(rnd(7, 10))
    wave = np.sin(np.arctan2(v, u) * teeth)
    edge = np.float32(0.8) + np.float32(0.14) * np.clip(wave * 3, -1, 1)
    return np.maximum((radius - edge) * np.float32(0.8), rnd(0.2, 0.32) - radius)


def spiral(u, v, rnd):
    radius = length(u, v)
    pitch = rnd(0.38, 0.46)
    turn = np.where(rnd(0, 1) < 0.5, PI, -PI) * 2
    arm = fold(radius - np.arctan2(v, u) / turn * pitch, pitch) - pitch * rnd(0.2, 0.3)
    return np.maximum(arm, radius - 1)


def hourglass(u, v, rnd):
    slant = rnd(0.65, 0.9)
    across = (np.abs(v) - slant * np.abs(u)) / np.sqrt(1 + slant * slant)
    return np.maximum(across - np.float32(0.04), np.abs(u) - np.float32(0.8))


def checkerboard(u, v, rnd):
    cell = rnd(6, 11)
    wave = np.sin(u * (PI / cell)) * np.sin(v * (PI / cell))
    return wave * (cell / PI)


def stripes(u, v, rnd):
    period = rnd(7, 14)
    return fold(u, period) - period * rnd(0.2, 0.3)


def waves(u, v, rnd):
    period = rnd(9, 14)
    length_along = rnd(16, 26)
    phase = v * (2 * PI / length_along)
    height = length_along * rnd(0.16, 0.22)
    bent = u + height * np.sin(phase)
    steep = np.float32(0.75)  # about the cosine of the mean slope
    return (fold(bent, period) - period * rnd(0.2, 0.3)) * steep


def dots(u, v, rnd):
    period = rnd(10, 16)
    return length(fold(u, period), fold(v, period)) - period * rnd(0.24, 0.34)


SHAPES = (
    disc, ring, square, triangle, star, cross, crescent, heart, arrow, gear,
    spiral, hourglass,
)  # fmt: skip
TEXTURES = (checkerboard, stripes, waves, dots)
CLASSES = SHAPES + TEXTURES
NAMES = tuple(function.__name__ for function in CLASSES)

"""A writer for PNG files, 8 bit RGB."""

import struct
import zlib

import numpy as np


def filtered(pixels):
    """The scan lines of height x width x 3 pixels, each behind the PNG filter
    that makes its bytes smallest."""
    height, width, _ = pixels.shape
    here = np.zeros((height + 1, width + 1, 3), np.int16)
    here[1:, 1:] = pixels
    left, up, corner = here[1:, :-1], here[:-1, 1:], here[:-1, :-1]
    here = here[1:, 1:]
    slope = left + up - corner
    far_left, far_up, far_corner = (abs(slope - x) for x in (left, up, corner))
    paeth = np.where(
        (far_left <= far_up) & (far_left <= far_corner),
        left,
        np.where(far_up <= far_corner, up, corner),
    )
    guesses = (np.zeros_like(here), left, up, (left + up) // 2, paeth)
    lines = np.stack([(here - guess).astype(np.uint8) for guess in guesses])
    lines = lines.reshape(len(guesses), height, -1)
    weight = np.abs(lines.view(np.int8).astype(np.int32)).sum(2)
    best = weight.argmin(0)
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = best
    rows[:, 1:] = lines[best, np.arange(height)]
    return rows.tobytes()


def chunk(kind, data):
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def write(path, pixels):
    """Writes height x width x 3 bytes."""
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    zipper = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    body = zipper.compress(filtered(pixels)) + zipper.flush()
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(chunk(b"IHDR", header))
        file.write(chunk(b"IDAT", body))
        file.write(chunk(b"IEND", b""))


def sheet(pictures, columns):
    """Tiles N x size x size x 3 pictures row by row; black fills up the last row."""
    count, size = pictures.shape[:2]
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, size, size, 3), np.uint8)
    tiles[:count] = pictures
    tiles = tiles.reshape(rows, columns, size, size, 3).swapaxes(1, 2)
    return np.ascontiguousarray(tiles).reshape(rows * size, columns * size, 3)

"""Random models of windows that move over images: convolutions, pools, and what takes elements
of an image from places that are computed."""

import numpy as np

from random_case import BFLOAT16, Case, i64, types_of

COMMON = (np.float32, np.float16, BFLOAT16)  # the reference has faults in pools of f64


def window(r, spatial, sizes, pool=False):
    """Window attributes, and an input extent that fits, per dimension."""
    kernel = [r.int(1, sizes) for _ in range(spatial)]
    a = {"strides": [r.int(1, 3) for _ in range(spatial)]}
    mode = r.one_of("none", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
    dilated = mode in ("none", "pads")
    dilations = [r.int(1, 2) if dilated else 1 for _ in range(spatial)]
    if dilated:
        a["dilations"] = dilations
    if mode == "pads":
        a["pads"] = [r.int(0, k - 1 if pool else k) for k in kernel + kernel]
    elif mode != "none":
        a["auto_pad"] = mode
        a["strides"] = [min(s, k) for s, k in zip(a["strides"], kernel)]
    extent = [(k - 1) * d + r.int(1, 5) for k, d in zip(kernel, dilations)]
    return kernel, extent, a


def conv(r):
    spatial, group = r.int(1, 3), r.one_of(1, 1, 2, 3)
    kernel, extent, a = window(r, spatial, 3)
    ic, oc = group * r.int(1, 3), group * r.int(1, 3)
    if r.chance(0.2):
        group = oc = ic
    t = r.one_of(*types_of("Conv"))
    x = r.floats([r.int(0 if r.chance(0.05) else 1, 2), ic] + extent, dtype=t)
    w = r.floats([oc, ic // group] + kernel, dtype=t)
    b = r.one_of(None, r.floats([oc], dtype=t))
    return Case(
        "Conv", [x, w, b], r.one_of([], [1], [1, 2] if b is not None else [1]), group=group, **a
    )


def lrn(r):
    x = r.floats(r.shape(4, 4), dtype=r.one_of(*types_of("LRN")))
    a = {
        "size": r.one_of(1, 3, 5),
        "alpha": 0.25,
        "beta": r.one_of(0.75, 0.5, 0.625),
        "bias": r.one_of(1.0, 2.0),
    }
    case = Case("LRN", [x], **a)

    def run():
        """The reference finds no end of more channels than there are."""
        squares = np.pad(x * x, [(0, 0), (a["size"] // 2,) * 2, (0, 0), (0, 0)])
        sums = sum(squares[:, i : i + x.shape[1]] for i in range(a["size"]))
        return [x / (a["bias"] + a["alpha"] / a["size"] * sums) ** a["beta"]]

    if x.dtype == np.float64:
        case.run = run
    return case


def max_pool(r):
    kernel, extent, a = window(r, r.int(1, 3), 3, pool=True)
    if "auto_pad" not in a:
        a["ceil_mode"] = r.int(0, 1)
    shape = [r.int(1, 2), r.int(1, 3)] + extent
    x = r.numbers(shape, r.one_of(*types_of("MaxPool")))
    return Case("MaxPool", [x], kernel_shape=kernel, **a)


def average_pool(r):
    kernel, extent, a = window(r, r.int(1, 3), 3, pool=True)
    if "auto_pad" not in a:
        a["ceil_mode"] = r.int(0, 1)
    x = r.floats([r.int(1, 2), r.int(1, 3)] + extent, dtype=r.one_of(*COMMON))
    return Case("AveragePool", [x], kernel_shape=kernel, count_include_pad=r.int(0, 1), **a)


def global_average_pool(r):
    t = r.one_of(*types_of("GlobalAveragePool"))
    return Case("GlobalAveragePool", [r.floats(r.shape(3, 5), dtype=t)])


def resize(r):
    shape = (r.int(1, 2), r.int(1, 3), r.int(2, 9), r.int(2, 9))
    mode = r.one_of("nearest", "linear", "cubic")
    # By sizes, where no rounding of scales makes implementations differ.
    a = {
        "mode": mode,
        "coordinate_transformation_mode": r.one_of(
            "half_pixel",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric",
            "half_pixel_symmetric",
        ),
        "axes": r.one_of([2, 3], [3, 2], [3], [2]),
    }
    if mode == "nearest":
        a["nearest_mode"] = r.one_of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    elif r.chance(0.3):
        a["antialias"] = 1
    if mode == "cubic":
        a["cubic_coeff_a"] = r.one_of(-0.75, -0.5)
        a["exclude_outside"] = r.int(0, 1)
    sizes = r.ints(len(a["axes"]), 2, 17)
    if r.chance(0.1):  # coordinates that are halves, but not where they are rounded to f32
        shape, sizes = shape[:2] + (7, 7), i64([r.one_of(2, 4, 8) for _ in a["axes"]])
    x = r.floats(shape)
    # The reference mistakes neighbours where a coordinate is whole but for the last bit.
    return Case("Resize", [x, None, None, sizes], [3], exact=mode != "nearest", **a)


def grid_sample(r):
    n, c, dims = r.int(1, 2), r.int(1, 3), r.shape(2, 3)
    mode = (
        r.one_of("nearest", "linear", "cubic") if len(dims) == 2 else r.one_of("nearest", "linear")
    )
    grid = r.g.uniform(-1.6, 1.6, (n, *r.shape(len(dims), len(dims)), len(dims))).astype(np.float32)
    padding = r.one_of("zeros", "border", "reflection")
    align = r.int(0, 1) if min(dims) > 1 else 0
    x = r.floats((n, c, *dims))
    return Case("GridSample", [x, grid], mode=mode, padding_mode=padding, align_corners=align)


def affine_grid(r):
    n, dims = r.int(1, 3), tuple(d + 1 for d in r.shape(2, 3))
    theta = r.floats((n, len(dims), len(dims) + 1))
    size = i64((n, 2) + dims)
    return Case("AffineGrid", [theta, size], [1], align_corners=r.int(0, 1))


def roi_align(r):
    n, c, h, w, rois = r.int(1, 2), r.int(1, 3), r.int(2, 9), r.int(2, 9), r.int(1, 4)
    low, extent = r.g.uniform(-2, 9, (rois, 2)), r.g.uniform(0.5, 9, (rois, 2))
    boxes = np.concatenate([low, low + extent], axis=1).astype(np.float32)
    a = {"output_height": r.int(1, 4), "output_width": r.int(1, 4), "sampling_ratio": r.int(0, 3)}
    a["coordinate_transformation_mode"] = r.one_of("half_pixel", "output_half_pixel")
    a["mode"] = r.one_of("avg", "max")
    a["spatial_scale"] = r.one_of(1.0, 0.5)
    return Case("RoiAlign", [r.floats((n, c, h, w)), boxes, r.ints(rois, 0, n - 1)], **a)


def col2im(r):
    block, strides, dilations = ([r.int(1, 3) for _ in range(2)] for _ in range(3))
    pads = [r.int(0, 2) for _ in range(4)]
    places = [r.int(1, 4) for _ in range(2)]
    image = [
        max(
            1,
            (places[i] - 1) * strides[i]
            + dilations[i] * (block[i] - 1)
            + 1
            - pads[i]
            - pads[i + 2],
        )
        for i in range(2)
    ]
    room = [image[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1 for i in range(2)]
    n = int(np.prod([a // s + 1 for a, s in zip(room, strides)]))
    x = r.floats((r.int(1, 2), r.int(1, 3) * block[0] * block[1], n))
    a = {"pads": pads, "strides": strides, "dilations": dilations}
    return Case("Col2Im", [x, i64(image), i64(block)], [1, 2], **a)


OPERATORS = {
    "Conv": conv,
    "LRN": lrn,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "Resize": resize,
    "GridSample": grid_sample,
    "AffineGrid": affine_grid,
    "RoiAlign": roi_align,
    "Col2Im": col2im,
}

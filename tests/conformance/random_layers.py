"""Random models of convolutional and recurrent layers and of what attention is made of."""

import numpy as np
from random_case import Case


def conv_transpose(r):
    n = r.int(1, 3)
    group = r.one_of(1, 1, 2, 3)
    c, m = group * r.int(1, 4), r.int(1, 4)
    kernel = [r.int(1, 4) for _ in range(n)]
    a = {
        "strides": [r.int(1, 3) for _ in range(n)],
        "dilations": [r.one_of(1, 1, 2, 3) for _ in range(n)],
        "group": group,
    }
    image = [r.int(2, 6) for _ in range(n)]
    if r.chance(0.1):
        a["strides"] = [9] * n
    full = [
        (image[d] - 1) * a["strides"][d] + (kernel[d] - 1) * a["dilations"][d] + 1 for d in range(n)
    ]
    form = r.one_of("pads", "pads", "shape", "same")
    if form == "same":
        # ONNX Runtime never adds to the full size, whatever ONNX says.
        a["strides"] = [min(a["strides"][d], kernel[d]) for d in range(n)]
        a["auto_pad"] = r.one_of("SAME_UPPER", "SAME_LOWER")
    elif form == "shape":
        a["output_shape"] = [r.int(max(1, f - 3), f) for f in full]
    else:
        a["pads"] = [r.int(0, min(2, (full[d] - 1) // 2)) for d in range(n)] * 2
        a["output_padding"] = [r.int(0, s - 1) for s in a["strides"]]
    bias = r.one_of(None, r.floats([group * m]))
    return Case(
        "ConvTranspose", [r.floats([r.int(1, 2), c] + image), r.floats([c, m] + kernel), bias], **a
    )


def deform_conv(r):
    group, offsets, n = r.int(1, 2), r.int(1, 2), r.int(1, 2)
    c, m = group * offsets * r.int(1, 2), group * r.int(1, 3)
    kernel, image = [r.int(1, 3), r.int(1, 3)], [r.int(3, 6), r.int(3, 6)]
    pads = [r.int(0, 1), r.int(0, 1)] * 2
    out = [image[d] + 2 * pads[d] - kernel[d] + 1 for d in range(2)]
    taps = offsets * kernel[0] * kernel[1]
    inputs = [
        r.floats([n, c] + image),
        r.floats([m, c // group] + kernel),
        r.floats([n, 2 * taps] + out, 1.5),
        r.one_of(None, r.floats([m])),
        r.one_of(None, r.floats([n, taps] + out)),
    ]
    return Case("DeformConv", inputs, exact=True, group=group, offset_group=offsets, pads=pads)


def in_f64(case):
    """What ONNX Runtime has not; the reference runs forwards, all sequences to their end."""
    case.inputs[4] = None
    case.inputs = [None if x is None else x.astype(np.float64) for x in case.inputs]
    return case


def recurrent(op, gates, activations):
    def make(r):
        t, b, i, h = r.int(1, 4), r.int(1, 3), r.int(1, 5), r.int(1, 5)
        direction = r.one_of("forward", "reverse", "bidirectional")
        d = 2 if direction == "bidirectional" else 1
        lens = np.sort(r.ints([b], 1, t, np.int32))[::-1].copy()
        inputs = [
            r.floats([t, b, i], 1),
            r.floats([d, gates * h, i], 0.5),
            r.floats([d, gates * h, h], 0.5),
            r.one_of(None, r.floats([d, 2 * gates * h], 0.5)),
            r.one_of(None, lens),
            r.one_of(None, r.floats([d, b, h], 0.5)),
        ]
        a = {"hidden_size": h, "direction": direction}
        if gates > 1:
            a["linear_before_reset"] = r.int(0, 1)
        if d == 1 and direction == "forward" and r.chance(0.5):
            return in_f64(Case(op, inputs, n_out=2, exact=True, **a))
        if r.chance(0.3):
            a["activations"] = activations * d
        case = Case(op, inputs, n_out=r.int(1, 2), **a)
        case.in_doubles = r.chance(0.3)
        return case

    return make


def einsum(r):
    letters = "abcdAB"
    extent = {c: r.int(1, 4) for c in letters}
    dots = [r.int(1, 3) for _ in range(r.one_of(0, 0, 1, 2))]
    terms, inputs = [], []
    for _ in range(r.int(1, 3)):
        term = [r.one_of(*letters) for _ in range(r.int(0, 3))]
        at = r.int(0, len(term)) if dots else -1
        dims = [extent[c] for c in term]
        if dots:
            dims[at:at] = dots
            term.insert(at, "...")
        terms.append("".join(term))
        inputs.append(r.floats(dims))
    used = sorted(set("".join(terms)) - {"."})
    equation = r.one_of(",", ", ").join(terms)
    if r.chance(0.8) or not equation:  # an empty one the reference does not take
        kept = [c for c in used if r.chance(0.5)]
        r.g.shuffle(kept)
        equation += r.one_of("->", " -> ") + ("..." if dots else "") + "".join(kept)
    return Case("Einsum", inputs, exact=True, equation=equation)


def rotary_embedding(r):
    b, heads, length, pairs, rest = r.int(1, 3), r.int(1, 3), r.int(1, 4), r.int(1, 9), r.int(0, 1)
    size = 2 * (pairs + rest * r.int(1, 3))
    packed = r.chance(0.5)
    a = {"interleaved": r.int(0, 1)}
    if size > 2 * pairs:
        a["rotary_embedding_dim"] = 2 * pairs
    if packed or "rotary_embedding_dim" in a:
        a["num_heads"] = heads
    x = r.floats([b, length, heads * size] if packed else [b, heads, length, size])
    rows = r.int(1, 7)
    angles = [rows, pairs] if r.chance(0.5) else [b, length, pairs]
    positions = r.ints([b, length], 0, rows - 1) if len(angles) == 2 else None
    inputs = [x, r.floats(angles, 1), r.floats(angles, 1), positions]
    return Case("RotaryEmbedding", inputs, exact=True, **a)


def microsoft_rotary(r):
    b, heads, length, size = r.int(1, 3), r.int(1, 3), r.int(1, 4), 8 * r.int(1, 3)
    rows = length + r.int(0, 4)
    x = r.floats([b, length, heads * size])
    positions = r.one_of(
        r.ints([b, length], 0, rows - 1), np.array([r.int(0, rows - length)], np.int64)
    )
    angles = [rows, size // 2]
    inputs = [x, positions, r.floats(angles, 1), r.floats(angles, 1)]
    return Case("com.microsoft.RotaryEmbedding", inputs, interleaved=r.int(0, 1))


def dft(r):
    shape = [r.int(1, 5) for _ in range(r.int(1, 3))] + [r.int(1, 2)]
    axis = r.int(0, len(shape) - 2)
    a = {"inverse": r.int(0, 1)}
    a["onesided"] = int(shape[-1] == (2 if a["inverse"] else 1) and r.chance(0.5))
    if a["inverse"] and a["onesided"]:
        shape[axis] += 1  # at least one element of the result
    length = r.one_of(None, np.int64(r.int(1, 9)))
    case = Case("DFT", [r.floats(shape), length, np.int64(axis)], {2}, exact=True, **a)
    if length is not None:
        case.fixed.add(1)
    return case


def stft(r):
    length, frame = r.int(3, 20), r.int(1, 3)
    signal = r.floats([r.int(1, 2), length, 1])
    window = r.one_of(None, r.floats([frame]))
    inputs = [signal, np.int64(r.int(1, 4)), window, np.int64(frame)]
    return Case("STFT", inputs, {1, 3}, exact=True, onesided=r.int(0, 1))


def det(r):
    n = r.int(1, 6)
    x = r.floats([r.int(1, 3) for _ in range(r.int(0, 2))] + [n, n])
    if r.chance(0.2):
        x[..., 0] = 0
    return Case("Det", [x], exact=True)


def fused_matmul(r):
    batch, m, k, n = (
        [r.int(1, 3) for _ in range(r.int(0, 2))],
        r.int(1, 5),
        r.int(1, 5),
        r.int(1, 5),
    )
    a = {"alpha": r.one_of(1.0, 0.5)}
    inputs = []
    for name, dims in (("A", [m, k]), ("B", [k, n])):
        swap, turn = r.int(0, 1), int(bool(batch) and r.chance(0.3))
        a["trans" + name], a["transBatch" + name] = swap, turn
        dims = dims[::-1] if swap else dims
        inputs.append(r.floats(dims[:1] + batch + dims[1:] if turn else batch + dims))
    return Case("com.microsoft.FusedMatMul", inputs, **a)


def gelu(op, bias, **attributes):
    def make(r):
        x = r.floats(r.shape(1, 3))
        inputs = [x, r.floats(x.shape[-1:])] if bias else [x]
        return Case("com.microsoft." + op, inputs, **attributes)

    return make


def skip_layer_norm(r):
    shape = [r.int(1, 3), r.int(1, 4), r.int(2, 9)]
    skip = r.floats(r.one_of(shape, shape[1:], [1] + shape[1:]))
    inputs = [r.floats(shape), skip, r.floats(shape[2:])]
    simple = r.chance(0.3)
    inputs += [] if simple else [r.one_of(None, r.floats(shape[2:]))]
    inputs += [r.floats(shape[2:])]
    op = "SkipSimplifiedLayerNormalization" if simple else "SkipLayerNormalization"
    return Case("com.microsoft." + op, inputs, epsilon=r.one_of(1e-12, 1e-5))


def embed_layer_norm(r):
    b, s, d, n = r.int(1, 3), r.int(1, 5), r.int(2, 8), r.int(5, 9)
    ids, segments = r.ints([b, s], 0, n - 1, np.int32), r.one_of(True, False)
    inputs = [
        ids,
        r.ints([b, s], 0, 1, np.int32) if segments else None,
        r.floats([n, d]),
        r.floats([7, d]),
        r.floats([2, d]) if segments else None,
        r.floats([d]),
        r.floats([d]),
        r.one_of(None, r.ints([b, s], 0, 1, np.int32)),
    ]
    return Case("com.microsoft.EmbedLayerNormalization", inputs, n_out=2, epsilon=1e-5)


def masked_attention(r):
    """MultiHeadAttention, or Attention with its own projection."""
    b, heads, size, queries = r.int(1, 2), r.int(1, 3), r.int(1, 4), r.int(1, 4)
    own = r.chance(0.5)
    past = r.one_of(0, 0, 3)
    keys = queries if own or past else r.int(1, 5)
    total, d = keys + past, heads * size
    a = {"num_heads": heads, "unidirectional": int(keys == queries and r.chance(0.3))}
    mask = r.one_of(None, r.ints([b, total], 0, 1, np.int32))
    if mask is not None:
        mask[:, 0] = 1  # sums near the filter's value are rounded in one way or another
    added = None if own and past else r.one_of(None, r.floats([b, heads, queries, total]))
    if own:
        caches = r.floats([2, b, heads, past, size]) if past else None
        inputs = [r.floats([b, queries, d]), r.floats([d, 3 * d], 0.5), r.floats([3 * d])]
        inputs += [mask, caches, added]
        return Case("com.microsoft.Attention", inputs, n_out=2 if past else 1, **a)
    inputs = [r.floats([b, n, d]) for n in (queries, keys, keys)]
    inputs += [r.one_of(None, r.floats([3 * d])), mask, added]
    if past:
        inputs += [r.floats([b, heads, past, size]) for _ in range(2)]
    return Case("com.microsoft.MultiHeadAttention", inputs, n_out=3 if past else 1, **a)


def simplified_layer_norm(r):
    """ONNX Runtime's, in the default domain."""
    shape = r.one_of(r.shape(), (r.int(1, 3), r.int(30, 70)))
    inputs = [r.floats(shape), r.floats(shape[-1:])]
    case = Case("SimplifiedLayerNormalization", inputs, axis=-1, epsilon=r.one_of(1e-5, 0.1))
    newest = Case("RMSNormalization", inputs, exact=True, **case.attributes)
    case.run = newest.run
    return case


OPERATORS = {
    "SimplifiedLayerNormalization": simplified_layer_norm,
    "DFT": dft,
    "STFT": stft,
    "Det": det,
    "FusedMatMul": fused_matmul,
    "MicrosoftGelu": gelu("Gelu", False),
    "BiasGelu": gelu("BiasGelu", True),
    "FastGelu": gelu("FastGelu", True),
    "QuickGelu": gelu("QuickGelu", False, alpha=1.5),
    "SkipLayerNormalization": skip_layer_norm,
    "EmbedLayerNormalization": embed_layer_norm,
    "MaskedAttention": masked_attention,
    "MicrosoftRotary": microsoft_rotary,
    "DeformConv": deform_conv,
    "ConvTranspose": conv_transpose,
    "GRU": recurrent("GRU", 3, ["HardSigmoid", "Softsign"]),
    "RNN": recurrent("RNN", 1, ["Relu"]),
    "Einsum": einsum,
    "RotaryEmbedding": rotary_embedding,
}

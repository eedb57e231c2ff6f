"""Runs a bundle that was linked into a shared library: Bundle(FOLDER, NAME).

FOLDER holds NAME.so and NAME.weights; the structures are those of bundle/bundle.h.
"""

import ctypes

import numpy as np

NUMPY = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32,
         7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64}
INPUT, OUTPUT = 1, 2


class Symbol(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("offset", ctypes.c_size_t),
                ("size", ctypes.c_size_t), ("kind", ctypes.c_char)]


class Config(ctypes.Structure):
    _fields_ = [("constants", ctypes.c_size_t), ("mutable", ctypes.c_size_t),
                ("activations", ctypes.c_size_t), ("alignment", ctypes.c_size_t),
                ("n_symbols", ctypes.c_size_t), ("symbols", ctypes.POINTER(Symbol))]


class SymbolInfo(ctypes.Structure):
    _fields_ = [("original_name", ctypes.c_char_p), ("dtype", ctypes.c_uint32),
                ("role", ctypes.c_uint32), ("rank", ctypes.c_uint32), ("scale", ctypes.c_float),
                ("zero_point", ctypes.c_int32), ("reserved", ctypes.c_uint32),
                ("size_bytes", ctypes.c_uint64), ("dims", ctypes.POINTER(ctypes.c_uint64)),
                ("layout", ctypes.c_char_p), ("extent_offsets", ctypes.POINTER(ctypes.c_uint64))]


class Info(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("struct_size", ctypes.c_uint32),
                ("name", ctypes.c_char_p), ("tool", ctypes.c_char_p), ("triple", ctypes.c_char_p),
                ("cpu", ctypes.c_char_p), ("features", ctypes.c_char_p),
                ("weights_digest", ctypes.c_uint8 * 16), ("fp_control", ctypes.c_uint32),
                ("reserved", ctypes.c_uint32), ("config", ctypes.POINTER(Config)),
                ("symbols", ctypes.POINTER(SymbolInfo))]


def aligned(size, alignment):
    """Zeroed bytes at a multiple of the alignment."""
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start:start + size]


class Bundle:
    """The three areas of a bundle and its function."""

    def __init__(self, folder, name):
        library = ctypes.CDLL(f"{folder}/{name}.so")
        config = Config.in_dll(library, f"{name}_config")
        info = Info.in_dll(library, f"{name}_info")
        self.function = getattr(library, name)
        self.function.argtypes = [ctypes.c_void_p] * 3
        self.areas = [aligned(n, config.alignment)
                      for n in (config.constants, config.mutable, config.activations)]
        self.areas[0][:] = np.fromfile(f"{folder}/{name}.weights", np.uint8)
        symbols = [(config.symbols[i], info.symbols[i]) for i in range(config.n_symbols)]
        self.input_names = [i.original_name.decode() for _, i in symbols if i.role == INPUT]
        self.inputs = [self.array(*s) for s in symbols if s[1].role == INPUT]
        self.outputs = [self.array(*s) for s in symbols if s[1].role == OUTPUT]

    def array(self, symbol, info):
        """The tensor of a symbol in the mutable area, as an array that shares its memory."""
        if info.extent_offsets:
            raise SystemExit(f"{info.original_name.decode()}: its shape depends on the input")
        dims = [info.dims[i] for i in range(info.rank)]
        data = self.areas[1][symbol.offset:symbol.offset + info.size_bytes]
        return data.view(NUMPY[info.dtype])[:symbol.size].reshape(dims)

    def run(self):
        status = self.function(*(a.ctypes.data for a in self.areas))
        if status:
            raise SystemExit(f"the bundle returned status {status}")

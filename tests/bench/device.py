"""The device and bundles on it: device.c and the runtime, as one shared library.

Needs nothing but Python, a C compiler and xxhash.h; the CUDA driver is opened by the library.
"""

import ctypes
import glob
import os
import struct
import subprocess

INPUT, OUTPUT = 1, 2
# Of enum sheaf_dtype, as struct writes them.
DTYPES = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "B", 10: "e", 11: "d",
          12: "I", 13: "Q"}
BFLOAT16 = 16
IMAGE_KINDS = {1: "PTX", 2: "cubin"}
TABLE = 2048
SIMULATOR = "PTX simulator"


class Failure(Exception):
    """One sentence."""


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 512)]


class Tensor(ctypes.Structure):
    """struct sheaf_tensor_desc"""
    _fields_ = [("name", ctypes.c_char_p), ("original_name", ctypes.c_char_p),
                ("layout", ctypes.c_char_p), ("dtype", ctypes.c_int), ("role", ctypes.c_int),
                ("rank", ctypes.c_uint32), ("dims", ctypes.c_uint64 * 8),
                ("scale", ctypes.c_float), ("zero_point", ctypes.c_int32),
                ("data", ctypes.c_void_p), ("size_bytes", ctypes.c_size_t)]


class Description(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 96), ("driver_version", ctypes.c_int32),
                ("arch", ctypes.c_int32), ("n_multiprocessors", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("memory_bytes", ctypes.c_uint64)]


class Image(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint32), ("arch", ctypes.c_uint32),
                ("size_bytes", ctypes.c_uint64)]


def run_command(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(top, include, out):
    """Makes the library at the path `out`; `include` holds xxhash.h where the system has none."""
    with open(f"{top}/tests/device/runtime_sources") as f:
        sources = [source for files in f.read().split()
                   for source in sorted(glob.glob(f"{top}/{files}"))]
    run_command([os.environ.get("CC", "cc"), "-std=c11", "-O2", "-fPIC", "-shared", f"-I{top}",
                 "-idirafter", include, *sources, f"{top}/tests/bench/device.c", "-ldl", "-o",
                 out])


def load(path):
    library = ctypes.CDLL(path)
    library.bench_error.restype = ctypes.c_char_p
    library.sheaf_tensor_count.restype = ctypes.c_size_t
    for name in ("bench_free", "bench_fill", "sheaf_close", "sheaf_reset_state"):
        getattr(library, name).restype = None
    return library


def unpack(data, dtype):
    """The numbers in these bytes."""
    if dtype == BFLOAT16:
        words = struct.unpack(f"<{len(data) // 2}H", data)
        data = b"".join(struct.pack("<I", w << 16) for w in words)
        dtype = 1
    code = DTYPES[dtype]
    return struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)


def random(library, n, dtype, seed):
    """Bytes of n numbers: multiples of 1/1024 from -1 to 1, which 16 bits hold too; integers from
    -2 to 1."""
    code = DTYPES[dtype]
    size = struct.calcsize(code)
    steps = range(-TABLE // 2, TABLE // 2)
    values = [v / 1024 if code in "fed" else v // 512 for v in steps]
    to = ctypes.create_string_buffer(n * size)
    library.bench_fill(to, ctypes.c_uint64(n), ctypes.c_uint64(size),
                       struct.pack(f"<{TABLE}{code}", *values), ctypes.c_uint64(seed))
    return to.raw


class Device:
    """The first device, and a stream on it."""

    def __init__(self, library):
        self.library = library
        description = Description()
        self.call("bench_open", ctypes.byref(description))
        self.name = description.name.decode()
        self.driver = f"{description.driver_version // 1000}." \
                      f"{description.driver_version % 1000 // 10}"
        self.arch = description.arch
        self.n_multiprocessors = description.n_multiprocessors
        self.memory_bytes = description.memory_bytes
        self.is_simulator = self.name.startswith(SIMULATOR)
        stream = ctypes.c_void_p()
        self.call("bench_stream", ctypes.byref(stream))
        self.stream = stream.value

    def call(self, name, *arguments):
        """Integers are passed as 64 bits, so that addresses and sizes are whole; the machines
        that there are GPUs for read an int from the same place."""
        wide = [ctypes.c_uint64(a) if isinstance(a, int) else a for a in arguments]
        if getattr(self.library, name)(*wide) != 0:
            raise Failure(self.library.bench_error().decode())

    def between(self, first, second):
        ms = ctypes.c_double()
        self.call("bench_between", first, second, ctypes.byref(ms))
        return ms.value

    def allocate(self, n):
        """Addresses of so many bytes on the device, and pinned ones."""
        address, pinned = ctypes.c_uint64(), ctypes.c_void_p()
        self.call("bench_allocate", n, ctypes.byref(address), ctypes.byref(pinned))
        return address.value, pinned.value

    def free(self, address, pinned):
        self.library.bench_free(ctypes.c_uint64(address), ctypes.c_void_p(pinned))


class Bundle:
    """An object file, which is linked to a shared library beside it, and its weights."""

    def __init__(self, device, name, object_file, weights):
        self.device, self.library = device, device.library
        self.handle = ctypes.c_void_p()
        linked = f"{object_file}.so"
        run_command([os.environ.get("CC", "cc"), "-shared", "-o", linked, object_file])
        self.call("sheaf_open", linked.encode(), name.encode(), weights.encode(),
                  ctypes.byref(self.handle))
        n = self.library.sheaf_tensor_count(self.handle)
        self.names = {INPUT: [], OUTPUT: []}
        for i in range(n):
            tensor = Tensor()
            self.call("sheaf_tensor_at", self.handle, ctypes.c_size_t(i), ctypes.byref(tensor))
            if tensor.role in self.names:
                self.names[tensor.role].append(tensor.original_name.decode())

    def call(self, name, *arguments):
        error = Error()
        if getattr(self.library, name)(*arguments, ctypes.byref(error)) != 0:
            raise Failure(error.text.decode())

    def tensor(self, name):
        tensor = Tensor()
        self.call("sheaf_tensor", self.handle, name.encode(), ctypes.byref(tensor))
        return tensor

    def address(self, name):
        address = ctypes.c_uint64()
        self.call("sheaf_gpu_address", self.handle, name.encode(), ctypes.byref(address))
        return address.value

    def put(self, name, data):
        """Into the host's memory and the device's."""
        tensor = self.tensor(name)
        if len(data) != tensor.size_bytes:
            raise Failure(f"{name}: {len(data)} bytes for {tensor.size_bytes}")
        ctypes.memmove(tensor.data, data, len(data))
        self.device.call("bench_put", self.address(name), data, len(data))

    def data(self, name):
        """What lies in the host's memory."""
        tensor = self.tensor(name)
        return ctypes.string_at(tensor.data, tensor.size_bytes)

    def run(self):
        """With the copies; returns the outputs' bytes by their names."""
        for name in self.names[OUTPUT]:
            tensor = self.tensor(name)
            ctypes.memset(tensor.data, 255, tensor.size_bytes)
        self.library.sheaf_reset_state(self.handle)
        self.call("sheaf_run", self.handle)
        return {name: self.data(name) for name in self.names[OUTPUT]}

    def run_on_device(self):
        """The same without copies, in the device's stream."""
        for name in self.names[OUTPUT]:
            self.device.call("bench_poison", self.address(name), self.tensor(name).size_bytes)
        self.library.sheaf_reset_state(self.handle)
        self.queue()
        self.call("sheaf_gpu_wait", self.handle)
        got = {}
        for name in self.names[OUTPUT]:
            size = self.tensor(name).size_bytes
            to = ctypes.create_string_buffer(size)
            self.device.call("bench_get", to, self.address(name), size)
            got[name] = to.raw
        return got

    def queue(self, n=1):
        """Queues n runs in the device's stream.  Python is kept out of their times."""
        error, stream = Error(), ctypes.c_void_p(self.device.stream)
        run, told = self.library.sheaf_gpu_run, ctypes.byref(error)
        for _ in range(n):
            if run(self.handle, stream, told) != 0:
                raise Failure(error.text.decode())

    def images(self):
        """(index, kind, compute capability, bytes) of its code."""
        i = 0
        image = Image()
        while self.library.bench_image(self.handle, i, ctypes.byref(image)) == 0:
            yield i, IMAGE_KINDS[image.kind], image.arch, image.size_bytes
            i += 1

    def load_ms(self, i):
        ms = ctypes.c_double()
        self.device.call("bench_load_image", self.handle, i, ctypes.byref(ms))
        return ms.value

    def close(self):
        self.library.sheaf_close(self.handle)
        self.handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

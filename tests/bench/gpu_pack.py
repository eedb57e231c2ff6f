"""Packs networks for tests/bench/gpu:  gpu_pack.py LOADER DATA MODELS DIR [options] [WORD...]

DIR gets pack.json, which tells of each network, and blobs/DIGEST.xz, the bundles, inputs and
references; equal ones lie there once.  With words, only networks whose names contain one of them.
The networks that are timed need PyTorch, references in float64 onnx and numpy; what is absent is
told, and its networks are left out or compared with what was recorded.
"""

import argparse
import contextlib
import hashlib
import json
import lzma
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

import device

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TYPES = {
    "fp32": [],
    "tf32": ["-fp32-math=tf32"],
    "tf32x3": ["-fp32-math=tf32x3"],
    "fp16": ["-convert-to-fp16"],
    "bf16": ["-convert-to-fp16", "-fp16-format=bfloat16"],
    "int8": [],  # with a profile
}
# Largest ||output - reference|| / ||reference||; docs/performance.md tells why.
BOUNDS = {"fp32": 2e-5, "tf32": 5e-3, "tf32x3": 2e-5, "fp16": 1e-2, "bf16": 8e-2, "int8": 2e-6}
TIMED_BOUNDS = {"fp32": 5e-6, "tf32": 3e-3, "fp16": 3e-3, "int8": 2e-6}

PICTURES, TOKENS = [3, 224, 224], [128, 768]
TIMED = [("resnet50", PICTURES, batch, kind)
         for batch in (1, 64) for kind in ("fp32", "tf32", "fp16", "int8")]
TIMED += [("mobilenetv2", PICTURES, batch, kind) for batch in (1, 64) for kind in ("fp32", "fp16")]
TIMED += [("bert_layer", TOKENS, 1, kind) for kind in ("fp32", "tf32", "fp16")]

EXAMPLE = (f"{TOP}/examples/compile_resnet50/resnet50",
           ["-model-input=gpu_0/data,float,[1,3,64,64]"])
NETS = {"kws_fp32": ["fp32", "tf32", "tf32x3", "fp16", "bf16", "int8"],
        "kws_qdq": ["int8"],
        "mlperf_ad01": ["fp32", "tf32", "fp16", "int8"],
        "mlperf_vww96": ["fp32", "fp16", "int8"],
        "dtln_1": ["fp32", "fp16"],
        "byte_sb_bidi_lstm": ["fp32"],
        "oww_alexa": ["fp32"],
        "oww_embedding": ["fp32", "tf32", "fp16"],
        "oww_melspectrogram": ["fp32"],
        "stm_mbv2_035_128": ["fp32", "fp16", "int8"],
        "super_resolution_10": ["fp32", "tf32", "fp16"],
        "ultraface_rfb320": ["fp32", "fp16"],
        "fastestdet": ["fp32", "fp16"]}
MODELS = {"mnist_8": ["fp32"],
          "mlperf_resnet8": ["fp32", "tf32", "fp16", "int8"],
          "squeezenet11_fp32": ["fp32", "tf32", "fp16", "int8"]}


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """(number, value) of each field of a protobuf message that holds no fixed-width numbers."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        yield key >> 3, value


def read_tensor(path):
    """(name, type, dims, bytes) of an ONNX TensorProto with raw data; see onnx.proto."""
    with open(path, "rb") as f:
        data = f.read()
    found = dict(fields(data))
    dims = [value for number, value in fields(data) if number == 1]
    return found.get(8, b"").decode(), found.get(2, 0), dims, found.get(9, b"")


def model_names(path):
    """Names of inputs and of outputs of an ONNX model, see ModelProto and GraphProto there: what is
    recorded may name them otherwise."""
    with open(path, "rb") as f:
        graph = dict(fields(f.read()))[7]
    names = {5: [], 11: [], 12: []}
    for number, value in fields(graph):
        if number in names:
            of_name = 8 if number == 5 else 1
            names[number].append(next(v for n, v in fields(value) if n == of_name).decode())
    return [n for n in names[11] if n not in names[5]], names[12]


def symbols(path, inputs):
    """Options for the extents that an ONNX model leaves open, which are those of what is recorded;
    see ValueInfoProto."""
    with open(path, "rb") as f:
        graph = dict(fields(f.read()))[7]
    values = {dict(fields(value))[1].decode(): value for n, value in fields(graph) if n == 11}
    found = {}
    for name, _, dims, _ in inputs:
        shape = dict(fields(dict(fields(dict(fields(values[name]))[2]))[1])).get(2, b"")
        for dim, (_, declared) in zip(dims, fields(shape)):
            if 2 in (told := dict(fields(declared))):
                found[told[2].decode()] = dim
    return [f"-onnx-define-symbol={name},{dim}" for name, dim in found.items()]


def tensors(folder, which):
    """Those of folder/input_0.pb and so on."""
    found = []
    while os.path.exists(f"{folder}/{which}_{len(found)}.pb"):
        found.append(read_tensor(f"{folder}/{which}_{len(found)}.pb"))
    return found


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)) / (sum(y * y for y in b) or 1))


@contextlib.contextmanager
def leaving_out(name):
    """One network that cannot be packed does not take the others along."""
    try:
        yield
    except device.Failure as e:
        print(f"left out: {name}: {str(e).splitlines()[-1]}", flush=True)


class Pack:
    def __init__(self, args, scratch):
        self.args, self.scratch = args, scratch
        self.entries = []
        self.library = None
        self.write()

    def write(self):
        with open(f"{self.args.dir}/pack.json", "w") as f:
            json.dump({"revision": self.args.revision, "cc": self.args.cc,
                       "entries": self.entries}, f, indent=1)

    def wanted(self, name):
        return not self.args.words or any(word in name for word in self.args.words)

    def scratch_file(self, name, data):
        path = f"{self.scratch}/{name}"
        with open(path, "wb") as f:
            f.write(data)
        return path

    def blob(self, data):
        digest = hashlib.sha256(data).hexdigest()[:16]
        path = f"{self.args.dir}/blobs/{digest}.xz"
        if not os.path.exists(path):
            with open(path + ".part", "wb") as f:
                f.write(lzma.compress(data, preset=6))
            os.rename(path + ".part", path)
        return digest

    def file(self, path):
        with open(path, "rb") as f:
            return self.blob(f.read())

    def remove_others(self):
        """What lies there of an earlier pack."""
        used = {blob for e in self.entries for blob in
                (e["object"], e["weights"], *(t.get("blob") for t in e["inputs"] + e["outputs"]))}
        for name in os.listdir(f"{self.args.dir}/blobs"):
            if name.removesuffix(".xz") not in used:
                os.remove(f"{self.args.dir}/blobs/{name}")

    def loader(self, *options):
        return device.run_command([self.args.loader, *options])

    def assembler(self, is_timed, kind):
        """Machine code is packed as well, but not for the small networks in fp32: so both ways of
        opening a bundle are gone."""
        if not is_timed and kind == "fp32":
            return ["-ptxas=none"]
        return [f"-ptxas={self.args.ptxas}"] if self.args.ptxas else []

    def add(self, name, kind, options, inputs, outputs, **more):
        """Compiles and keeps one network.  `inputs`: name, type and bytes, or a seed; `outputs`:
        name, form ("f", "d", or "bits") and bytes."""
        bundle = name.replace("-", "_")
        start = time.monotonic()
        self.loader("-gpu", f"-cc={self.args.cc}", *self.assembler("batch" in more, kind),
                    *TYPES[kind], *options, f"-network-name={bundle}",
                    f"-emit-bundle={self.scratch}")
        entry = {"name": name, "bundle": bundle, "kind": kind,
                 "bound": (TIMED_BOUNDS if "batch" in more else BOUNDS)[kind],
                 "object": self.file(f"{self.scratch}/{bundle}.o"),
                 "weights": self.file(f"{self.scratch}/{bundle}.weights"),
                 "inputs": [{"name": n, "seed": data} if isinstance(data, int) else
                            {"name": n, "blob": self.blob(data)} for n, data in inputs],
                 "outputs": [{"name": n, "form": form, "blob": self.blob(data)}
                             for n, form, data in outputs], **more}
        for ending in ("o", "weights", "h"):
            os.remove(f"{self.scratch}/{bundle}.{ending}")
        self.entries.append(entry)
        self.write()
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)

    def on_processor(self, model, options, given, outputs):
        """What comes out there; integers must be the same on the device."""
        paths = [f"{self.scratch}/output_{i}.bin" for i in range(len(outputs))]
        self.loader("-m", model, *options, *given,
                    *(f"-output={n}={p}" for (n, *_), p in zip(outputs, paths)))
        got = []
        for (name, dtype, *_), path in zip(outputs, paths):
            with open(path, "rb") as f:
                got.append((name, "f" if dtype == 1 else "bits", f.read()))
        return got

    # ---- networks with recorded inputs ----

    def recorded(self, name, path, model, options, kinds):
        kinds = [kind for kind in kinds if self.wanted(f"{name}-{kind}")]
        if not kinds:
            return
        if not os.path.exists(model):
            print(f"left out: {name}: there is no {model}", flush=True)
            return
        folder = f"{path}/test_data_set_0"
        inputs, outputs = tensors(folder, "input"), tensors(folder, "output")
        if os.path.isfile(model):
            names = model_names(model)
            inputs = [(n, *rest) for n, (_, *rest) in zip(names[0], inputs)]
            outputs = [(n, *rest) for n, (_, *rest) in zip(names[1], outputs)]
            options = symbols(model, inputs)
        feeds = [(n, data) for n, *_, data in inputs]
        wide, reference = self.wide(model, inputs, outputs), "float64"
        if not wide:
            wide, reference = [(n, "f", data) for n, *_, data in outputs], "recorded"
        for kind in kinds:
            flags, want, told = ["-m", model, *options], wide, reference
            with leaving_out(f"{name}-{kind}"):
                if kind == "int8":
                    flags, want, told = self.quantized(model, options, feeds, outputs)
                self.add(f"{name}-{kind}", kind, flags, feeds, want, reference=told)

    def quantized(self, model, options, feeds, outputs):
        given = [f"-input={n}={self.scratch_file(f'input_{i}.bin', data)}"
                 for i, (n, data) in enumerate(feeds)]
        if not model.endswith("_qdq/model.onnx"):
            profile = f"{self.scratch}/profile.yml"
            self.loader("-m", model, *options, *given, f"-dump-profile={profile}")
            options = [*options, f"-load-profile={profile}"]
        bits = self.on_processor(model, options, given, outputs)
        return ["-m", model, *options], bits, "processor"

    def wide(self, model, inputs, outputs):
        """The outputs in float64 by onnx's reference operators, where it is installed and they
        agree with what was recorded; else nothing."""
        try:
            import reference64
        except ImportError:
            return None
        if os.path.isdir(model):
            return None  # of Caffe2
        got = reference64.run(model, [(dtype, dims, data) for _, dtype, dims, data in inputs])
        for data, (*_, recorded) in zip(got or [], outputs):
            if not distance(device.unpack(data, 11), device.unpack(recorded, 1)) < 1e-4:
                return None
        return got and [(n, "d", data) for (n, *_), data in zip(outputs, got)]

    # ---- networks of torch_networks.py ----

    def timed(self):
        rows = [row for row in TIMED if self.wanted(entry_name(*row))]
        if not rows:
            return
        try:
            import torch_networks
        except ImportError as e:
            print(f"left out: the timed networks: {e}", flush=True)
            return
        device.build(TOP, f"{self.args.dir}/include", f"{self.scratch}/device.so")
        self.library = device.load(f"{self.scratch}/device.so")
        for network, shape, batch, kind in rows:
            model = f"{self.scratch}/{network}.onnx"
            if not os.path.exists(model):
                torch_networks.export(network, shape, model)
            with leaving_out(entry_name(network, shape, batch, kind)):
                self.one_timed(torch_networks, network, shape, batch, kind, model)

    def one_timed(self, torch_networks, network, shape, batch, kind, model):
        dims = [batch, *shape]
        seed = batch
        data = device.random(self.library, math.prod(dims), 1, seed)
        options = [f"-onnx-define-symbol=batch,{batch}"]
        if kind == "int8":
            flags, want, told = self.quantized(model, options, [("input", data)], [("output", 1)])
        else:
            reference = f"{self.scratch}/{network}_{batch}.reference"
            if not os.path.exists(reference):
                self.scratch_file(os.path.basename(reference),
                                  torch_networks.reference(network, data, dims))
            with open(reference, "rb") as f:
                flags, want, told = ["-m", model, *options], [("output", "d", f.read())], "float64"
        if kind == "fp16":
            flags.append("-convert-placeholders")
        self.add(entry_name(network, shape, batch, kind), kind, flags, [("input", seed)], want,
                 reference=told, network=network, batch=batch, dims=dims)


def entry_name(network, _, batch, kind):
    return f"{network}-{kind}-{batch}"


def find_xxhash(folder):
    """The runtime's one header beside the C library's may be absent where the device is."""
    text = subprocess.run([os.environ.get("CC", "cc"), "-E", "-include", "xxhash.h", "-x", "c",
                           "/dev/null"], capture_output=True, text=True, check=True).stdout
    path = next(word for line in text.splitlines() if line.startswith("# ")
                for word in line.split('"') if word.endswith("/xxhash.h"))
    with open(path) as f, open(f"{folder}/xxhash.h", "w") as to:
        to.write(f.read())


def pack_all(pack):
    path, options = EXAMPLE
    pack.recorded("example", path, path, options, ["fp32", "fp16", "int8"])
    for name, kinds in NETS.items():
        path = f"{pack.args.data}/nets/{name}"
        pack.recorded(name, path, f"{path}/model.onnx", [], kinds)
    for name, kinds in MODELS.items():
        path = f"{pack.args.models}/onnx-{name}"
        pack.recorded(name, path, f"{path}/model.onnx", [], kinds)
    pack.timed()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("loader")
    parser.add_argument("data")
    parser.add_argument("models")
    parser.add_argument("dir")
    parser.add_argument("--cc", default="80,90")
    parser.add_argument("--ptxas", help="as the tool's option [where it is installed]")
    parser.add_argument("--revision", default="")
    parser.add_argument("words", nargs="*")
    args = parser.parse_intermixed_args()
    for folder in ("blobs", "include"):
        os.makedirs(f"{args.dir}/{folder}", exist_ok=True)
    find_xxhash(f"{args.dir}/include")
    with tempfile.TemporaryDirectory(prefix="sheaf.") as scratch:
        pack = Pack(args, scratch)
        pack_all(pack)
    pack.remove_others()
    if not pack.entries:
        sys.exit("error: no network was packed")
    print(f"{len(pack.entries)} networks", flush=True)


if __name__ == "__main__":
    main()

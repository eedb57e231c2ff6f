"""What gpu_pack.py wrote: networks, and their files, unpacked when they are needed."""

import concurrent.futures
import json
import lzma
import math
import os
import threading

import device as devices


class Pack:
    def __init__(self, folder, scratch):
        self.folder, self.scratch = folder, scratch
        with open(f"{folder}/pack.json") as f:
            self.about = json.load(f)
        self.entries = self.about["entries"]

    def entry(self, name):
        return next(e for e in self.entries if e["name"] == name)

    def blob(self, digest):
        path = f"{self.folder}/blobs/{digest}.xz"
        try:
            with open(path, "rb") as f:
                return lzma.decompress(f.read())
        except (OSError, lzma.LZMAError, EOFError) as e:
            raise devices.Failure(f"{path}: {e}") from e

    def file(self, digest):
        """The path of the unpacked file, which lies there once however many bundles have it."""
        to = f"{self.scratch}/{digest}"
        if not os.path.exists(to):
            part = f"{to}.{os.getpid()}.{threading.get_ident()}"
            with open(part, "wb") as f:
                f.write(self.blob(digest))
            os.replace(part, to)
        return to

    def unpack_all(self, entries):
        """What cannot be unpacked is told where it is used."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            concurrent.futures.wait([pool.submit(self.file, entry[which]) for entry in entries
                                     for which in ("object", "weights")])


def open_bundle(device, pack, entry):
    """With its inputs in place."""
    bundle = devices.Bundle(device, entry["bundle"], pack.file(entry["object"]),
                            pack.file(entry["weights"]))
    for given in entry["inputs"]:
        name = given["name"] or bundle.names[devices.INPUT][0]
        tensor = bundle.tensor(name)
        if "blob" in given:
            data = pack.blob(given["blob"])
        else:
            n = math.prod(tensor.dims[:tensor.rank])
            data = devices.random(device.library, n, tensor.dtype, given["seed"])
        bundle.put(name, data)
    return bundle


def error_of(got, dtype, want, form):
    """||got - want|| / ||want||; of bits, whether they differ."""
    if form == "bits":
        return float(got != want)
    a, b = devices.unpack(got, dtype), devices.unpack(want, 11 if form == "d" else 1)
    if len(a) != len(b):
        return math.inf
    norm = math.fsum(y * y for y in b)
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b)) / norm) if norm else math.inf

"""The process on the device:  gpu_work.py DIR SCRATCH [PART NAME]...

Does jobs of gpu_run.py one after the other and tells what came of them, a line of JSON each: rows
of the page, then that the job is done, or why it failed, which ends the process: after a fault in a
kernel no call of it succeeds any more.
"""

import json
import math
import os
import statistics
import sys
import time

os.environ["CUDA_CACHE_DISABLE"] = "1"  # code is translated anew each time: that is measured

import device as devices  # noqa: E402
import packed  # noqa: E402

WARM_SECONDS = 0.2  # a device that did nothing is slow at first
SAMPLE_MS = 3.0
ROUNDS = 30
LOAD_MS = 1000.0  # what takes longer is loaded once
NO_TIME = "simulated: no time"


class Work:
    def __init__(self, pack, tell):
        self.pack, self.tell = pack, tell
        self.device = devices.Device(devices.load(f"{pack.scratch}/device.so"))
        self.torch = None

    def row(self, section, columns, cells, **figures):
        self.tell({"row": [section, columns, cells], "figures": figures})

    def beside(self):
        """PyTorch on this device."""
        if self.torch is None:
            import torch_beside
            self.torch = torch_beside.Torch(self.device)
        return self.torch

    # ---- what is there ----

    def about(self, what):
        if what == "PyTorch":
            self.tell({"torch": self.beside().version()})
            return
        d = self.device
        self.tell({"device": d.name, "is_simulator": d.is_simulator, "driver": d.driver,
                   "arch": d.arch, "multiprocessors": d.n_multiprocessors,
                   "bytes": d.memory_bytes})

    # ---- check ----

    def check(self, name):
        entry = self.pack.entry(name)
        with packed.open_bundle(self.device, self.pack, entry) as bundle:
            by_host = bundle.run()
            by_device = bundle.run_on_device()
            errors = []
            for wanted in entry["outputs"]:
                output = wanted["name"] or bundle.names[devices.OUTPUT][0]
                errors.append(packed.error_of(by_device[output], bundle.tensor(output).dtype,
                                              self.pack.blob(wanted["blob"]), wanted["form"]))
        worst = next((e for e in errors if math.isnan(e)), max(errors))
        self.tell({"error": worst, "same": by_host == by_device})

    # ---- time ----

    def sample(self, queue, n):
        self.device.call("bench_mark", 0, self.device.stream)
        queue(n)
        self.device.call("bench_mark", 1, self.device.stream)
        return self.device.between(0, 1) / n

    def by_turns(self, contenders):
        """Milliseconds of a run of each, {name: [..]}: samples of at least SAMPLE_MS between two
        events, the contenders one after the other in each round."""
        if self.device.is_simulator:
            return {name: [self.sample(queue, 1)] for name, queue in contenders.items()}
        n = {}
        for name, queue in contenders.items():
            self.sample(queue, 3)
            once, end = self.sample(queue, 5), time.monotonic() + WARM_SECONDS
            while time.monotonic() < end:
                once = self.sample(queue, 5)
            n[name] = max(1, math.ceil(SAMPLE_MS / max(once, 1e-4)))
        times = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, queue in contenders.items():
                times[name].append(self.sample(queue, n[name]))
        return times

    def told(self, times):
        """Median and minimum, as the page tells them."""
        if self.device.is_simulator:
            return NO_TIME
        return f"{1e3 * statistics.median(times):.1f} ({1e3 * min(times):.1f})"

    def samples(self, times):
        return None if self.device.is_simulator else times

    def alone(self, name):
        """A network beside nothing."""
        self.network("Networks", self.pack.entry(name), lambda *_: {})

    def time(self, name):
        self.network("Networks", self.pack.entry(name), self.beside().quick)

    def compile(self, name):
        self.network("Networks, beside torch.compile", self.pack.entry(name),
                     self.beside().compiled)

    def network(self, section, entry, make_others):
        """One network beside what make_others(entry, bundle) gives, or tells why it does not."""
        columns = ["network", "who", "median (minimum), µs", "Sheaf / it", "error"]
        with packed.open_bundle(self.device, self.pack, entry) as bundle:
            others = make_others(entry, bundle)
            for name, why in [(name, o) for name, o in others.items() if isinstance(o, str)]:
                del others[name]
                self.row(section, columns, [entry["name"], name, f"left out: {why}", "", ""],
                         network=entry["name"], who=name, failure=why)
            times = self.by_turns({"Sheaf": bundle.queue,
                                   **{name: other.queue for name, other in others.items()}})
            ours = statistics.median(times["Sheaf"])
            for name, t in times.items():
                error = ratio = ""
                if name != "Sheaf":
                    ratio = f"{ours / statistics.median(t):.2f}"
                    error = others[name].error(self.pack.blob(entry["outputs"][0]["blob"]))
                self.row(section, columns,
                         [entry["name"], name, self.told(t), ratio, error],
                         network=entry["name"], who=name, ms=self.samples(t))
        if self.torch:
            del others
            self.torch.forget()

    # ---- cost ----

    def calls(self, name, *arguments):
        def queue(n):
            for _ in range(n):
                self.device.call(name, *arguments, self.device.stream)
        return queue

    def cost(self, what):
        getattr(self, what)(8 if self.device.is_simulator else 1000)

    def cost_row(self, what, per_run):
        self.row("Costs", ["what", "median (minimum), µs"], [what, self.told(per_run)], what=what,
                 ms=self.samples(per_run))

    def launches(self, n):
        self.device.call("bench_make_graph", n, self.device.stream)
        times = self.by_turns({"launch": self.calls("bench_queue_launches", n),
                               "graph": self.calls("bench_queue_graph")})
        self.cost_row("an empty kernel, launched into a stream", [t / n for t in times["launch"]])
        self.cost_row("a node of a graph, an empty kernel after another",
                      [t / n for t in times["graph"]])

    def barriers(self, n):
        times = self.by_turns({"many": self.calls("bench_queue_barriers", n),
                               "none": self.calls("bench_queue_barriers", 0)})
        self.cost_row(f"a barrier across the grid, {self.device.n_multiprocessors} blocks of 256 "
                      "threads", [(a - b) / n for a, b in zip(times["many"], times["none"])])
        self.cost_row("a cooperative launch, with the fill of its counter", times["none"])

    def copies(self, _):
        size = 1 << 20 if self.device.is_simulator else 1 << 28
        address, pinned = self.device.allocate(size)
        times = self.by_turns({
            "to device": self.calls("bench_queue_to_device", address, pinned, size),
            "to host": self.calls("bench_queue_to_host", pinned, address, size),
            "on device": self.calls("bench_queue_on_device", address + size // 2, address,
                                    size // 2)})
        self.device.free(address, pinned)
        for name, t in times.items():
            rate = NO_TIME if self.device.is_simulator else \
                f"{size / statistics.median(t) / 1e6:.1f}"
            what = f"{name}, {size >> 20} MiB" + \
                (" read and written, half each" if name == "on device" else "")
            self.row("Copies", ["what", "GB/s"], [what, rate], what=name, ms=self.samples(t))

    # ---- loading code ----

    def load(self, name):
        """Machine code first: translating may take longer than there is time for."""
        with packed.open_bundle(self.device, self.pack, self.pack.entry(name)) as bundle:
            images = [(kind, arch, i, size) for i, kind, arch, size in bundle.images()
                      if self.runs_here(kind, arch)]
            for kind, arch, i, size in sorted(images, reverse=True):
                times = [bundle.load_ms(i)]
                while len(times) < 3 and times[0] < LOAD_MS and not self.device.is_simulator:
                    times.append(bundle.load_ms(i))
                self.row("Loading code",
                         ["bundle", "code", "KiB", "ms, median of 3 (1 of long ones)"],
                         [name, f"{kind} {arch}", size >> 10,
                          NO_TIME if self.device.is_simulator else
                          f"{statistics.median(times):.1f}"],
                         bundle=name, code=f"{kind} {arch}", ms=self.samples(times))

    def runs_here(self, kind, arch):
        """Machine code runs on its architecture alone, later minor versions included."""
        here = self.device.arch
        if kind == "cubin" and (self.device.is_simulator or arch // 10 != here // 10):
            return False
        return arch <= here


def sentence(e):
    text = " ".join(str(e).split())
    return text if isinstance(e, devices.Failure) else f"{type(e).__name__}: {text}"[:300]


def main():
    """What libraries print to stdout goes where their errors go."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(what):
        print(json.dumps(what), file=out, flush=True)
    folder, scratch, *words = sys.argv[1:]
    try:
        work = Work(packed.Pack(folder, scratch), tell)
        for part, name in zip(words[::2], words[1::2]):
            getattr(work, part)(name)
            tell({"done": name})
    except Exception as e:  # whatever a driver, PyTorch or a compiler under it may raise
        tell({"failure": sentence(e)})
        sys.exit(1)


if __name__ == "__main__":
    main()

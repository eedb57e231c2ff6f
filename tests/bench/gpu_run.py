"""Checks and times a pack of networks on the device:  gpu_run.py DIR [options] [WORD...]

DIR is what gpu_pack.py wrote.  The parts, chosen by words as networks are: `check` runs every
network twice and compares with its reference; `cost` times what all networks pay for (launches,
graphs, barriers, copies, loading code); `cases` runs DIR/cases, which tests/device/pack wrote,
where it is there; `time` times the networks that also PyTorch has, by turns with it; `compile` once
more with torch.compile.  DIR/results/performance.md is a section for docs/performance.md;
DIR/results/figures.json holds every figure.  Both are written anew after each row, so that a run
that is ended leaves what it has.  In the simulator (tests/sim) all runs but PyTorch, and no time is
told.
"""

import argparse
import concurrent.futures
import datetime
import json
import lzma
import math
import os
import statistics
import subprocess
import sys
import time

os.environ["CUDA_CACHE_DISABLE"] = "1"  # code is translated anew each time: that is measured

import device as devices  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ("check", "cost", "cases", "time", "compile")
CHECK_SECONDS, CHECKS_AT_ONCE = 240, 4
SAMPLE_MS = 3.0
ROUNDS = 30
NO_TIME = "simulated: no time"


class Page:
    """The results so far."""

    def __init__(self, folder, head):
        self.folder, self.head = folder, head
        self.sections, self.figures = {}, []

    def row(self, section, columns, cells, **figures):
        self.sections.setdefault(section, [columns]).append(cells)
        self.figures.append({"section": section, **figures})
        print("  ".join(str(c) for c in cells), flush=True)
        self.write()

    def write(self):
        lines = list(self.head)
        for section, (columns, *rows) in self.sections.items():
            lines += ["", f"### {section}", "", f"| {' | '.join(columns)} |",
                      "|" + "---|" * len(columns)]
            lines += [f"| {' | '.join(str(c) for c in row)} |" for row in rows]
        for name, text in (("performance.md", "\n".join(lines) + "\n"),
                           ("figures.json", json.dumps(self.figures, indent=1))):
            with open(f"{self.folder}/{name}.part", "w") as f:
                f.write(text)
            os.rename(f"{self.folder}/{name}.part", f"{self.folder}/{name}")


class Pack:
    """The files of a pack, unpacked to a folder when they are needed."""

    def __init__(self, folder, scratch):
        self.folder, self.scratch = folder, scratch
        with open(f"{folder}/pack.json") as f:
            self.about = json.load(f)
        self.entries = self.about["entries"]

    def blob(self, digest):
        with open(f"{self.folder}/blobs/{digest}.xz", "rb") as f:
            return lzma.decompress(f.read())

    def unpack(self, entry):
        for ending in ("object", "weights"):
            to = f"{self.scratch}/{entry['bundle']}.{'o' if ending == 'object' else ending}"
            if not os.path.exists(to):
                with open(to + ".part", "wb") as f:
                    f.write(self.blob(entry[ending]))
                os.rename(to + ".part", to)

    def unpack_all(self, entries):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.unpack, entries))


def open_bundle(device, pack, entry):
    """With its inputs in place."""
    pack.unpack(entry)
    bundle = devices.Bundle(device, pack.scratch, entry["bundle"])
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


# ---- check ----

def error_of(got, dtype, want, form):
    """||got - want|| / ||want||; of bits, how many bytes differ, as a share."""
    if form == "bits":
        return sum(a != b for a, b in zip(got, want)) / len(want) if len(got) == len(want) else 1.0
    a, b = devices.unpack(got, dtype), devices.unpack(want, 11 if form == "d" else 1)
    if len(a) != len(b):
        return math.inf
    norm = math.fsum(y * y for y in b)
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b)) / norm) if norm else math.inf


def check_one(pack, name):
    """In a process of its own, which prints what it finds: after a fault in a kernel no call of a
    process succeeds any more."""
    entry = next(e for e in pack.entries if e["name"] == name)
    found = {}
    try:
        device = devices.Device(devices.load(f"{pack.scratch}/device.so"))
        with open_bundle(device, pack, entry) as bundle:
            by_host = bundle.run()
            by_device = bundle.run_on_device()
            errors = []
            for wanted in entry["outputs"]:
                output = wanted["name"] or bundle.names[devices.OUTPUT][0]
                errors.append(error_of(by_device[output], bundle.tensor(output).dtype,
                                       pack.blob(wanted["blob"]), wanted["form"]))
        worst = next((e for e in errors if math.isnan(e)), max(errors))
        found = {"error": worst, "same": by_host == by_device}
    except devices.Failure as e:
        found = {"failure": str(e)}
    print(json.dumps(found))


def check_apart(pack, entry):
    command = [sys.executable, os.path.abspath(__file__), pack.folder, "--one", entry["name"]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS)
    except subprocess.TimeoutExpired:
        return {"failure": f"it takes more than {CHECK_SECONDS} s"}
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"failure": f"the process ended with {done.returncode}: {done.stderr[-200:]!r}"}


def check(pack, page, entries):
    """The names of those that fail."""
    wrong = set()
    columns = ["network", "type", "reference", "error", "bound", ""]
    with concurrent.futures.ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
        for entry, found in zip(entries, pool.map(lambda e: check_apart(pack, e), entries)):
            error = found.get("error", math.nan)
            good = error <= entry["bound"] and found["same"]
            verdict = "agrees" if good else f"FAILED: {found['failure']}" if "failure" in found \
                else "FAILED" if found["same"] else "FAILED: two runs differ"
            if not good:
                wrong.add(entry["name"])
            page.row("Results", columns,
                     [entry["name"], entry["kind"], entry["reference"],
                      "" if "failure" in found else f"{error:.1e}",
                      f"{entry['bound']:.0e}" if entry["bound"] else "equal", verdict],
                     network=entry["name"], good=good, **found)
    return wrong


# ---- time ----

def sample(device, queue, n):
    device.call("bench_mark", 0, device.stream)
    for _ in range(n):
        queue(device.stream)
    device.call("bench_mark", 1, device.stream)
    return device.between(0, 1) / n


def by_turns(device, contenders):
    """Milliseconds of a run of each, {name: [..]}: samples of at least SAMPLE_MS between two
    events, the contenders one after the other in each round."""
    n = {}
    for name, queue in contenders.items():
        for _ in range(3):
            once = sample(device, queue, 1)
        once = sample(device, queue, 5)
        n[name] = 1 if device.is_simulator else max(1, math.ceil(SAMPLE_MS / max(once, 1e-4)))
    rounds = 1 if device.is_simulator else ROUNDS
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, queue in contenders.items():
            times[name].append(sample(device, queue, n[name]))
    return times


def microseconds(device, times):
    """Median and minimum, as the page tells them."""
    if device.is_simulator:
        return NO_TIME
    return f"{1e3 * statistics.median(times):.1f} ({1e3 * min(times):.1f})"


def time_network(device, pack, page, entry, make_others):
    """One network beside what make_others(entry, bundle) gives."""
    columns = ["network", "who", "median (minimum), µs", "Sheaf / it", "error"]
    with open_bundle(device, pack, entry) as bundle:
        others = make_others(entry, bundle)
        times = by_turns(device, {"Sheaf": bundle.queue,
                                  **{name: other.queue for name, other in others.items()}})
        ours = statistics.median(times["Sheaf"])
        for name, t in times.items():
            error = ratio = ""
            if name != "Sheaf":
                ratio = f"{ours / statistics.median(t):.2f}"
                error = others[name].error(pack.blob(entry["outputs"][0]["blob"]))
            page.row("Networks", columns,
                     [entry["name"], name, microseconds(device, t), ratio, error],
                     network=entry["name"], who=name, ms=None if device.is_simulator else t)


def time_networks(device, pack, page, entries, torch):
    for entry in entries:
        time_network(device, pack, page, entry, torch.quick if torch else lambda *_: {})
        if torch:
            torch.forget()
    return 0


def time_compiled(device, pack, page, entries, torch, budget):
    """Once more beside torch.compile, which takes long: as many as there is time for."""
    longest = 60.0
    for entry in entries:
        start = time.monotonic()
        if budget.seconds() < 1.3 * longest:
            print(f"left out: {entry['name']}: no time for torch.compile", flush=True)
            continue
        try:
            time_network(device, pack, page, entry, torch.compiled)
        except devices.Failure as e:
            print(f"left out: {entry['name']}: {e}", flush=True)
        torch.forget()
        longest = max(longest, time.monotonic() - start)
    return 0


# ---- cost ----

def cost(device, pack, page, entries):
    few = device.is_simulator
    n = 8 if few else 1000
    device.call("bench_make_graph", n, device.stream)

    def calls(name, *arguments):
        return lambda stream: device.call(name, *arguments, stream)
    bytes_ = 1 << 20 if few else 1 << 28
    address, pinned = device.allocate(bytes_)
    times = by_turns(device, {
        "launch": calls("bench_queue_launches", n),
        "graph": lambda stream: device.call("bench_queue_graph", stream),
        "meetings": calls("bench_queue_barriers", n),
        "none": calls("bench_queue_barriers", 0),
        "to device": calls("bench_queue_to_device", address, pinned, bytes_),
        "to host": calls("bench_queue_to_host", pinned, address, bytes_),
        "on device": calls("bench_queue_on_device", address + bytes_ // 2, address, bytes_ // 2)})
    device.free(address, pinned)
    barriers = [(a - b) / n for a, b in zip(times["meetings"], times["none"])]
    for name, per_run in (
            ("an empty kernel, launched into a stream", [t / n for t in times["launch"]]),
            ("a node of a graph, an empty kernel after another", [t / n for t in times["graph"]]),
            (f"a barrier across the grid, {device.n_multiprocessors} blocks of 256 threads",
             barriers),
            ("a cooperative launch, with the fill of its counter", times["none"])):
        page.row("Costs", ["what", "median (minimum), µs"], [name, microseconds(device, per_run)],
                 what=name, ms=None if few else per_run)
    for name in ("to device", "to host", "on device"):
        rate = NO_TIME if few else f"{bytes_ / statistics.median(times[name]) / 1e6:.1f}"
        what = f"{name}, {bytes_ >> 20} MiB" + \
            (" read and written, half each" if name == "on device" else "")
        page.row("Copies", ["what", "GB/s"], [what, rate], what=name,
                 ms=None if few else times[name])
    for entry in code_of(entries):
        load_code(device, pack, page, entry)
    return 0


def code_of(entries):
    """Those whose code is loaded for its time: the timed networks, at batch 1."""
    first = {}
    for entry in entries:
        if entry.get("batch") == 1:
            first.setdefault((entry["network"], entry["kind"]), entry)
    return list(first.values()) or entries[:1]


def load_code(device, pack, page, entry):
    columns = ["bundle", "code", "KiB", "ms, median of 3"]
    with open_bundle(device, pack, entry) as bundle:
        for i, kind, arch, size in bundle.images():
            # Machine code runs on its architecture alone, later minor versions included.
            if kind == "cubin" and (arch // 10 != device.arch // 10 or arch > device.arch):
                continue
            if arch > device.arch:
                continue
            times = [bundle.load_ms(i) for _ in range(1 if device.is_simulator else 3)]
            page.row("Loading code", columns,
                     [entry["name"], f"{kind} {arch}", size >> 10,
                      NO_TIME if device.is_simulator else f"{statistics.median(times):.1f}"],
                     bundle=entry["name"], code=f"{kind} {arch}",
                     ms=None if device.is_simulator else times)


# ---- all ----

class Budget:
    """What is left of the minutes that a run may take."""

    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes

    def seconds(self):
        return self.end - time.monotonic()


def chosen(words, entries):
    parts = [part for part in PARTS if part in words] or list(PARTS)
    names = [word for word in words if word not in PARTS]
    return parts, [e for e in entries if not names or any(n in e["name"] for n in names)]


def run_also(page, command):
    """A further program of tests, of which the page tells how it ended."""
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    print(done.stdout, flush=True)
    last = done.stdout.strip().splitlines()[-1:] or [""]
    page.row("Further tests", ["command", "exit status", "last line"],
             [f"`{command}`", done.returncode, last[0]], status=done.returncode)
    return done.returncode != 0


def head_of(device, pack, torch):
    """Date, device, driver and what made the bundles."""
    if device.is_simulator:
        return [f"## {device.name}: no figure here is a measurement"]
    lines = [f"## {device.name}, {datetime.date.today()}", "",
             f"Driver for CUDA {device.driver}, {system_driver()}compute capability "
             f"{device.arch // 10}.{device.arch % 10}, {device.n_multiprocessors} multiprocessors, "
             f"{device.memory_bytes >> 30} GiB. Bundles of {pack.about['revision'] or '?'}, "
             f"`-cc={pack.about['cc']}`. {torch.version() if torch else 'Without PyTorch.'}", "",
             f"    {' '.join(['tests/bench/gpu run', *sys.argv[1:]])}"]
    return lines


def system_driver():
    """The driver's own version, where the kernel tells."""
    try:
        with open("/proc/driver/nvidia/version") as f:
            words = f.readline().split()
        return next(w for w in words if w[0].isdigit() and w.count(".") >= 1) + ", "
    except (OSError, StopIteration):
        return ""


def load_torch(device):
    """PyTorch beside us, or nothing and a line that says so."""
    if device.is_simulator:
        return None
    try:
        import torch_beside
        return torch_beside.Torch(device)
    except (ImportError, RuntimeError) as e:
        print(f"skipped: PyTorch: {e}", flush=True)
        return None


def attempt(what, part, *arguments):
    """How often it failed: a part that cannot be done does not take the others along."""
    try:
        return part(*arguments)
    except (devices.Failure, RuntimeError) as e:
        print(f"FAILED: {what}: {e}", flush=True)
        return 1


def run_parts(args, pack, results):
    """How many networks and parts failed."""
    budget = Budget(args.minutes)
    parts, entries = chosen(args.words, pack.entries)
    devices.build(TOP, f"{args.dir}/include", f"{pack.scratch}/device.so")
    device = devices.Device(devices.load(f"{pack.scratch}/device.so"))
    pack.unpack_all(entries)
    torch = load_torch(device) if "time" in parts or "compile" in parts else None
    page = Page(results, head_of(device, pack, torch))
    bad = check(pack, page, entries) if "check" in parts else set()
    wrong = len(bad)
    # What is wrong has no time.  The simulator times all networks, to have tried it.
    timed = [e for e in entries if e["name"] not in bad and ("batch" in e or device.is_simulator)]
    if "cost" in parts:
        wrong += attempt("cost", cost, device, pack, page, timed)
    if "cases" in parts and os.path.isdir(f"{args.dir}/cases"):
        wrong += run_also(page, f"{TOP}/tests/device/run {args.dir}/cases")
    if "time" in parts:
        wrong += attempt("time", time_networks, device, pack, page, timed, torch)
    if "compile" in parts and torch:
        wrong += attempt("compile", time_compiled, device, pack, page, timed, torch, budget)
    return wrong + sum(run_also(page, command) for command in args.also)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--results", help="folder [DIR/results]")
    parser.add_argument("--also", action="append", default=[],
                        help="a command that tests more, run at the end")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*")
    args = parser.parse_intermixed_args()
    scratch = f"{args.dir}/scratch"
    pack = Pack(args.dir, scratch)
    if args.one:
        check_one(pack, args.one)
        return
    results = args.results or f"{args.dir}/results"
    for folder in (results, scratch):
        os.makedirs(folder, exist_ok=True)
    try:
        wrong = run_parts(args, pack, results)
    except devices.Failure as e:
        sys.exit(f"error: {e}")
    print(f"{results}/performance.md: {wrong} failed", flush=True)
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()

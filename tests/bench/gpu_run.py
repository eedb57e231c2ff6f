"""Checks and times a pack of networks on the device:  gpu_run.py DIR [options] [WORD...]

DIR is what gpu_pack.py wrote.  The parts, chosen by words as networks are: `check` runs every
network twice and compares with its reference; `time` times the networks that also PyTorch has, by
turns with it; `cost` times what all networks pay for (launches, graphs, barriers, copies); `load`
times loading code; `cases` runs what tests/device/pack wrote, DIR/cases or DIR/cases.tar.xz, where
it is there;
`compile` times once more, beside torch.compile.  They come in this order, in each the networks
first that matter most.  What the device is asked to do is done by processes of their own
(gpu_jobs.py), and each result is written when it is known: see gpu_page.py.  In the simulator
(tests/sim) all runs but PyTorch, and no time is told.
"""

import argparse
import concurrent.futures
import datetime
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile

import device as devices
import gpu_jobs
from gpu_page import Page
from packed import Pack

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ("check", "time", "cost", "load", "cases", "compile")
CHECKS_AT_ONCE = 4
# Seconds that one job may take, of what is left.
LIMITS = {"about": 90, "check": 120, "alone": 60, "time": 90, "cost": 60, "load": 90,
          "compile": 240}
FURTHER_SECONDS = 180
# Those first that are to be compared, where time runs out.
KINDS = ("fp16", "tf32", "fp32", "int8")


class Run:
    def __init__(self, args, pack, page):
        self.args, self.pack, self.page = args, pack, page
        self.budget = gpu_jobs.Budget(args.minutes)
        self.about, self.wrong = {}, 0

    def do(self, jobs, heard, failed):
        if jobs:
            limit = self.args.limit or LIMITS[jobs[0][0]]
            gpu_jobs.do(self.pack, jobs, limit, self.budget, heard, failed)

    def rows(self, jobs, retry=None):
        """Those whose rows go to the page; `retry` is given a job that failed."""
        late = []

        def failed(job, why):
            if why == gpu_jobs.NO_TIME:
                late.append(job[1])
                return
            self.wrong += 1
            self.page.note(f"FAILED: {' '.join(job)}: {why}")
            if retry:
                retry(job)
        self.do(jobs, lambda _, told: self.page.row(*told["row"], **told["figures"]), failed)
        if late:
            self.page.note(f"Left out, {jobs[0][0]}, {gpu_jobs.NO_TIME}: {', '.join(late)}")

    # ---- what is there ----

    def look(self):
        """At the device, without which nothing goes on."""
        def failed(_, why):
            raise devices.Failure(why)
        gpu_jobs.do(self.pack, [("about", "device")], LIMITS["about"], self.budget,
                    lambda _, told: self.about.update(told), failed)

    def look_for_pytorch(self):
        if self.about["is_simulator"]:
            return

        def failed(_, why):
            self.page.note(f"Without PyTorch: {why}")
        self.do([("about", "PyTorch")], lambda _, told: self.about.update(told), failed)

    def head(self):
        """Date, device, driver and what made the bundles."""
        about, packed = self.about, self.pack.about
        if about["is_simulator"]:
            return [f"## {about['device']}: no figure here is a measurement"]
        return [f"## {about['device']}, {datetime.date.today()}", "",
                f"Driver for CUDA {about['driver']}, {system_driver()}compute capability "
                f"{about['arch'] // 10}.{about['arch'] % 10}, {about['multiprocessors']} "
                f"multiprocessors, {about['bytes'] >> 30} GiB. Bundles of "
                f"{packed['revision'] or '?'}, `-cc={packed['cc']}`. "
                f"{about.get('torch', '')}".rstrip(), "",
                f"    {' '.join(['tests/bench/gpu run', *sys.argv[1:]])}"]

    # ---- check ----

    def check(self, entries):
        """The names of those that agree."""
        with concurrent.futures.ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
            places = range(len(entries))
            good = list(pool.map(self.check_one, places, entries))
        return {entry["name"] for entry, agrees in zip(entries, good) if agrees}

    def check_one(self, place, entry):
        found = {}

        def failed(_, why):
            found["failure"] = why
        self.do([("check", entry["name"])], lambda _, told: found.update(told), failed)
        error, same = found.get("error", math.nan), found.get("same", False)
        good = error <= entry["bound"] and same
        verdict = "agrees" if good else f"FAILED: {found['failure']}" if "failure" in found \
            else "FAILED" if same else "FAILED: two runs differ"
        self.page.row("Results", ["network", "type", "reference", "error", "bound", ""],
                      [entry["name"], entry["kind"], entry["reference"],
                       "" if "failure" in found else f"{error:.1e}",
                       f"{entry['bound']:.0e}", verdict],
                      place=place, network=entry["name"], good=good, **found)
        return good

    # ---- time ----

    def time(self, entries):
        """Where a network cannot be timed beside PyTorch, then alone."""
        part = "time" if "torch" in self.about else "alone"
        self.rows([(part, entry["name"]) for entry in entries],
                  self.time_alone if part == "time" else None)

    def time_alone(self, job):
        self.rows([("alone", job[1])])

    def cost(self, _):
        self.rows([("cost", what) for what in ("launches", "barriers", "copies")])

    def load(self, entries):
        """The timed networks, at batch 1."""
        some = [entry for entry in entries if entry.get("batch") == 1] or entries[:1]
        self.rows([("load", entry["name"]) for entry in some])

    def compile(self, entries):
        """Which takes long: those come first whose types are not PyTorch's fp16 again."""
        if "torch" not in self.about:
            return
        self.rows([("compile", entry["name"])
                   for entry in sorted(entries, key=lambda e: e["kind"] == "int8")])

    # ---- further programs ----

    def cases(self, _):
        folder = f"{self.args.dir}/cases"
        if os.path.exists(f"{folder}.tar.xz"):
            with tarfile.open(f"{folder}.tar.xz") as archive:
                archive.extractall(self.pack.scratch)
            folder = f"{self.pack.scratch}/cases"
        if os.path.isdir(folder):
            self.further(f"{TOP}/tests/device/run {folder}", "device.results", "tests/device/run")

    def also(self, commands):
        for i, command in enumerate(commands):
            self.further(command, f"also_{i + 1}.txt", command)

    def further(self, command, name, shown):
        """A program of tests, of which the page tells how it ended; what it prints is kept."""
        paths = f"{self.page.folder}/{name}", f"{self.pack.scratch}/{name}"
        with open(paths[0], "wb") as out, open(paths[1], "wb") as errors:
            process = gpu_jobs.start(["/bin/sh", "-c", command], stdout=out, stderr=errors)
            try:
                status = process.wait(min(FURTHER_SECONDS, max(self.budget.seconds(), 1)))
            except subprocess.TimeoutExpired:
                status = "not ended in time"
            finally:
                gpu_jobs.stop(process)
        lines = []
        for path in paths:
            with open(path, encoding="utf-8", errors="replace") as f:
                lines += f.read().strip().splitlines()
        for line in lines:
            if not line.startswith("passed "):
                print(line, flush=True)
        self.page.row("Further tests", ["command", "exit status", "last line", "output"],
                      [f"`{shown}`", status, "".join(lines[-1:]), name], status=status)
        self.wrong += status != 0


def importance(entry):
    """Sorts networks; those that are only checked come last, as they were packed."""
    if "batch" not in entry:
        return (1, 0, 0)
    return (0, entry["batch"], KINDS.index(entry["kind"]))


def system_driver():
    """The driver's own version, where the kernel tells."""
    try:
        with open("/proc/driver/nvidia/version") as f:
            words = f.readline().split()
        return next(w for w in words if w[0].isdigit() and w.count(".") >= 1) + ", "
    except (OSError, StopIteration):
        return ""


def chosen(words, entries):
    parts = [part for part in PARTS if part in words] or list(PARTS)
    names = [word for word in words if word not in PARTS]
    found = [e for e in entries if not names or any(n in e["name"] for n in names)]
    if not found:
        raise devices.Failure(f"no network of the pack is called {' or '.join(names)}")
    return parts, sorted(found, key=importance)


def run_parts(args, pack, page):
    """How many networks and parts failed."""
    run = Run(args, pack, page)
    parts, entries = chosen(args.words, pack.entries)
    devices.build(TOP, f"{args.dir}/include", f"{pack.scratch}/device.so")
    run.look()
    if "time" in parts or "compile" in parts:
        run.look_for_pytorch()
    page.head = run.head()
    pack.unpack_all(entries)
    good = {entry["name"] for entry in entries}
    if "check" in parts:
        good = run.check(entries)
        run.wrong += len(entries) - len(good)
    # What is wrong has no time.  The simulator times all networks, to have tried it.
    timed = [e for e in entries
             if e["name"] in good and ("batch" in e or run.about["is_simulator"])]
    for part in parts:
        if part != "check":
            getattr(run, part)(timed)
    run.also(args.also)
    return run.wrong


def end_cleanly(page, scratch):
    """Where this process is told to end, nothing goes on without it, and no more rows come."""
    def end(*_):
        page.lock.acquire(timeout=1)
        gpu_jobs.stop_all()
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(1)
    signal.signal(signal.SIGTERM, end)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--minutes", type=float, default=9, help="that all may take [9]")
    parser.add_argument("--limit", type=float, help="seconds that one job may take")
    parser.add_argument("--results", help="folder [DIR/results]")
    parser.add_argument("--also", action="append", default=[],
                        help="a command that tests more, run at the end")
    parser.add_argument("words", nargs="*")
    args = parser.parse_intermixed_args()
    results = args.results or f"{args.dir}/results"
    os.makedirs(results, exist_ok=True)
    page = Page(results)
    try:
        with tempfile.TemporaryDirectory(prefix="sheaf.") as scratch:
            end_cleanly(page, scratch)
            wrong = run_parts(args, Pack(args.dir, scratch), page)
    except (devices.Failure, OSError) as e:
        sys.exit(f"error: {e}")
    print(f"\n{page.text()}\n{results}/performance.md: {wrong} failed", flush=True)
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()

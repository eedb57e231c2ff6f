"""Jobs of tests/bench/gpu, done in processes of their own (gpu_work.py), so that what one of them
does to the device, or does not come back from, leaves the others their results.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time

WORK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpu_work.py")
NO_TIME = "no time was left"
running = set()


class Budget:
    """What is left of the minutes that a run may take."""

    def __init__(self, minutes):
        self.end = time.monotonic() + 60 * minutes

    def seconds(self):
        return self.end - time.monotonic()


def start(command, **more):
    """A process that leads a group of its own."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp, **more)
    running.add(process)
    return process


def stop(process):
    """With all that it started: compilers, for example."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    running.discard(process)


def stop_all():
    for process in list(running):
        stop(process)


class Worker:
    """A process that does jobs, pairs of words, and tells about them, a line of JSON each."""

    def __init__(self, pack, jobs):
        self.log_path = f"{pack.scratch}/{'-'.join(jobs[0]).replace('/', '_')}.log"
        with open(self.log_path, "wb") as log:
            self.process = start([sys.executable, WORK, pack.folder, pack.scratch,
                                  *(word for job in jobs for word in job)],
                                 stdout=subprocess.PIPE, stderr=log)
        self.rest = b""

    def next(self, deadline):
        """The next thing it tells, or None at its end; TimeoutError at the deadline."""
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def how_it_ended(self):
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            return "the process tells nothing any more"
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            lines = [line for line in f.read().splitlines() if line.strip()]
        return f"the process ended with {status}: {' '.join(lines[-3:])[-300:]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        self.process.stdout.close()


def do(pack, jobs, limit, budget, heard, failed):
    """Does the jobs one after the other, none for longer than `limit` seconds.  `heard` gets what
    they tell, `failed` a job and one sentence.  A process that failed is not used again."""
    jobs = list(jobs)
    while jobs:
        why = NO_TIME
        if budget.seconds() > 0:
            why = one_process(pack, jobs, limit, budget, heard)
        if why:
            failed(jobs.pop(0), why)


def one_process(pack, jobs, limit, budget, heard):
    """Takes from the list those that are done.  Why the first that is left failed, if it did."""
    with Worker(pack, jobs) as worker:
        while jobs:
            deadline = min(time.monotonic() + limit, budget.end)
            while True:
                try:
                    told = worker.next(deadline)
                except TimeoutError:
                    return NO_TIME if deadline == budget.end else f"it takes more than {limit:g} s"
                except ValueError as e:
                    return f"the process tells what is no JSON: {e}"
                if told is None:
                    return worker.how_it_ended()
                if "failure" in told:
                    return told["failure"]
                if "done" in told:
                    break
                heard(jobs[0], told)
            jobs.pop(0)
    return None

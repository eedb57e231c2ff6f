"""Networks compiled by the loader, run as bundles."""

import os
import subprocess

import numpy as np

from bundle import Bundle


class Failed(Exception):
    """The loader refused; its sentence."""


class Sheaf:
    """A network's bundles, made in `folder`."""

    def __init__(self, loader, network, folder):
        self.loader = loader
        self.network = network
        self.folder = folder
        self.said = ""  # what the last call printed
        os.makedirs(folder, exist_ok=True)

    def call(self, *arguments):
        command = [self.loader, "-m", self.network.model, *self.network.options, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        self.said = done.stdout

    def capture(self, names):
        """The profile of the calibration samples."""
        profile = f"{self.folder}/profile.yml"
        arguments = []
        for i, name in enumerate(names):
            samples = f"{self.folder}/samples_{i}"
            os.makedirs(samples, exist_ok=True)
            for k, sample in enumerate(self.network.calibration):
                np.save(f"{samples}/{k:03d}.npy", np.ascontiguousarray(sample[i]))
            arguments.append(f"-input-dir={name}={samples}")
        self.call(*arguments, f"-dump_profile={profile}")
        return profile

    def bundle(self, name, *arguments):
        """Emits and loads a bundle."""
        folder = f"{self.folder}/{name}"
        self.call(*arguments, "-mcpu=native", "-network-name=network", f"-emit-bundle={folder}")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-o", f"{folder}/network.so",
                        f"{folder}/network.o"], check=True)
        return Bundle(folder, "network")

    def run(self, bundle, samples):
        """The outputs of each sample."""
        found = []
        for sample in samples:
            for to, x in zip(bundle.inputs, sample):
                to[...] = x
            bundle.run()
            found.append([y.copy() for y in bundle.outputs])
        return found

    def weight_bytes(self, name):
        return os.path.getsize(f"{self.folder}/{name}/network.weights")

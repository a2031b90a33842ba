"""Small runs of the program, for the suites that read what it writes."""

import os
import subprocess
import tempfile

import h5py
import torch

from torchlib import attributes

PROGRAM = os.environ["IMPRINT"]
ROOT = tempfile.mkdtemp()

# One batch is the whole training set, so that an epoch is one step and the logged gradient norm is
# that of one known gradient. Blur in epochs 0 and 1, clean from epoch 2 on.
CONFIG = """
experiment: interop
seed: 3
data: {%s, train: 96, test: 64}
net: {arch: %s}
train:
  batch: 96
  epochs: {total: 3}
  optimizer: {type: sgd, momentum: 0.9, weight_decay: 0.001}
  lr: {base: 0.02}
deficits: [{type: blur, kernel: area, factor: 4, modality: %s, from: 0, until: 2}]
fisher: {estimator: exact, probes: 24, on: [clean, deficit]}
"""


def config(net, data="set: optotypes", blurred="image"):
    path = os.path.join(tempfile.mkdtemp(dir=ROOT), "interop.yaml")
    with open(path, "w") as f:
        f.write(CONFIG % (data, net, blurred))
    return path


def run(path, *words):
    """Train; returns the log's path, which is the line of its own that `imprint run` prints."""
    done = subprocess.run([PROGRAM, "run", path, *words, "--quiet", "--out", ROOT], check=True,
                          stdout=subprocess.PIPE, text=True)
    return next(line for line in done.stdout.splitlines() if line.endswith(".h5"))


def state_path(log):
    with h5py.File(log) as f:
        at = attributes(f)
    return os.path.join(ROOT, "states", at["numerics_id"], at["prefix_key"] + ".h5")


def normalized(values):
    """As a network gets it, in double: images [N,C,H,W], features and tokens [N,W]."""
    x = torch.as_tensor(values[...])
    channels = range(x.shape[3] if x.dim() == 4 else 1)
    mean = torch.tensor([values.attrs["mean%d" % c] for c in channels])
    sd = torch.tensor([values.attrs["sd%d" % c] for c in channels])
    x = (x.double() - mean) / sd
    return x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x


def export(path, modalities=("image",)):
    """{split: (one tensor per modality, labels, official indices)}, classes."""
    out = os.path.join(tempfile.mkdtemp(dir=ROOT), "data.h5")
    subprocess.run([PROGRAM, "data", "export", path, "--output", out], check=True,
                   stdout=subprocess.DEVNULL)
    splits = {}
    with h5py.File(out) as f:
        for name in "train", "test":
            splits[name] = ([normalized(f[name][m]) for m in modalities],
                            torch.as_tensor(f[name]["labels"][...]), list(f[name]["index"][...]))
        return splits, int(f.attrs["classes"])

"""Measures of several modalities, worked out again in PyTorch from the state that a log ends in and
the exported data: one modality alone, relative source variance, Fisher traces by branch, dead units,
norms. And their dimensions in a log and in a collected sweep, as xarray reads them."""

import os
import subprocess
import tempfile
import warnings

import h5py
import numpy
import torch
import xarray
from torch.nn import functional as F

import imprint
import tap
from torchlib import difference, tensors_of

# No more test examples than anchors: each is an anchor and a partner, whatever the draw.
CONFIG = """
experiment: senses
seed: 3
data: {set: vqa, train: 320, test: 32}
net: {arch: towers, channels: [4, 6], embedding: 5, features: 8, hidden: 12, fusion: %s, heads: true}
train: {batch: 32, epochs: {total: 4}, lr: {base: 0.05}}
deficits: [{type: text_dominance, from: 0, until: 0}]
fisher: {estimator: exact, probes: 12, on: [clean]}
measures: [modality_accuracy, rsv, weight_norm, dead_units]
"""


def config(fusion, more=""):
    path = os.path.join(tempfile.mkdtemp(dir=imprint.ROOT), "senses.yaml")
    with open(path, "w") as f:
        f.write(CONFIG % fusion + more)
    return path


def exported(path):
    """{split: (images [N,C,H,W], tokens [N,T], labels, indices)}, normalized, in double."""
    out = os.path.join(tempfile.mkdtemp(dir=imprint.ROOT), "data.h5")
    subprocess.run([imprint.PROGRAM, "data", "export", path, "--output", out], check=True,
                   stdout=subprocess.DEVNULL)
    splits = {}
    with h5py.File(out) as f:
        for name in "train", "test":
            image = f[name]["image"]
            mean, sd = (torch.tensor([image.attrs["%s%d" % (k, c)] for c in range(3)])
                        for k in ("mean", "sd"))
            x = (torch.as_tensor(image[...]).double() - mean) / sd
            splits[name] = (x.permute(0, 3, 1, 2), torch.as_tensor(f[name]["text"][...]).long(),
                            torch.as_tensor(f[name]["labels"][...]).long(),
                            list(f[name]["index"][...]))
    return splits


class Towers:
    """nets/archs/towers.c, from its description, over the tensors of a state."""

    def __init__(self, state, fusion):
        with h5py.File(state) as f:
            self.p = {name: torch.as_tensor(v).double().requires_grad_()
                      for name, v in tensors_of(f["params"]).items()}
        self.fuse = {"concat": lambda a, b: torch.cat([a, b], 1), "add": torch.add,
                     "product": torch.mul}[fusion]

    def linear(self, name, x):
        return F.linear(x, self.p[name + ".weight"], self.p[name + ".bias"])

    def rectified(self, image, tokens):
        """{layer: its activation}"""
        found = {}
        x = image
        for name in "image.conv1", "image.conv2":
            x = F.conv2d(x, self.p[name + ".weight"], self.p[name + ".bias"], 2, 1).relu()
            found[name] = x
        found["image.fc"] = self.linear("image.fc", x.flatten(1)).relu()
        words = F.embedding(tokens, self.p["text.embed.weight"]) * (tokens > 0)[..., None]
        found["text.fc"] = self.linear("text.fc", words.sum(1)).relu()
        found["fusion.fc1"] = self.trunk(found["image.fc"], found["text.fc"])[0]
        return found

    def taps(self, image, tokens):
        found = self.rectified(image, tokens)
        return found["image.fc"], found["text.fc"]

    def trunk(self, a, b):
        """The representation and the logits."""
        hidden = self.linear("fusion.fc1", self.fuse(a, b)).relu()
        return hidden, self.linear("fusion.fc2", hidden)


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).double().mean().item()


def one_alone(net, image, tokens, labels):
    """test_only_accuracy and test_only_mean_accuracy, [image, text] each."""
    a, b = net.taps(image, tokens)
    zero_a, zero_b = net.taps(torch.zeros_like(image), torch.zeros_like(tokens))
    mean_a, mean_b = a.mean(0).expand_as(a), b.mean(0).expand_as(b)
    return ([accuracy(net.trunk(*pair)[1], labels) for pair in ((a, zero_b), (zero_a, b))],
            [accuracy(net.trunk(*pair)[1], labels) for pair in ((a, mean_b), (mean_a, b))])


def source_variances(net, image, tokens):
    """(defined RSVs, share undefined): every example is anchor and partner."""
    a, b = net.taps(image, tokens)
    n = len(a)
    pairs = [(i, j) for j in range(n) for i in range(n)]
    i, j = (torch.tensor(k) for k in zip(*pairs))
    z = net.trunk(a[i], b[j])[0].reshape(n, n, -1)  # [b, a, unit]
    va, vb = z.var(1, unbiased=False), z.var(0, unbiased=False)
    is_still = (z == z[:, :1]).all(1) & (z == z[:1]).all(0)
    va, vb = va[~is_still], vb[~is_still]
    return ((va - vb) / (va + vb)).detach().numpy(), is_still.double().mean().item()


def branch_traces(net, image, tokens):
    """{branch: values of the probes}, exact."""
    values = {"image": [], "text": [], "trunk": []}
    branch = {name: {"image": "image", "text": "text", "fusion": "trunk"}[name.split(".")[0]]
              for name in net.p if not name.startswith("head_")}
    for k in range(len(image)):
        log_p = F.log_softmax(net.trunk(*net.taps(image[k:k + 1], tokens[k:k + 1]))[1], 1)[0]
        sums = dict.fromkeys(values, 0.0)
        for y in range(len(log_p)):
            grads = torch.autograd.grad(log_p[y], [net.p[n] for n in branch], retain_graph=True)
            for name, g in zip(branch, grads):
                sums[branch[name]] += (log_p[y].exp() * (g ** 2).sum()).item()
        for name in values:
            values[name].append(sums[name])
    return {name: numpy.array(v) for name, v in values.items()}


def close(what, found, expected, tolerance):
    found, expected = numpy.asarray(found), numpy.asarray(expected)
    if found.shape == expected.shape and numpy.allclose(found, expected, rtol=tolerance,
                                                        atol=tolerance, equal_nan=True):
        return ""
    return "%s: %s, PyTorch %s\n" % (what, found, expected)


def check_measures(fusion):
    path = config(fusion)
    log = imprint.run(path)
    net = Towers(imprint.state_path(log), fusion)
    data = exported(path)
    image, tokens, labels, _ = data["test"]
    with xarray.open_dataset(log, engine="h5netcdf") as opened:
        end = opened.isel(epoch=-1).load()

    zeroed, means = one_alone(net, image, tokens, labels)
    tap.check("%s: one modality alone, the other at 0 or at its mean" % fusion,
              close("zeroed", end.test_only_accuracy.sel(modality=["image", "text"]), zeroed, 1e-9)
              + close("mean", end.test_only_mean_accuracy, means, 1e-9))

    value, undefined = source_variances(net, image, tokens)
    share = numpy.histogram(value, 20, (-1, 1))[0] / len(value)
    tap.check("%s: relative source variance" % fusion,
              close("median", end.rsv_median, numpy.median(value), 1e-4)
              + close("mean", end.rsv_mean, value.mean(), 1e-4)
              + close("undefined", end.rsv_undefined, undefined, 1e-9)
              + close("histogram", end.rsv_histogram, share, 2.5 / len(value))
              + ("" if value.std() > 0.1 else "all units are the same"))

    image, tokens, _, index = data["train"]
    probes = [index.index(i) for i in end.probe_index.values]
    traces = branch_traces(net, image[probes], tokens[probes])
    names = list(end.branch.values)
    mean = [traces[n].mean() for n in names]
    error = [traces[n].std(ddof=1) / numpy.sqrt(len(probes)) for n in names]
    ratio = mean[0] / mean[1]
    tap.check("%s: Fisher trace by branch" % fusion,
              ("" if names == ["image", "text", "trunk"] else "branches %s\n" % names)
              + ("" if difference(end.fisher_branch_trace.values, mean) < 1e-4 else
                 "%s, PyTorch %s\n" % (end.fisher_branch_trace.values, mean))
              + ("" if difference(end.fisher_branch_trace_stderr.values, error) < 1e-3 else
                 "errors %s, PyTorch %s\n" % (end.fisher_branch_trace_stderr.values, error))
              + close("ratio", end.fisher_branch_ratio, [ratio, 1 / ratio], 1e-3 * ratio))

    image, tokens, _, _ = data["test"]
    wrong = ""
    for name, y in net.rectified(image, tokens).items():
        dead = (y.transpose(0, 1).flatten(1) <= 0).all(1).double().mean().item()
        wrong += close(name, end.dead_units.sel(layer=name), dead, 1e-9)
    wrong += close("fusion.fc2", end.dead_units.sel(layer="fusion.fc2"), numpy.nan, 0)
    tap.check("%s: dead units" % fusion, wrong)

    norm = [sum((p ** 2).sum().item() for k, p in net.p.items() if k.startswith(start)) ** 0.5
            for start in ("image.", "text.", "fusion.")]
    tap.check("%s: norms of branches" % fusion, close("norms", end.branch_weight_norm, norm, 1e-5))


SWEEP = """
sweep:
  axes:
    t0: {key: "deficits[0].until", values: [0, 1]}
    seed: [1, 2]
"""


def check_collected():
    path = config("concat", SWEEP)
    subprocess.run([imprint.PROGRAM, "sweep", path, "--quiet", "--out", imprint.ROOT,
                    "experiment=senses-sweep", "train.epochs={total: 2}"], check=True,
                   stdout=subprocess.DEVNULL)
    folder = os.path.join(imprint.ROOT, "senses-sweep")
    subprocess.run([imprint.PROGRAM, "collect", folder], check=True, stdout=subprocess.DEVNULL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        s = xarray.open_dataset(os.path.join(folder, "sweep.h5"), engine="h5netcdf").load()
    wanted = {"rsv_histogram": ("t0", "seed", "epoch", "rsv_bin"),
              "test_only_accuracy": ("t0", "seed", "epoch", "modality"),
              "fisher_branch_trace": ("t0", "seed", "epoch", "branch"),
              "fisher_branch_ratio": ("t0", "seed", "epoch", "modality"),
              "branch_weight_norm": ("t0", "seed", "epoch", "branch"),
              "rsv_median": ("t0", "seed", "epoch")}
    tap.check("sweep.h5 has them over its axes, labelled",
              "\n".join("%s has %s" % (name, s[name].dims if name in s else None)
                        for name, dims in wanted.items() if name not in s or s[name].dims != dims))
    tap.check("labels are those of the logs",
              close("bins", s.rsv_bin, numpy.arange(-19, 20, 2) / 20, 1e-15)
              + ("" if list(s.branch.values) == ["image", "text", "trunk"] else str(s.branch)))
    tap.check("branches sum to the trace, shares to 1",
              close("trace", s.fisher_branch_trace.sum("branch"), s.fisher_trace, 1e-9)
              + close("shares", s.rsv_histogram.sum("rsv_bin"), numpy.ones((2, 2, 3)), 1e-9))
    done = subprocess.run([imprint.PROGRAM, "table", folder, "rsv_histogram"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.splitlines()
    tap.check("imprint table prints a histogram of all runs",
              "" if len(done) == 1 + 2 * 2 * 3 * 20 and "rsv_bin" in done[0] else
              "%d lines, %s" % (len(done), done[0]))


def main():
    for fusion in "concat", "product":
        check_measures(fusion)
    check_collected()
    tap.finish()


main()

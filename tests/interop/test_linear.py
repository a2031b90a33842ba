"""Deep linear networks of imprint beside PyTorch's autograd in double: whole runs with a gated
pathway, or with another task first, start from the same state and must end in the same one.

Tolerance: float rounds at 6e-8; what hundreds of steps make of it stays below 1e-4 of a tensor's
norm where modes are learnt, which the runs here do."""

import os
import subprocess

import h5py
import torch

import imprint
import nets
import tap
from torchlib import difference, load, tensors_of

TOLERANCE = 1e-4
PASSES = 40

PATHWAYS = """
experiment: linear
data: {set: hierarchy}
net: {arch: deeplinear, depth: 3, width: 12, init: balanced, eps: 0.05}
train:
  batch: 8
  passes: 40
  loss: {type: squared_error, mean: %s}
  lr: {base: %g}
  epochs: {total: %d}
deficits: [{type: gate_path, modality: b, from: 2, until: 4}]
fisher: {probes: 8, estimator: exact}
measures: [modes, singular_values]
"""

def pathways(mean, rate, epochs):
    """Of no epochs: the start, with no room for a gate."""
    text = PATHWAYS if epochs else PATHWAYS.replace("from: 2, until: 4", "from: 0, until: 0")
    return text % (mean, rate, epochs)


COMPLETION = """
experiment: linear
data: {set: completion, size: 20, rank: 2, observed: 200}
net: {arch: deeplinear, depth: 2, width: 20, eps: 0.5}
train:
  batch: 20
  passes: 40
  loss: {type: squared_error, mean: entries}
  lr: {base: 5}
  epochs: {total: %d}
deficits: [{type: few_entries, entries: 200, from: 0, until: 0}]
fisher: {probes: 20, estimator: exact}
measures: [singular_values]
"""


def written(text):
    path = os.path.join(imprint.ROOT, "linear.yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


def examples(text):
    path = os.path.join(imprint.ROOT, "examples.h5")
    subprocess.run([imprint.PROGRAM, "data", "export", written(text), "--output", path], check=True)
    with h5py.File(path) as f:
        part = {name: torch.as_tensor(value[...]).double() for name, value in f["train"].items()
                if value.dtype.kind == "f" and not name.endswith("outputs")}
        whole = torch.as_tensor(f["test/targets"][...]).double()
    targets = part.pop("targets")
    return [x for name, x in part.items() if x.dim() == 2 and "axis" not in name], targets, whole


def network(log, arch, shapes, K):
    net = nets.DeepLinear(shapes, arch, K).double()
    with h5py.File(imprint.state_path(log)) as f:
        load(net, tensors_of(f["params"]))
    return net


def half_squares(net, x, targets):
    known = ~torch.isnan(targets)
    return ((net(*x)[known] - targets[known]) ** 2).sum() / 2, known.sum().item()


def descend(net, x, targets, steps, rate, divisor, gated):
    for step in range(steps):
        net.zero_grad()
        loss, known = half_squares(net, x, targets)
        (loss / divisor(known)).backward()
        with torch.no_grad():
            for name, w in net.named_parameters():
                if not (gated(step // PASSES) and name.startswith("b.")):
                    w -= rate * w.grad


def fisher(net, x, targets):
    """E_x |J|^2 over the known outputs."""
    y, known, trace = net(*x), ~torch.isnan(targets), 0.0
    for n in range(len(y)):
        for k in range(y.shape[1]):
            if known[n, k]:
                grads = torch.autograd.grad(y[n, k], list(net.parameters()), retain_graph=True)
                trace += sum((g ** 2).sum().item() for g in grads) / len(y)
    return trace


def check(name, what, logged, mine):
    d = difference(logged, mine)
    tap.check("%s: %s" % (name, what), "" if d <= TOLERANCE else "differs by %.3g" % d)


def suite(name, text, epochs, settings, shapes, rate, divisor, gated=lambda epoch: False):
    x, targets, whole = examples(text(0))
    K = targets.shape[1]
    net = network(imprint.run(written(text(0))), settings, shapes, K)
    before = half_squares(net, x, targets)[0].item()
    log = imprint.run(written(text(epochs)))
    descend(net, x, targets, epochs * PASSES, rate, divisor, gated)
    other = network(log, settings, shapes, K)
    after = half_squares(net, x, targets)[0].item()
    tap.check("%s: most is learnt" % name, "" if after < before / 10 else "%g, %g" % (before, after))
    for key, value in other.state_dict().items():
        check(name, key, value, net.state_dict()[key])
    with h5py.File(log) as f, torch.no_grad():
        y = net(*x)
        mean = K * len(y) if "completion" in name else len(y)
        mine = ((y - whole) ** 2).sum().item() / 2 / mean
        d = abs(f["test_loss"][-1] - mine) / f["test_loss"][0]  # it may be learnt to nothing
        tap.check("%s: test loss" % name, "" if d <= TOLERANCE else "differs by %.3g" % d)
        values = torch.linalg.svdvals(y)[:10]
        check(name, "singular values", f["output_singular_values"][-1][:len(values)], values)
    with h5py.File(log) as f:
        check(name, "Fisher trace", f["fisher_trace"][-1], fisher(net, x, targets))


def main():
    torch.set_num_threads(1)
    two = {"depth": 3, "width": 12}, {"a": (1, 1, 8, 0), "b": (1, 1, 8, 0)}
    for mean, rate, divisor in ("none", 0.01, 1), ("examples", 0.08, 8):
        tap.attempt("two pathways, mean: %s: the suite ran to its end" % mean, suite,
                    "two pathways, mean: %s" % mean, lambda n: pathways(mean, rate, n), 20, *two, rate, lambda known: divisor, lambda epoch: 2 <= epoch < 4)
    tap.attempt("completion: the suite ran to its end", suite, "completion",
                lambda n: COMPLETION % n, 30, {"depth": 2, "width": 20}, {"column": (1, 1, 20, 0)},
                5, lambda known: known)
    tap.finish()


main()

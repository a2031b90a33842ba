"""Twenty training steps of every architecture with every optimizer, in PyTorch and in imprint.

tests/interop/steps.c dumps parameters, running statistics, inputs and labels, and what came of
them; here PyTorch starts from the same numbers in double precision. Tolerances: the double build
to 1e-8, the float build to 1e-4, relative to the norm of each tensor. Double rounds at 1e-16 and
float at 6e-8; twenty steps of a net that learns multiply that by 10 to 1000."""

import os
import subprocess
import sys
import tempfile

import h5py
import torch
from torch.nn import functional as F

import nets
import tap
from torchlib import difference, fisher_exact, grad_norm, layers_of, load

STEPS, N = 20, 16


def settings_of(group, kind):
    prefix = kind + "."
    return {k[len(prefix):]: v for k, v in group.attrs.items() if k.startswith(prefix)}


def tensors(group):
    return {name: value[...] for name, value in group.items() if not name.startswith("dim_")}


def optimizer_of(net, group):
    s = settings_of(group, "optimizer")
    rate, decay = float(group.attrs["rate"]), float(s.get("weight_decay", 0))
    if group.attrs["optimizer"] == "adam":
        return torch.optim.Adam(net.parameters(), rate, weight_decay=decay,
                                betas=(float(s["beta1"]), float(s["beta2"])), eps=float(s["eps"]))
    return torch.optim.SGD(net.parameters(), rate, momentum=float(s["momentum"]),
                           nesterov=s["nesterov"] == "true", weight_decay=decay)


def train(net, optimizer, x, labels, steps=STEPS):
    net.train()
    losses = []
    for step in range(steps):
        part = slice(step * N, (step + 1) * N)
        loss = F.cross_entropy(net(x[part]), labels[part])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def worst(net, group, losses):
    """(largest relative difference, where) over losses, parameters and running statistics."""
    state = net.state_dict()
    found = [(difference(group["losses"][...], losses), "losses")]
    found += [(difference(value, state[name]), name)
              for name, value in tensors(group["after"]).items()]
    return max(found)


def evaluation(net, group, x, labels):
    """The same for what steps.c measured at the end, over the first batch."""
    net.eval()
    x, labels = x[:N], labels[:N]
    with torch.no_grad():
        log_p = F.log_softmax(net(x), dim=1)
    trace = fisher_exact(net, x)
    layers = [name.decode() for name in group["layer"][...]]
    if layers != list(trace):
        return float("inf"), "layers %s" % layers
    correct = (log_p.argmax(1) == labels).sum().item()
    return max((difference(group.attrs["eval_loss"], F.nll_loss(log_p, labels)), "loss"),
               (difference(group.attrs["eval_entropy"], -(log_p.exp() * log_p).sum(1).mean()),
                "entropy"),
               (difference(group.attrs["eval_grad_norm"], grad_norm(net, x, labels)), "gradient"),
               (abs(int(group.attrs["eval_correct"]) - correct), "accuracy"),
               (difference(group["fisher_layer_trace"][...], list(trace.values())), "Fisher"))


def text(found, tolerance):
    return "" if found[0] <= tolerance else "%s differs by %.3g" % (found[1], found[0])


def case(group, name, build, tolerance, x, labels):
    def fresh():
        net = nets.build(group.attrs["arch"], settings_of(group, "arch"), x_shape, K)
        load(net, tensors(group["before"]))
        return net

    x_shape, K = (x.shape[2], x.shape[3], x.shape[1]), int(labels.max()) + 1
    net = fresh()
    losses = train(net, optimizer_of(net, group), x, labels)
    found = worst(net, group, losses)
    tap.check("%s, %s: 20 steps agree to %g (%.1e)" % (name, build, tolerance, found[0]),
              text(found, tolerance))
    found = evaluation(net, group, x, labels)
    tap.check("%s, %s: loss, accuracy, gradient norm and exact Fisher trace per layer agree (%.1e)"
              % (name, build, found[0]), text(found, max(tolerance, 1e-4 if build == "float" else 0)))

    # The comparison can fail: one step of twenty trained with a rate 1 % off is noticed.
    net = fresh()
    optimizer = optimizer_of(net, group)
    optimizer.param_groups[0]["lr"] *= 1.01
    losses = train(net, optimizer, x, labels)
    tap.check("%s, %s: a rate 1 %% off is noticed" % (name, build),
              "" if worst(net, group, losses)[0] > tolerance else "it is not")


def suite(build, program, tolerance):
    path = os.path.join(tempfile.mkdtemp(), build + ".h5")
    subprocess.run([program, path], check=True)
    with h5py.File(path) as f:
        tap.check("the %s build is one" % build, "" if f.attrs["real"] == build else "it is not")
        x = torch.as_tensor(f["x"][...]).permute(0, 3, 1, 2).contiguous()
        labels = torch.as_tensor(f["labels"][...]).long()
        for arch in (k for k in f if isinstance(f[k], h5py.Group)):
            for optimizer, group in f[arch].items():
                case(group, arch + " " + optimizer, build, tolerance, x, labels)


torch.set_num_threads(1)
suite("double", os.environ["STEPS_DOUBLE"], 1e-8)
suite("float", os.environ["STEPS_FLOAT"], 1e-4)
tap.finish()

"""Twenty training steps of every architecture with every optimizer, in PyTorch and in imprint.

tests/interop/steps.c dumps parameters, running statistics, inputs and labels, and what came of
them; here PyTorch starts from the same numbers in double precision. Tolerances, relative to the
norm of each tensor: 1e-8 for the double build, 1e-4 for the float build. Double rounds at 1e-16
and float at 6e-8; twenty steps multiply that by 10 to 1000.

The trap is the kink of ReLU and max pooling: where a pre-activation is nearer to 0 than float's
rounding errors, float and double take different sides and no tolerance holds for the gradient
(PyTorch's own float and double differ just so). The float build is therefore compared on inputs,
found by trying seeds in double, along whose whole trajectory every kink stays a margin away."""

import os
import subprocess
import tempfile

import h5py
import torch
from torch import nn
from torch.nn import functional as F

import nets
import tap
from torchlib import attributes, difference, fisher_exact, grad_norm, load, tensors_of

STEPS, N, K = 20, 16, 5
MARGIN = 2e-6  # float's error of a pre-activation of size 1 after some layers and steps
MARGINS = {"resnet18": 1e-5}  # twice the layers, batch norms of 16 numbers each at their end
SEEDS = 40


def settings_of(group, kind):
    prefix = kind + "."
    return {k[len(prefix):]: v for k, v in attributes(group).items() if k.startswith(prefix)}


def optimizer_of(net, group):
    s = settings_of(group, "optimizer")
    rate, decay = float(attributes(group)["rate"]), float(s.get("weight_decay", 0))
    if attributes(group)["optimizer"] == "adam":
        return torch.optim.Adam(net.parameters(), rate, weight_decay=decay,
                                betas=(float(s["beta1"]), float(s["beta2"])), eps=float(s["eps"]))
    return torch.optim.SGD(net.parameters(), rate, momentum=float(s["momentum"]),
                           nesterov=s["nesterov"] == "true", weight_decay=decay)


class Kinks:
    """The smallest distance to a kink that a net has seen in its forward passes."""

    def __init__(self, net):
        self.distance = float("inf")
        for module in net.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_pre_hook(lambda m, x: self.see(x[0].abs()))
            if isinstance(module, nn.MaxPool2d):
                module.register_forward_pre_hook(lambda m, x: self.see(self.gaps(m, x[0])))

    def see(self, distances):
        if distances.numel():
            self.distance = min(self.distance, distances.min().item())

    @staticmethod
    def gaps(pool, x):
        """How far the largest of each window is ahead; windows of zeros have no gradient anyway."""
        size = pool.kernel_size
        windows = x.unfold(2, size, size).unfold(3, size, size).flatten(4)
        top = windows.topk(2).values
        return (top[..., 0] - top[..., 1])[top[..., 0] > 0]


def mean_loss(net, batch, labels, heads):
    """`heads`: {modality: weight} of the losses of auxiliary heads."""
    if not heads:
        return F.cross_entropy(net(*batch), labels)
    logits, head_logits = net.with_heads(*batch)
    return F.cross_entropy(logits, labels) + sum(
        heads[name] * F.cross_entropy(z, labels) for name, z in head_logits.items())


def train(net, optimizer, x, labels, heads, steps=STEPS):
    net.train()
    losses = []
    for step in range(steps):
        part = slice(step * N, (step + 1) * N)
        loss = mean_loss(net, [v[part] for v in x], labels[part], heads)
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
              for name, value in tensors_of(group["after"]).items()]
    return max(found)


def evaluation(net, group, x, labels):
    """The same for what steps.c measured at the end, over the first batch."""
    net.eval()
    x, labels = [v[:N] for v in x], labels[:N]
    with torch.no_grad():
        log_p = F.log_softmax(net(*x), dim=1)
    trace = fisher_exact(net, x)
    layers = [name.decode() for name in group["layer"][...]]
    if layers != list(trace):
        return float("inf"), "layers %s" % layers
    correct = (log_p.argmax(1) == labels).sum().item()
    return max((difference(attributes(group)["eval_loss"], F.nll_loss(log_p, labels)), "loss"),
               (difference(attributes(group)["eval_entropy"], -(log_p.exp() * log_p).sum(1).mean()),
                "entropy"),
               (difference(attributes(group)["eval_grad_norm"], grad_norm(net, x, labels)), "gradient"),
               (abs(int(attributes(group)["eval_correct"]) - correct), "accuracy"),
               (difference(group["fisher_layer_trace"][...], list(trace.values())), "Fisher"))


def problem(found, tolerance):
    return "" if found[0] <= tolerance else "%s differs by %.3g" % (found[1], found[0])


class Case:
    """One net with one optimizer as dumped, and PyTorch's repetition of it."""

    def __init__(self, group, modalities, labels, slip=1.0):
        at = attributes(group)
        names = at["inputs"].split(",")
        x = [modalities[name].x for name in names]
        heads = {k[len("head."):]: float(v) for k, v in at.items() if k.startswith("head.")}
        self.group, self.x, self.labels = group, x, labels
        shapes = {name: modalities[name].shape for name in names}
        one = len(names) == 1
        self.net = nets.build(at["arch"], settings_of(group, "arch"),
                              shapes["image"][:3] if one else shapes, K)
        load(self.net, tensors_of(group["before"]))
        self.kinks = Kinks(self.net)
        optimizer = optimizer_of(self.net, group)
        optimizer.param_groups[0]["lr"] *= slip
        self.found = worst(self.net, group, train(self.net, optimizer, x, labels, heads))
        with torch.no_grad():
            self.net.eval()(*(v[:N] for v in x))  # the kinks of the evaluation count too

    def check(self, name, tolerance):
        tap.check("%s: 20 steps agree to %g (%.1e)" % (name, tolerance, self.found[0]),
                  problem(self.found, tolerance))
        found = evaluation(self.net, self.group, self.x, self.labels)
        tap.check("%s: loss, accuracy, gradient norm and exact Fisher trace per layer agree to %g "
                  "(%.1e)" % (name, tolerance, found[0]), problem(found, tolerance))


class Modality:
    """What the examples are in one modality, as PyTorch wants it, and (H, W, C, tokens)."""

    def __init__(self, values, tokens):
        x = torch.as_tensor(values)
        self.shape = (*x.shape[1:], tokens)
        self.x = x.flatten(1) if x.shape[1] == 1 else x.permute(0, 3, 1, 2).contiguous()


def dumped(build, seed):
    """{(arch, optimizer): group}, {name: modality}, labels."""
    path = os.path.join(tempfile.mkdtemp(), build + ".h5")
    subprocess.run([os.environ["STEPS_" + build.upper()], path, str(seed)], check=True)
    f = h5py.File(path)
    if attributes(f)["real"] != build:
        raise ValueError("%s: not the %s build" % (path, build))
    tokens = {"text": int(attributes(f)["vocabulary"])}
    modalities = {name: Modality(f[name][...], tokens.get(name, 0))
                  for name in ("image", "right", "text", "pose")}
    groups = {(a, o): f[a][o] for a in f if isinstance(f[a], h5py.Group) for o in f[a]}
    return groups, modalities, torch.as_tensor(f["labels"][...]).long()


def suite_double():
    groups, x, labels = dumped("double", 1)
    for names, group in groups.items():
        name = "%s, %s, double" % names
        Case(group, x, labels).check(name, 1e-8)
        # The comparison can fail: a learning rate that is off by 1e-4 is noticed.
        noticed = Case(group, x, labels, slip=1.0001).found[0] > 1e-8
        tap.check("%s: a slightly wrong rate is noticed" % name, "" if noticed else "it is not")


def suite_float():
    waiting = None
    for seed in range(1, SEEDS + 1):
        groups, x, labels = dumped("float", seed)
        waiting = list(groups) if waiting is None else waiting
        for names in list(waiting):
            case = Case(groups[names], x, labels)
            if case.kinks.distance > MARGINS.get(names[0], MARGIN):
                case.check("%s, %s, float (inputs %d)" % (*names, seed), 1e-4)
                waiting.remove(names)
    tap.check("inputs without a kink were found for every case", "\n".join(map(str, waiting)))


torch.set_num_threads(1)
suite_double()
suite_float()
tap.finish()

"""The penalties of stabilizers against PyTorch's automatic differentiation.

tests/interop/penalties.c dumps parameters, a batch and what each stabilizer makes of them; here
PyTorch starts from the same numbers in double precision: the gradient of the Fisher penalty by
differentiating the gradient (create_graph), with the labels that the same uniform numbers pick from
its own answers; those of the heads' losses and of the distance from the start; and the step of
shrink and perturb. The double build's Fisher penalty is a difference quotient with a step of 2e-10 of
the parameters' norm, right to 2e-6; the float build's has 1e-5, right to 1 or 2 %."""

import os
import subprocess
import tempfile

import h5py
import torch
from torch.nn import functional as F

import nets
import tap
from torchlib import attributes, difference, load, tensors_of

STRENGTH, K = 0.5, 5
EXACT = {"double": 1e-11, "float": 2e-5}
HESSIAN = {"double": 2e-6, "float": 3e-2}


def double(array):
    return torch.as_tensor(array, dtype=torch.float64)


class Flat:
    """A net of one input, by nets.py. `forward` gives the logits and the heads' logits."""

    def __init__(self, group, batch):
        settings = {k: str(v) for k, v in attributes(group).items()}
        self.net = nets.build(settings["arch"], settings, batch["image"].shape[1:], K)
        own = {k: v for k, v in self.net.state_dict().items() if "running" in k}
        load(self.net, {**tensors_of(group["params"]), **own})
        self.x = batch["image"].permute(0, 3, 1, 2)
        self.params = dict(self.net.named_parameters())

    def forward(self):
        return self.net.train()(self.x), []

    def is_norm(self, name):
        module = self.net.get_submodule(name.rpartition(".")[0])
        return isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))


class Towers:
    """An image and tokens, two encoders side by side, two linear layers, two heads."""

    def __init__(self, group, batch):
        self.params = {k: double(v).requires_grad_() for k, v in
                       tensors_of(group["params"]).items()}
        self.batch = batch

    def linear(self, x, name):
        return F.linear(x, self.params[name + ".weight"], self.params[name + ".bias"])

    def forward(self):
        x = self.batch["image"].permute(0, 3, 1, 2)
        for conv in "image.conv1", "image.conv2":
            x = F.conv2d(x, self.params[conv + ".weight"], self.params[conv + ".bias"], 2, 1).relu()
        tokens = self.batch["text"].flatten(1).long()
        words = F.embedding(tokens, self.params["text.embed.weight"], padding_idx=0).sum(1)
        taps = {"image": self.linear(x.flatten(1), "image.fc").relu(),
                "text": self.linear(words, "text.fc").relu()}
        x = torch.cat([taps["image"], taps["text"]], 1)
        x = self.linear(self.linear(x, "fusion.fc1").relu(), "fusion.fc2")
        return x, [self.linear(tap_of, "head_" + name) for name, tap_of in taps.items()]

    def is_norm(self, name):
        return False


def is_head(name):
    return name.startswith("head_")


def gradients(value, params):
    """{name: gradient}; of parameters that the value does not depend on, 0."""
    found = torch.autograd.grad(value, list(params.values()), allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g
            for (n, p), g in zip(params.items(), found)}


def labels_drawn(logits, uniform):
    """The first class whose cumulative probability is above the number."""
    return (logits.softmax(1).cumsum(1) <= uniform[:, None]).sum(1)


def fisher(model, group, norm, alpha=0.3):
    logits, _ = model.forward()
    drawn = labels_drawn(logits.detach(), double(group["uniform"][...]))
    of = {n: p for n, p in model.params.items() if not is_head(n)}
    loss = F.cross_entropy(logits, drawn)
    g = dict(zip(of, torch.autograd.grad(loss, list(of.values()), create_graph=True)))
    penalty = sum((v ** 2).sum() for n, v in g.items() if norm or not model.is_norm(n))
    return gradients(STRENGTH * alpha * penalty, model.params)


def loss_with_heads(model, labels, weight):
    logits, heads = model.forward()
    return F.cross_entropy(logits, labels) + weight * sum(F.cross_entropy(h, labels) for h in heads)


def moved(model, group, formula):
    """{name: formula(w, start, fresh)}; heads are in no branch, and stay."""
    new = {}
    for name, w in model.params.items():
        start, fresh = double(group["start"][name][...]), double(group["fresh"][name][...])
        new[name] = formula(w.detach(), start, fresh)
    return new


def expected(model, group):
    labels = torch.as_tensor(group["labels"][...]).long()
    shrink, perturb = 1 - STRENGTH * (1 - 0.7), STRENGTH * 0.2
    found = {"gradient": gradients(loss_with_heads(model, labels, 0), model.params),
             "fisher_penalty": fisher(model, group, False),
             "fisher_penalty_norm": fisher(model, group, True),
             "l2_init": moved(model, group, lambda w, start, fresh: STRENGTH * 0.02 * (w - start)),
             "shrink_perturb": moved(model, group, lambda w, start, fresh:
                                     shrink * w + perturb * fresh)}
    for name, w in model.params.items():
        if is_head(name):
            found["l2_init"][name], found["shrink_perturb"][name] = torch.zeros_like(w), w.detach()
    if "unimodal_heads" in group:
        loss = loss_with_heads(model, labels, STRENGTH * 0.4)
        found["unimodal_heads"] = gradients(loss, model.params)
    return found


def whole(tensors):
    return torch.cat([double(tensors[name]).detach().flatten() for name in sorted(tensors)])


def check(build, name, group):
    batch = {m: double(group[m][...]) for m in ("image", "text") if m in group}
    model = (Towers if name == "towers" else Flat)(group, batch)
    for what, tensors in expected(model, group).items():
        found = tensors_of(group[what])
        if set(found) != set(tensors):
            tap.check("%s, %s, %s" % (name, what, build), "other tensors")
            continue
        off = difference(whole(found), whole(tensors))
        bound = HESSIAN[build] if what.startswith("fisher") else EXACT[build]
        tap.check("%s, %s, %s: PyTorch's to %g (%.1e)" % (name, what, build, bound, off),
                  "" if off <= bound else "differs by %.3g" % off)
        wrong = difference(whole(found), whole(tensors) * (1 + 2 * bound))
        tap.check("%s, %s, %s: a slightly wrong factor is noticed" % (name, what, build),
                  "" if wrong > bound else "it is not")


def suite(build):
    path = os.path.join(tempfile.mkdtemp(), build + ".h5")
    program = os.path.join(os.path.dirname(os.environ["STEPS_" + build.upper()]), "penalties")
    subprocess.run([program, path], check=True)
    f = h5py.File(path)
    if attributes(f)["real"] != build:
        raise ValueError("%s: not the %s build" % (path, build))
    groups = [g for g in f if isinstance(f[g], h5py.Group)]
    tap.check("%s: every network is there" % build, "" if len(groups) == 5 else str(groups))
    tap.check("%s: heads are trained where there are some" % build,
              "" if [g for g in groups if "unimodal_heads" in f[g]] == ["towers"] else "they are not")
    for g in groups:
        check(build, g, f[g])


torch.set_num_threads(1)
suite("double")
suite("float")
tap.finish()

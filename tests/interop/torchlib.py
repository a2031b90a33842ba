"""What a state of imprint means in PyTorch: loading it, and the exact Fisher trace by brute force."""

import torch
from torch import nn
from torch.nn import functional as F


def attributes(thing):
    """The attributes of a file or group, texts as str."""
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in thing.attrs.items()}


def tensors_of(group):
    """{name: array} of a group of a state, without the scales of its axes."""
    return {name: value[...] for name, value in group.items() if not name.startswith("axis")}


def load(net, tensors):
    """Load {name: array} into a net of nets.py; names and shapes must agree one for one."""
    own = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    if set(own) != set(tensors):
        raise ValueError("names differ: %s" % sorted(set(own) ^ set(tensors)))
    with torch.no_grad():
        for name, value in own.items():
            array = torch.as_tensor(tensors[name], dtype=torch.float64)
            if array.shape != value.shape:
                raise ValueError("%s: %s in the file, %s in PyTorch"
                                 % (name, tuple(array.shape), tuple(value.shape)))
            value.copy_(array)


def difference(a, b):
    """Relative difference of two arrays in the Euclidean norm; NaN counts as infinite."""
    a = torch.as_tensor(a, dtype=torch.float64)
    b = torch.as_tensor(b, dtype=torch.float64)
    if a.shape != b.shape:
        return float("inf")
    d = ((a - b).norm() / b.norm().clamp_min(1e-300)).item() if (a != b).any() else 0.0
    return d if d == d else float("inf")


def many(x):
    """The inputs of a net, one per modality."""
    return x if isinstance(x, (list, tuple)) else (x,)


def grad_norm(net, x, labels):
    """Norm of the gradient of the mean loss, in the net's present mode; what the loss does not
    depend on (auxiliary heads) has none."""
    net.zero_grad()
    F.cross_entropy(net(*many(x)), labels).backward()
    return sum((p.grad ** 2).sum() for p in net.parameters() if p.grad is not None).sqrt().item()


def layers_of(net):
    """The layer of every parameter: a normalization belongs to the convolution or linear module
    before it."""
    layers = []
    for name, _ in net.named_parameters():
        module = name.rpartition(".")[0]
        norm = isinstance(net.get_submodule(module), (nn.BatchNorm1d, nn.BatchNorm2d))
        layers.append(layers[-1] if norm else module)
    return layers


def fisher_exact(net, x):
    """{layer: E_x E_{y~p(y|x)} |d log p(y|x) / d w_layer|^2}, in eval mode, one example and one
    class at a time."""
    net.eval()
    names = layers_of(net)
    trace = dict.fromkeys(names, 0.0)
    examples = list(zip(*many(x)))
    for example in examples:
        log_p = F.log_softmax(net(*(v[None] for v in example)), dim=1)[0]
        for y in range(len(log_p)):
            grads = torch.autograd.grad(log_p[y], list(net.parameters()), retain_graph=True,
                                        allow_unused=True)
            for name, g in zip(names, grads):
                if g is not None:
                    trace[name] += (log_p[y].exp() * (g ** 2).sum()).item() / len(examples)
    return trace

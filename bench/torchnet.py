"""What the PyTorch programs share: the networks of tests/interop/nets.py with imprint's parameters."""

import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "interop"))
import nets  # noqa: E402


def read(request):
    """The numbers that `bench` saved: parameters, images, labels."""
    return torch.from_file(request["path"], size=os.path.getsize(request["path"]) // 4)


def build(request, values):
    """The net, and the numbers behind its parameters."""
    net = nets.build(request["arch"], request["settings"], tuple(request["shape"]), request["K"]).float()
    own = dict(net.named_parameters())
    if set(own) != set(request["names"]):
        raise ValueError("other parameters: %s" % sorted(set(own) ^ set(request["names"])))
    with torch.no_grad():
        for name in request["names"]:
            p = own[name]
            p.copy_(values[:p.numel()].view(p.shape))
            values = values[p.numel():]
    return net, values

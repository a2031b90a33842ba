"""A state and a log of imprint, read by PyTorch: the network is rebuilt from the config inside the
log, the parameters are loaded from the state that the log names, and what the log says of that
state is computed again: test loss and accuracy, and on the stored probes the loss, the entropy
and the exact Fisher trace per layer; the gradient norm of the next training step.

Tolerance: 1e-4 relative. States are float32, the log's sums over float32 activations."""

import h5py
import torch
import yaml
from torch.nn import functional as F

import imprint
import nets
import tap
from torchlib import attributes, difference, fisher_exact, grad_norm, load, tensors_of

TOLERANCE = 1e-4
WIDTH = 20  # columns that each of two views sees
NETS = ["convfc", "mlp, hidden: [40, 30]", "lenet, width: 0.5", "allcnn, width: 0.0625",
        "allcnn_c, width: 0.0625", "allcnn_depth, n: 2, width: 0.0625", "resnet18, width: 4"]

# Several modalities: (net, data, their names).
VQA, VIEWS = "set: vqa", "set: views, of: optotypes, width: %d" % WIDTH
SEVERAL = [("towers", VQA, ("image", "text")),
           ("towers, fusion: product, heads: true", VQA, ("image", "text")),
           ("towers, fusion: add, norm: batch", VIEWS, ("left", "right")),
           ("split_allcnn, width: 0.0625, heads: true", VIEWS, ("left", "right"))]


def hide(x, modalities):
    """The columns that an eye of `views` does not see are 0."""
    if modalities == ("left", "right"):
        x[0][..., WIDTH:] = 0
        x[1][..., :-WIDTH] = 0
    return x


def shape_of(x, name, params):
    """(H, W, C, tokens) of one example; the vocabulary is in the state."""
    if x.dim() == 4:
        return (*x.shape[2:], x.shape[1], 0)
    embed = params.get(name + ".embed.weight")
    return (1, x.shape[1], 1, 0 if embed is None else len(embed))


def network(log, state, x, modalities, K):
    with h5py.File(log) as f:
        settings = yaml.safe_load(f["config"][()])["net"]
    with h5py.File(state) as f:
        params = tensors_of(f["params"])
        buffers = tensors_of(f["buffers"]) if "buffers" in f else {}
    shapes = {name: shape_of(v, name, params) for name, v in zip(modalities, x)}
    shape = shapes if len(x) > 1 else shapes["image"][:3]
    net = nets.build(settings["arch"], settings, shape, K)
    load(net, {**params, **buffers})
    return net


def check(name, what, logged, mine):
    d = difference(logged, mine)
    tap.check("%s: %s agrees (%.1e)" % (name, what, d),
              "" if d <= TOLERANCE else "the log says %s, PyTorch %s" % (logged, mine))


def suite(settings, data="set: optotypes", modalities=("image",)):
    name = settings.split(",")[0] if len(modalities) == 1 else settings
    path = imprint.config(settings, data, modalities[0])
    splits, K = imprint.export(path, modalities)
    (train_x, train_y, train_index), (test_x, test_y, _) = splits["train"], splits["test"]
    hide(train_x, modalities), hide(test_x, modalities)

    # The state after 2 epochs: the end of a run of 2, inside a run of 3 that goes on from it.
    short = imprint.run(path, "train.epochs.total=2")
    whole = imprint.run(path)
    net = network(short, imprint.state_path(short), train_x, modalities, K)

    with h5py.File(whole) as f:
        log = {k: v[...] for k, v in f.items() if isinstance(v, h5py.Dataset)}
    probes = [train_index.index(i) for i in log["probe_index"]]
    probe_x, probe_y = [v[probes] for v in train_x], train_y[probes]

    net.eval()
    with torch.no_grad():
        log_p = F.log_softmax(net(*test_x), dim=1)
        check(name, "test loss", log["test_loss"][2], F.nll_loss(log_p, test_y))
        check(name, "test accuracy", log["test_accuracy"][2],
              (log_p.argmax(1) == test_y).double().mean())
        log_p = F.log_softmax(net(*probe_x), dim=1)
        check(name, "loss on the probes", log["fisher_loss"][2], F.nll_loss(log_p, probe_y))
        check(name, "entropy on the probes", log["fisher_entropy"][2],
              -(log_p.exp() * log_p).sum(1).mean())
    trace = fisher_exact(net, probe_x)
    layers = [layer.decode() for layer in log["layer"]]
    tap.check("%s: the layers' names agree" % name,
              "" if layers == list(trace) else "%s, %s" % (layers, list(trace)))
    check(name, "exact Fisher trace per layer", log["fisher_layer_trace"][2], list(trace.values()))
    check(name, "exact Fisher trace", log["fisher_trace"][2], sum(trace.values()))
    # Row 3 tells of epoch [2, 3): one step on all training examples, clean again.
    net.train()
    check(name, "gradient norm of the next step", log["grad_norm"][3],
          grad_norm(net, train_x, train_y))
    with torch.no_grad():
        check(name, "training loss of the next step", log["train_loss"][3],
              F.cross_entropy(net(*train_x), train_y))

    # The comparison can fail: the state one epoch on is noticed.
    other = network(whole, imprint.state_path(whole), train_x, modalities, K)
    other.train()
    d = difference(log["grad_norm"][3], grad_norm(other, train_x, train_y))
    tap.check("%s: another state is noticed" % name, "" if d > TOLERANCE else "it is not")


def main():
    torch.set_num_threads(1)
    for settings in NETS:
        tap.attempt("%s: the suite ran to its end" % settings, suite, settings)
    for case in SEVERAL:
        tap.attempt("%s: the suite ran to its end" % case[0], suite, *case)
    tap.finish()


main()

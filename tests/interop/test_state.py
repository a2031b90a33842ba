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
NETS = ["convfc", "mlp, hidden: [40, 30]", "lenet, width: 0.5", "allcnn, width: 0.0625",
        "allcnn_c, width: 0.0625", "allcnn_depth, n: 2, width: 0.0625", "resnet18, width: 4"]


def network(log, state, shape, K):
    with h5py.File(log) as f:
        settings = yaml.safe_load(f["config"][()])["net"]
    net = nets.build(settings["arch"], settings, shape, K)
    with h5py.File(state) as f:
        load(net, {**tensors_of(f["params"]), **(tensors_of(f["buffers"]) if "buffers" in f else {})})
    return net


def check(name, what, logged, mine):
    d = difference(logged, mine)
    tap.check("%s: %s agrees (%.1e)" % (name, what, d),
              "" if d <= TOLERANCE else "the log says %s, PyTorch %s" % (logged, mine))


def suite(settings):
    name = settings.split(",")[0]
    path = imprint.config(settings)
    splits, K = imprint.export(path)
    train_x, train_y, train_index = splits["train"]
    test_x, test_y, _ = splits["test"]

    # The state after 2 epochs: the end of a run of 2, inside a run of 3 that goes on from it.
    short = imprint.run(path, "train.epochs.total=2")
    whole = imprint.run(path)
    net = network(short, imprint.state_path(short), (*train_x.shape[2:], train_x.shape[1]), K)

    with h5py.File(whole) as f:
        log = {k: v[...] for k, v in f.items() if isinstance(v, h5py.Dataset)}
    probes = [train_index.index(i) for i in log["probe_index"]]
    probe_x, probe_y = train_x[probes], train_y[probes]

    net.eval()
    with torch.no_grad():
        log_p = F.log_softmax(net(test_x), dim=1)
        check(name, "test loss", log["test_loss"][2], F.nll_loss(log_p, test_y))
        check(name, "test accuracy", log["test_accuracy"][2],
              (log_p.argmax(1) == test_y).double().mean())
        log_p = F.log_softmax(net(probe_x), dim=1)
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
              F.cross_entropy(net(train_x), train_y))

    # The comparison can fail: the state one epoch on is noticed.
    other = network(whole, imprint.state_path(whole), (*train_x.shape[2:], train_x.shape[1]), K)
    other.train()
    d = difference(log["grad_norm"][3], grad_norm(other, train_x, train_y))
    tap.check("%s: another state is noticed" % name, "" if d > TOLERANCE else "it is not")


def main():
    torch.set_num_threads(1)
    for settings in NETS:
        tap.attempt("%s: the suite ran to its end" % settings, suite, settings)
    tap.finish()


main()

"""What imprint is measured against: the same networks, training steps and Fisher traces in PyTorch.

bench/run.py asks over a pipe; a request and its answer are a line of JSON each. The networks are
tests/interop/nets.py, which the interop tests hold to imprint's digit by digit. A step is zero_grad,
forward, loss, backward and SGD with momentum on a batch that lies in memory in the layout that is
asked for. Fisher traces come in the three ways that people use: one example at a time, functorch's
vmap of grad, and the norms of per-example gradients from inputs and output gradients."""

import json
import os
import sys
import time

THREADS = int(sys.argv[1])
# Read when the libraries load. OpenBLAS has threads of its own beside PyTorch's.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "interop"))
import nets  # noqa: E402

LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
ELEMENTS = 1 << 26  # of per-example gradients at a time under vmap


class Load:
    """One network in both layouts, with the parameters, images and labels that `bench` saved."""

    def __init__(self, request):
        H, W, C = request["shape"]
        self.K, self.batch = request["K"], request["batch"]
        values = torch.from_file(request["path"], size=os.path.getsize(request["path"]) // 4)
        self.nets, self.images, self.optimizers = {}, {}, {}
        for layout in request["layouts"]:
            net = nets.build(request["arch"], request["settings"], (H, W, C), self.K).float()
            rest = self.fill(net, request["names"], values)
            x = rest[:self.batch * H * W * C].view(self.batch, H, W, C).permute(0, 3, 1, 2)
            self.nets[layout] = net.to(memory_format=LAYOUTS[layout])
            self.images[layout] = x.clone(memory_format=LAYOUTS[layout])
            self.optimizers[layout] = torch.optim.SGD(net.parameters(), 0.001, 0.9, weight_decay=5e-4)
            self.labels = rest[self.batch * H * W * C:].long()

    @staticmethod
    def fill(net, names, values):
        own = dict(net.named_parameters())
        if set(own) != set(names):
            raise ValueError("other parameters: %s" % sorted(set(own) ^ set(names)))
        with torch.no_grad():
            for name in names:
                p = own[name]
                p.copy_(values[:p.numel()].view(p.shape))
                values = values[p.numel():]
        return values

    def step(self, layout):
        self.optimizers[layout].zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.nets[layout](self.images[layout]), self.labels)
        loss.backward()
        self.optimizers[layout].step()
        return loss

    def loss(self):
        """Of the batch in training mode; the running statistics stay as they were."""
        layout, net = next(iter(self.nets.items()))
        kept = {k: v.clone() for k, v in net.named_buffers()}
        net.train()
        with torch.no_grad():
            loss = F.cross_entropy(net(self.images[layout]), self.labels).item()
            for k, v in net.named_buffers():
                v.copy_(kept[k])
        return loss

    def flops(self):
        """Multiply-adds of one example's forward pass, twice: imprint's load_flops anew."""
        total = 0.0

        def count(module, inputs, output):
            nonlocal total
            total += 2.0 * module.weight.numel() * output[0].numel() / output.shape[1]

        layout, net = next(iter(self.nets.items()))
        hooks = [m.register_forward_hook(count) for m in net.modules()
                 if isinstance(m, (nn.Conv2d, nn.Linear))]
        net.eval()
        with torch.no_grad():
            net(self.images[layout][:1])
        for hook in hooks:
            hook.remove()
        return total


# ---- Fisher traces: sum over the examples of |d log p(y|x) / dw|^2 -------------------------------


def draw(logits):
    return torch.distributions.Categorical(logits=logits).sample()


def fisher_loop(net, x, labels):
    """One example at a time."""
    params, total = list(net.parameters()), 0.0
    for i in range(len(x)):
        logits = net(x[i:i + 1])
        y = draw(logits.detach()) if labels is None else labels[i:i + 1]
        grads = torch.autograd.grad(F.cross_entropy(logits, y), params)
        total += sum(g.pow(2).sum() for g in grads).item()
    return total


def fisher_vmap(net, x, labels):
    from functorch import grad, make_functional_with_buffers, vmap

    function, params, buffers = make_functional_with_buffers(net)

    def loss(params, buffers, example, y):
        return F.cross_entropy(function(params, buffers, example[None]), y[None])

    if labels is None:
        with torch.no_grad():
            labels = draw(net(x))
    chunk = max(1, min(len(x), ELEMENTS // sum(p.numel() for p in params)))
    total = 0.0
    for i in range(0, len(x), chunk):
        grads = vmap(grad(loss), (None, None, 0, 0))(params, buffers, x[i:i + chunk], labels[i:i + chunk])
        total += sum(g.pow(2).sum() for g in grads).item()
    return total


def norm_conv(m, x, g):
    """The gradient itself, or the products of inputs times those of gradients: whichever is less."""
    columns = F.unfold(x, m.kernel_size, padding=m.padding, stride=m.stride)  # N, C R S, L
    g = g.flatten(2)
    D, L, O = columns.shape[1], columns.shape[2], g.shape[1]
    if L * (D + O) < D * O:
        total = (columns.transpose(1, 2).bmm(columns) * g.transpose(1, 2).bmm(g)).sum()
    else:
        total = g.bmm(columns.transpose(1, 2)).pow(2).sum()
    return total if m.bias is None else total + g.sum(2).pow(2).sum()


def norm_linear(m, x, g):
    x2 = x.pow(2).sum(1)
    return ((x2 if m.bias is None else x2 + 1) * g.pow(2).sum(1)).sum()


def norm_batchnorm(m, x, g):
    shape = (1, -1) + (1,) * (x.dim() - 2)
    xhat = (x - m.running_mean.view(shape)) * (m.running_var + m.eps).rsqrt().view(shape)
    dgamma, dbeta = g * xhat, g
    if x.dim() == 4:
        dgamma, dbeta = dgamma.sum((2, 3)), dbeta.sum((2, 3))
    return dgamma.pow(2).sum() + dbeta.pow(2).sum()


NORMS = {nn.Conv2d: norm_conv, nn.Linear: norm_linear, nn.BatchNorm1d: norm_batchnorm,
         nn.BatchNorm2d: norm_batchnorm}


def fisher_norm(net, x, labels):
    """One backward pass for the gradients by every layer's output, none by a parameter."""
    seen = []

    def keep(module, inputs, output):
        output = output if output.requires_grad else output.requires_grad_()
        seen.append((module, inputs[0].detach(), output))
        return output

    hooks = [m.register_forward_hook(keep) for m in net.modules() if type(m) in NORMS]
    net.requires_grad_(False)
    logits = net(x)
    y = draw(logits.detach()) if labels is None else labels
    grads = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), [s[2] for s in seen])
    with torch.no_grad():
        total = sum(NORMS[type(m)](m, x, g) for (m, x, _), g in zip(seen, grads)).item()
    net.requires_grad_(True)
    for hook in hooks:
        hook.remove()
    return total


FISHERS = {"loop": fisher_loop, "vmap": fisher_vmap, "norm": fisher_norm}


# ---- requests ------------------------------------------------------------------------------------


def timed(work, seconds):
    """bench/machine.c, timing_of: the same rule for both."""
    def once():
        wall, cpu = time.monotonic(), time.process_time()
        result = work()
        return {"runs": 1, "wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}, result

    answer, result = once()
    if answer["wall"] >= seconds / 4:
        return answer, result
    wall, cpu, runs = time.monotonic(), time.process_time(), 0
    while runs == 0 or time.monotonic() - wall < seconds:
        result = work()
        runs += 1
    return {"runs": runs, "wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}, result


class Rival:
    def machine(self, r):
        return {"torch": torch.__version__, "threads": torch.get_num_threads(),
                "capability": torch.__config__.show().partition("CPU capability usage: ")[2].split("\n")[0]}

    def net(self, r):
        self.load = Load(r)
        return {"params": sum(p.numel() for p in next(iter(self.load.nets.values())).parameters()),
                "forward": self.load.flops(), "loss": self.load.loss()}

    def train(self, r):
        self.load.nets[r["layout"]].train()
        answer, loss = timed(lambda: self.load.step(r["layout"]), r["seconds"])
        return {**answer, "loss": loss.item()}

    def fisher(self, r):
        load, layout = self.load, r["layout"]
        net = load.nets[layout].eval()
        labels = load.labels if r.get("empirical") else None
        answer, total = timed(lambda: FISHERS[r["method"]](net, load.images[layout], labels), r["seconds"])
        return {**answer, "trace": total / load.batch}


def main():
    torch.set_num_threads(THREADS)
    torch.manual_seed(1)
    rival = Rival()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(rival, request["do"])(request)
        except Exception as e:  # said by the driver, who goes on without this number
            answer = {"error": "%s: %s" % (type(e).__name__, str(e).split("\n")[0])}
        print(json.dumps(answer), flush=True)


main()

"""What imprint is measured against: the same networks, training steps and Fisher traces in PyTorch.

bench/run.py asks over a pipe; a request and its answer are a line of JSON each. The networks are
tests/interop/nets.py, which the interop tests hold to imprint's digit by digit. A step is zero_grad,
forward, loss, backward and SGD with momentum on a batch that lies in memory in the layout that is
asked for. Fisher traces are those of bench/fishers.py."""

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

import torchnet  # noqa: E402
from fishers import FISHERS, LAYOUTS  # noqa: E402


class Load:
    """One network in both layouts, with the parameters, images and labels that `bench` saved."""

    def __init__(self, request):
        H, W, C = request["shape"]
        self.batch = request["batch"]
        values = torchnet.read(request)
        self.nets, self.images, self.optimizers = {}, {}, {}
        for layout in request["layouts"]:
            net, rest = torchnet.build(request, values)
            x = rest[:self.batch * H * W * C].view(self.batch, H, W, C).permute(0, 3, 1, 2)
            self.nets[layout] = net.to(memory_format=LAYOUTS[layout])
            self.images[layout] = x.clone(memory_format=LAYOUTS[layout])
            self.optimizers[layout] = torch.optim.SGD(net.parameters(), 0.001, 0.9, weight_decay=5e-4)
            self.labels = rest[self.batch * H * W * C:].long()

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

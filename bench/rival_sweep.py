"""The sweep of bench/wholes.py as a good PyTorch script would do it, from scratch run by run.

    bench/rival_sweep.py < SPEC        one JSON object in, one out

One process per core, one thread each, the longest run first. Images are normalized once, blurred once,
and lie in memory as rows of NHWC, so that a batch is one index_select in channels_last. The layout and
the way of the Fisher trace are those that were fastest here. The clock starts when PyTorch is loaded
and ends when the last run does."""

import json
import multiprocessing
import os
import resource
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import torchnet  # noqa: E402
from fishers import FISHERS, LAYOUTS  # noqa: E402


class Data:
    """clean and blurred training images, test images: [N,H,W,C] floats; labels."""

    def __init__(self, spec):
        n, m, (H, W, C) = spec["train"], spec["test"], spec["shape"]
        size = H * W * C
        stored = torch.from_file(spec["images"], size=(n + m) * (size + 1), dtype=torch.uint8)
        images = stored[:(n + m) * size].view(n + m, H, W, C).float()
        labels = stored[(n + m) * size:].long()
        mean = images[:n].mean((0, 1, 2))
        sd = images[:n].sub(mean).pow(2).mean((0, 1, 2)).sqrt()
        blurred = self.blur(images[:n], spec["factor"])
        self.clean, self.blurred = ((x - mean) / sd for x in (images[:n], blurred))
        self.test = (images[n:] - mean) / sd
        self.labels, self.test_labels = labels[:n], labels[n:]

    @staticmethod
    def blur(images, factor):
        """Means of blocks, bilinear up, whole numbers: deficits/blur.c, kernel area."""
        x = images.permute(0, 3, 1, 2).contiguous()
        small = F.avg_pool2d(x, factor)
        return F.interpolate(small, size=x.shape[2:], mode="bilinear").round().permute(0, 2, 3, 1).contiguous()


def batch_of(rows, pick, layout):
    x = rows.index_select(0, pick).permute(0, 3, 1, 2)
    return x if layout == "NHWC" else x.contiguous()


class Run:
    def __init__(self, spec, data):
        self.spec, self.data, self.layout = spec, data, spec["layout"]
        net, _ = torchnet.build(spec, torchnet.read(spec))
        self.net = net.to(memory_format=LAYOUTS[self.layout])
        self.optimizer = torch.optim.SGD(net.parameters(), spec["lr"], spec["momentum"],
                                         weight_decay=spec["weight_decay"])

    def epoch(self, number, images):
        self.net.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec["lr"] * self.spec["gamma"] ** number
        total = torch.zeros(())
        for pick in torch.randperm(len(images)).split(self.spec["batch"]):
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.net(batch_of(images, pick, self.layout)), self.data.labels[pick])
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(pick)
        return total.item() / len(images)

    def evaluate(self):
        self.net.eval()
        loss, right, n = 0.0, 0, len(self.data.test)
        with torch.inference_mode():
            for pick in torch.arange(n).split(self.spec["batch"]):
                logits, y = self.net(batch_of(self.data.test, pick, self.layout)), self.data.test_labels[pick]
                loss += F.cross_entropy(logits, y, reduction="sum").item()
                right += (logits.argmax(1) == y).sum().item()
        return loss / n, right / n

    def fisher(self):
        way, probes = self.spec["fisher"], torch.arange(self.spec["probes"])
        self.net.eval().to(memory_format=LAYOUTS[way["layout"]])
        total = sum(FISHERS[way["method"]](self.net, batch_of(self.data.clean, pick, way["layout"]), None)
                    for pick in probes.split(self.spec["batch"]))
        self.net.to(memory_format=LAYOUTS[self.layout])
        return total / len(probes)


def train(spec, data, removal):
    torch.manual_seed(1)
    run, rows = Run(spec, data), []
    for e in range(removal + spec["clean"]):
        loss = run.epoch(e, data.blurred if e < removal else data.clean)
        rows.append([loss, *run.evaluate(), run.fisher()])
    return {"removal": removal, "rows": rows}


def work(removal):
    return train(work.spec, work.data, removal)


def main():
    torch.set_num_threads(1)
    spec = json.load(sys.stdin)
    began = time.monotonic()
    work.spec, work.data = spec, Data(spec)
    with multiprocessing.get_context("fork").Pool(spec["jobs"]) as pool:
        runs = list(pool.imap_unordered(work, sorted(spec["removals"], reverse=True)))
        pool.close()
        pool.join()
    seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    first = Run(spec, work.data)  # for the check that both sides begin alike
    json.dump({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "runs": runs,
               "initial": [*first.evaluate(), first.fisher()]}, sys.stdout)


main()

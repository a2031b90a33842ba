"""The networks, with their targets, and the programs that measure them in turns."""

import math
import os
import sys

from pipes import Failed, Program, Rival

BATCH, K = 128, 10


class Net:
    """Targets are (floor, goal) pairs; None: nothing is promised."""

    def __init__(self, name, arch, settings, shape, step, peak=None, fisher=None):
        self.name, self.arch, self.settings, self.shape = name, arch, settings, shape
        self.step, self.peak, self.fisher = step, peak, fisher

    def words(self):
        return ";".join("%s=%s" % item for item in self.settings.items()).replace(" ", "") or "-"

    def layouts(self):
        return ["NCHW"] if self.arch == "mlp" else ["NCHW", "NHWC"]

    def ask(self, program, threads):
        """Make it this program's; what it says of it."""
        return program.ask("net %s %s %d %d %d %d %d %d" % (self.arch, self.words(), *self.shape, K, BATCH, threads))

    def request(self, info, path):
        """The same for PyTorch, with the parameters that were saved there."""
        return dict(arch=self.arch, settings=self.settings, shape=self.shape, K=K, batch=BATCH, path=path,
                    names=info["names"], layouts=self.layouts())


NETS = [
    Net("allcnn_c-0.25", "allcnn_c", {"width": "0.25"}, (32, 32, 3), (1.4, 2.0), (0.75, None), (2, 3)),
    Net("allcnn_c-0.5", "allcnn_c", {"width": "0.5"}, (32, 32, 3), (1.25, 1.8), (0.85, 1.0), (1.5, 2.5)),
    Net("allcnn_c-1", "allcnn_c", {"width": "1"}, (32, 32, 3), (1.1, 1.6), (0.85, 1.0)),
    Net("lenet", "lenet", {"norm": "none"}, (28, 28, 1), (1.4, 2.0), None, (4, 6)),
    Net("mlp", "mlp", {"hidden": "[2500, 2000, 1500, 1000, 500]", "norm": "batch"}, (32, 32, 1), (1.15, 1.3),
        None, (2, 4)),
    Net("resnet18-16", "resnet18", {"width": "16"}, (32, 32, 3), (1.1, 1.6)),
    Net("resnet18-32", "resnet18", {"width": "32"}, (32, 32, 3), (1.1, 1.6)),
]
METHODS = ["norm", "norm16", "vmap", "loop"]


def seconds_of(answer, threads):
    return (answer["wall"] if threads > 1 else answer["cpu"]) / answer["runs"]


def spelled(how):
    return "%s%s" % (how["layout"], ", kept memory" if how["keeps"] else "")


# ---- the programs --------------------------------------------------------------------------------


class Bench:
    def __init__(self, options):
        self.options, self.quick = options, options.quick
        self.rounds = 2 if options.quick else 9
        self.seconds = 0.05 if options.quick else 0.3
        self.build = os.path.abspath(options.build)
        self.quiet = []  # processor time over wall time where one thread ran: 1 on a quiet machine
        self.programs = []
        self.start()

    def program(self):
        self.programs.append(Program([os.path.join(self.build, "bench", "bench")]))
        return self.programs[-1]

    def start(self):
        self.one = self.program()
        self.machine = self.one.ask("machine")
        self.counts = [1, 2] if self.machine["cores"] > 1 else [1]
        self.c = {1: self.one, 2: self.program()}
        self.second = self.program()  # beside `one`, as another run of a sweep
        self.torch, self.rivals = None, {}
        try:
            for threads, keeps in [(n, keeps) for n in self.counts for keeps in (False, True)]:
                self.rivals[threads, keeps] = Rival(threads, keeps)
                self.programs.append(self.rivals[threads, keeps])
            self.torch = self.rivals[1, False].please("machine")
        except Failed:
            print("bench: no PyTorch in %s, so nothing to compare with" % sys.executable, file=sys.stderr)
            self.rivals = {}

    def close(self):
        for program in self.programs:
            program.close()
        self.programs = []

    def restart(self):
        self.close()
        self.start()

    def peak(self, threads):
        return self.c[threads].ask("peak %d 0.02" % threads)["flops"]

    def timed(self, ask, threads):
        """Seconds of one repetition and the peak around it."""
        before = self.peak(threads)
        answer = ask()
        if threads == 1:
            self.quiet.append(answer["cpu"] / answer["wall"])
        return seconds_of(answer, threads), (before + self.peak(threads)) / 2

    def c_timed(self, threads, what):
        return self.timed(lambda: self.c[threads].ask("%s %g" % (what, self.seconds)), threads)

    def pair_of_processes(self):
        """Steps per second of two runs side by side, one thread each, by the wall clock."""
        programs = [self.one, self.second]
        for p in programs:
            p.tell("train %g" % self.seconds)
        answers = [p.hear() for p in programs]
        return sum(a["runs"] / a["wall"] for a in answers)

    def torch_timed(self, threads, keeps, do="train", **what):
        answer = self.rivals[threads, keeps].please(do, seconds=self.seconds, **what)
        return seconds_of(answer, threads)

    def best_layout(self, threads, layouts):
        """The fastest {layout, keeps}, each tried twice, in turns; and the fastest that keeps nothing."""
        choices = [{"layout": name, "keeps": keeps} for name in layouts for keeps in (False, True)]
        tried = [(self.torch_timed(threads, **c), c) for _ in range(2) for c in choices]
        best = min(tried, key=lambda t: t[0])[1]
        return best, min((t for t in tried if not t[1]["keeps"]), key=lambda t: t[0])[1]

    def best_fisher(self, net):
        """The fastest of PyTorch's ways, {method, layout, keeps}, and all that it can do, [(seconds,
        choice)]. Each is tried with the data's labels, so that all must agree on the trace; those near
        the best again. Comes before any training, since parameters are the same only until then."""
        trace, times = self.one.ask("fisher empirical 0")["trace"], []
        for choice in [{"method": m, "layout": name, "keeps": keeps} for m in METHODS for name in net.layouts()
                       for keeps in (False, True)]:
            try:
                times.append((self.agreeing(trace, choice), choice))
            except Failed as e:
                print("bench: PyTorch, %s: %s" % (choice, e), file=sys.stderr)
        if not times:
            raise Failed("no way of PyTorch's gives the Fisher trace")
        least = min(t for t, _ in times)
        times = [(min(t, self.agreeing(trace, c)) if t < 1.3 * least else t, c) for t, c in times]
        return min(times, key=lambda t: t[0])[1], times

    def agreeing(self, trace, choice):
        what = {k: v for k, v in choice.items() if k != "keeps"}
        answer = self.rivals[1, choice["keeps"]].please("fisher", seconds=self.seconds, empirical=True, **what)
        if not abs(answer["trace"] - trace) <= 1e-2 * trace:
            raise Failed("Fisher trace %g, here %g" % (answer["trace"], trace))
        return seconds_of(answer, 1)


def prepare(b, net, folder):
    """Both networks hold the same parameters and agree on loss and FLOPs."""
    for threads in reversed(b.counts):
        info = net.ask(b.c[threads], threads)
    net.ask(b.second, 1)
    if not math.isfinite(info["loss"] or math.nan):
        raise Failed("the loss is not finite")
    path = os.path.join(folder, "load")
    b.one.ask("save " + path)
    for rival in b.rivals.values():
        other = rival.please("net", **net.request(info, path))
        for key, tolerance in ("params", 0), ("forward", 1e-12), ("loss", 1e-3):
            if not abs(other[key] - info[key]) <= tolerance * abs(info[key]):
                raise Failed("%s is %.9g here, %.9g in PyTorch" % (key, info[key], other[key]))
    return info

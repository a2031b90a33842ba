"""make bench: imprint beside PyTorch on this machine, in one run, into bench/results/CPU.md.

    bench/run.py PROGRAM [--quick] [--out FILE] [NETWORK ...]

PROGRAM is build/.../bench/bench. It and bench/rival.py stay alive over pipes and take turns: peak,
imprint, peak, PyTorch, and again, so that the drift of a shared machine falls on both alike. A
number is the median over the rounds, a ratio the median of the rounds' ratios, its interval
distribution-free (order statistics). One thread is timed by its processor time, which stands still
while others run; several by the wall clock. --quick: two rounds, printed and not written."""

import argparse
import datetime
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH, K = 128, 10


class Net:
    """Targets are (floor, goal) pairs; None: nothing is promised."""

    def __init__(self, name, arch, settings, shape, step, peak=None, fisher=None):
        self.name, self.arch, self.settings, self.shape = name, arch, settings, shape
        self.step, self.peak, self.fisher = step, peak, fisher

    def words(self):
        return ";".join("%s=%s" % item for item in self.settings.items()).replace(" ", "") or "-"


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
TWO_THREADS, SAMPLED, EXACT = (0.9, 0.97), (1.15, 1.05), (7, 5)
METHODS = ["norm", "vmap", "loop"]


class Failed(Exception):
    """What a program answered instead of a number."""


class Program:
    """A program that answers lines with lines of JSON."""

    def __init__(self, command, **env):
        self.name = os.path.basename(command[-1] if command[0] != sys.executable else command[1])
        self.pipe = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     env={**os.environ, **env})

    def ask(self, line):
        self.tell(line)
        return self.hear()

    def tell(self, line):
        try:
            self.pipe.stdin.write(line + "\n")
            self.pipe.stdin.flush()
        except BrokenPipeError:
            raise Failed("%s has ended" % self.name)

    def hear(self):
        line = self.pipe.stdout.readline()
        if not line:
            raise Failed("%s has ended" % self.name)
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def close(self):
        self.pipe.stdin.close()
        self.pipe.wait()


class Rival(Program):
    """PyTorch on so many threads; requests are {do: what, ...}."""

    def __init__(self, threads):
        super().__init__([sys.executable, os.path.join(HERE, "rival.py"), str(threads)])

    def please(self, do, **what):
        return self.ask(json.dumps({"do": do, **what}))


# ---- numbers -------------------------------------------------------------------------------------


def interval(values):
    """Order statistics that hold the median with at least 95 % (the range when there are few):
    P(values[k] <= median <= values[n-1-k]) = 1 - 2 P(Binomial(n, 1/2) <= k)."""
    ordered, n, k = sorted(values), len(values), 0
    while 1 - 2 * sum(math.comb(n, i) for i in range(k + 2)) / 2 ** n >= 0.95:
        k += 1
    return ordered[k], ordered[n - 1 - k]


def coverage(n):
    k = 0
    while 1 - 2 * sum(math.comb(n, i) for i in range(k + 2)) / 2 ** n >= 0.95:
        k += 1
    return 1 - 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2 ** n


def shown(values):
    return "%.2f (%.2f to %.2f)" % (statistics.median(values), *interval(values))


def verdict(values, targets, larger=True):
    """Where the median stands; below the floor means the whole interval."""
    if targets is None:
        return ""
    sign = 1 if larger else -1
    floor, goal = (None if t is None else sign * t for t in targets)
    median, worst = sign * statistics.median(values), max(sign * v for v in interval(values))
    if goal is not None and median >= goal:
        return "goal"
    if median >= floor:
        return "floor"
    return "floor within the interval" if worst >= floor else "MISSED"


def target(targets):
    return "" if targets is None else " / ".join("-" if t is None else "%g" % t for t in targets)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


# ---- measuring -----------------------------------------------------------------------------------


def seconds_of(answer, threads):
    return (answer["wall"] if threads > 1 else answer["cpu"]) / answer["runs"]


class Bench:
    def __init__(self, options):
        self.rounds = 2 if options.quick else 9
        self.seconds = 0.05 if options.quick else 0.4
        self.program = os.path.abspath(options.program)
        self.one = Program([self.program])
        self.machine = self.one.ask("machine")
        self.counts = [1, 2] if self.machine["cores"] > 1 else [1]
        self.quiet = []  # processor time over wall time where one thread ran: 1 on a quiet machine
        self.c = {1: self.one, 2: Program([self.program])}
        self.second = Program([self.program])  # beside `one`, as another run of a sweep
        self.torch, self.rivals = None, {}
        try:
            self.rivals = {n: Rival(n) for n in self.counts}
            self.torch = self.rivals[1].please("machine")
        except Failed:
            print("bench: no PyTorch in %s, so nothing to compare with" % sys.executable, file=sys.stderr)
            self.rivals = {}

    def close(self):
        for program in [*self.c.values(), self.second, *self.rivals.values()]:
            program.close()

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

    def torch_timed(self, threads, do="train", **what):
        answer = self.rivals[threads].please(do, seconds=self.seconds, **what)
        return seconds_of(answer, threads)

    def best_layout(self, threads, layouts):
        """The faster of them, each tried twice, in turns."""
        tried = [(self.torch_timed(threads, layout=name), name) for _ in range(2) for name in layouts]
        return min(tried)[1]

    def best_fisher(self, net, trace):
        """The fastest of PyTorch's ways and all that it can do, [(seconds, {method, layout})]. Each is
        tried with the data's labels, so that all must agree on the trace; those near the best again."""
        times = []
        for choice in [{"method": m, "layout": name} for m in METHODS for name in layouts_of(net)]:
            try:
                times.append((self.agreeing(trace, choice), choice))
            except Failed as e:
                print("bench: PyTorch, %s: %s" % (choice, e), file=sys.stderr)
        least = min(t for t, _ in times)
        times = [(min(t, self.agreeing(trace, c)) if t < 1.5 * least else t, c) for t, c in times]
        return min(times, key=lambda t: t[0])[1], times

    def agreeing(self, trace, choice):
        answer = self.rivals[1].please("fisher", seconds=self.seconds, empirical=True, **choice)
        if not abs(answer["trace"] - trace) <= 1e-2 * trace:
            raise Failed("Fisher trace %g, here %g" % (answer["trace"], trace))
        return seconds_of(answer, 1)


def layouts_of(net):
    return ["NCHW"] if net.arch == "mlp" else ["NCHW", "NHWC"]


def same_thing(b, net, info, folder):
    """Both networks hold the same parameters and agree on loss and FLOPs; on Fisher traces too, of which
    this returns PyTorch's best way and all of them."""
    path = os.path.join(folder, "load")
    b.one.ask("save " + path)
    trace = b.one.ask("fisher empirical 0")["trace"]
    request = dict(arch=net.arch, settings=net.settings, shape=net.shape, K=K, batch=BATCH, path=path,
                   names=info["names"], layouts=layouts_of(net))
    for rival in b.rivals.values():
        other = rival.please("net", **request)
        for key, tolerance in ("params", 0), ("forward", 1e-12), ("loss", 1e-3):
            if not abs(other[key] - info[key]) <= tolerance * abs(info[key]):
                raise Failed("%s is %.9g here, %.9g in PyTorch" % (key, info[key], other[key]))
    return b.best_fisher(net, trace) if net.fisher else (None, [])


def prepare(b, net, folder):
    for threads in b.counts:
        words = (net.arch, net.words(), *net.shape, K, BATCH, threads)
        info = b.c[threads].ask("net %s %s %d %d %d %d %d %d" % words)
    info = b.one.ask("net %s %s %d %d %d %d %d 1" % words[:-1])
    b.second.ask("net %s %s %d %d %d %d %d 1" % words[:-1])
    if not math.isfinite(info["loss"] or math.nan):
        raise Failed("the loss is not finite")
    return info, *(same_thing(b, net, info, folder) if b.rivals else (None, []))


def measure_steps(b, net):
    """{(what, threads): one number a round}; times are of one step."""
    result = {}
    layout = {n: b.best_layout(n, layouts_of(net)) for n in b.rivals}
    for _ in range(b.rounds):
        for threads in b.counts:
            took, peak = b.c_timed(threads, "train")
            result.setdefault(("c", threads), []).append(took)
            result.setdefault(("peak", threads), []).append(peak)
            if b.rivals:
                result.setdefault(("torch", threads), []).append(b.torch_timed(threads, layout=layout[threads]))
                time.sleep(0.1)  # OpenBLAS's threads keep spinning for a while
        if len(b.counts) > 1:
            before = b.peak(2)
            rate = b.pair_of_processes()
            result.setdefault(("processes", 2), []).append(1 / rate)
            result.setdefault(("processes peak", 2), []).append((before + b.peak(2)) / 2)
    return result, layout


def measure_fisher(b, best):
    """Ratios, one a round: of estimators to forward and backward, of PyTorch's best to sampled."""
    result = {}
    for r in range(b.rounds):
        base = b.c_timed(1, "pass")[0]
        for estimator in ("sampled", "sketch") + (("exact",) if r % 3 == 0 else ()):
            took = b.c_timed(1, "fisher " + estimator)[0]
            result.setdefault(estimator, []).append(took / base)
            if estimator == "sampled" and best:
                result.setdefault("torch", []).append(b.torch_timed(1, "fisher", **best) / took)
    return result


def measure_ops(b, seen, rows, net):
    answer = b.one.ask("ops %g" % (b.seconds / 10))
    for op in answer["ops"]:
        shape = tuple(op[k] for k in ("op", "C", "O", "R", "S", "stride", "H", "W")) + ("data" in op,)
        if shape in seen:
            continue
        seen.add(shape)
        kind = "%s %d -> %d" % (op["op"], op["C"] * op["H"] * op["W"] if op["op"] == "linear" else op["C"], op["O"])
        if op["op"] == "conv":
            kind += ", %dx%d%s, %dx%d" % (op["R"], op["S"], " by %d" % op["stride"] if op["stride"] > 1 else "",
                                          op["H"], op["W"])
        cells = ["%.0f, %.2f" % (op[p][0] / 1e9, op[p][1]) if p in op else "-"
                 for p in ("forward", "data", "weights")]
        rows.append([net.name, kind, *cells])


# ---- the report ----------------------------------------------------------------------------------


class Report:
    def __init__(self, b):
        self.b, self.steps, self.threads, self.fishers, self.rivals, self.ops = b, [], [], [], [], []
        self.skipped, self.seen = [], set()

    def add_steps(self, net, info, result, layout):
        flops = info["step"] * BATCH
        for threads in self.b.counts:
            own, peak = result["c", threads], result["peak", threads]
            fraction = [flops / t / p for t, p in zip(own, peak)]
            cells = [net.name, threads, "%.0f" % (BATCH / statistics.median(own)), shown(fraction),
                     target(net.peak) if threads == 1 else "",
                     verdict(fraction, net.peak) if threads == 1 else ""]
            if ("torch", threads) in result:
                other = result["torch", threads]
                ratio = [o / t for o, t in zip(other, own)]
                cells += ["%.0f %s" % (BATCH / statistics.median(other), layout[threads]), shown(ratio),
                          target(net.step) if threads == 1 else "",
                          verdict(ratio, net.step) if threads == 1 else ""]
            self.steps.append(cells)
        if len(self.b.counts) > 1:
            self.add_threads(net, flops, result)

    def add_threads(self, net, flops, result):
        """Fractions of the peaks of as many cores, against that of one."""
        one = [flops / t / p for t, p in zip(result["c", 1], result["peak", 1])]
        for what, time_key, peak_key in (("2 threads", "c", "peak"), ("2 processes", "processes", "processes peak")):
            two = [flops / t / p for t, p in zip(result[time_key, 2], result[peak_key, 2])]
            ratio = [t / o for t, o in zip(two, one)]
            self.threads.append([net.name, what, "%.0f" % (BATCH / statistics.median(result[time_key, 2])),
                                 shown(two), shown(ratio), target(TWO_THREADS), verdict(ratio, TWO_THREADS)])

    def add_fisher(self, net, result, best, tried):
        for estimator, targets in ("sampled", SAMPLED), ("sketch", SAMPLED), ("exact", EXACT):
            values = result[estimator]
            self.fishers.append([net.name, estimator, shown(values), target(targets),
                                 verdict(values, targets, larger=False)])
        if "torch" in result:
            speeds = ", ".join("%s %s %.0f" % (c["method"], c["layout"], BATCH / t)
                               for t, c in sorted(tried, key=lambda t: t[0]))
            self.rivals.append([net.name, "%(method)s %(layout)s" % best, shown(result["torch"]),
                                target(net.fisher), verdict(result["torch"], net.fisher), speeds])

    def text(self, command, bandwidth):
        b, m = self.b, self.b.machine
        parts = ["# %s\n" % m["cpu"], self.introduction(command, bandwidth), "## Training steps\n"]
        head = ["network", "threads", "images/s", "fraction of peak", "floor / goal", "met"]
        if b.rivals:
            head += ["PyTorch images/s", "times PyTorch", "floor / goal", "met"]
        parts += [table(head, self.steps), "## Two cores\n", self.two_cores()]
        parts += ["## Fisher traces, as multiples of forward + backward over the same probes\n",
                  table(["network", "estimator", "multiple", "floor / goal", "met"], self.fishers)]
        if self.rivals:
            parts += ["## Sampled Fisher traces against PyTorch\n",
                      table(["network", "PyTorch's best", "times PyTorch", "floor / goal", "met",
                             "all of PyTorch's, probes/s"], self.rivals)]
        parts += ["## Single ops\n", "GFLOP/s and fraction of the peak, one thread, batch %d.\n" % BATCH,
                  table(["network", "op", "forward", "by data", "by weights"], self.ops)]
        parts += ["Left out: %s.\n" % "; ".join(self.skipped)] if self.skipped else []
        return "\n".join(parts)

    def introduction(self, command, bandwidth):
        b, m = self.b, self.b.machine
        peaks = ", ".join("%.0f GFLOP/s on %d" % (b.peak(n) / 1e9, n) for n in b.counts)
        memory = ", ".join("%.1f GB/s on %d" % (v / 1e9, n) for n, v in bandwidth.items())
        rival = "PyTorch %(torch)s (%(capability)s)" % b.torch if b.torch else "no PyTorch here"
        return "\n".join([
            "%s, %d cores, kernels %s. FMA peak %s; triad %s." % (platform.system() + " " + platform.release(),
                                                                m["cores"], m["isa"], peaks, memory),
            "imprint %s, %s, built with %s; %s; %s." % (m["version"], m["real"], m["compiler"], m["blas"], rival),
            "%s, `%s`, batch %d." % (datetime.date.today().isoformat(), command, BATCH),
            "",
            "Medians over %d rounds in turns; in parentheses distribution-free intervals (%.0f %% for the"
            % (b.rounds, 100 * coverage(b.rounds)),
            "median). One thread by processor time, two by the wall clock. Fractions count nominal direct FLOPs",
            "(taps in the padding counted; no gradient by the images) against the peak measured right before",
            "and after. PyTorch in the better of both layouts. While one thread ran it had %.0f %% of a core"
            % (100 * statistics.median(b.quiet or [math.nan])),
            "(median): below 99 % the machine was not quiet.\n"])

    def two_cores(self):
        if len(self.b.counts) < 2:
            return "One core here.\n"
        return table(["network", "how", "images/s", "fraction of 2 cores' peak", "against 1 thread's fraction",
                      "floor / goal", "met"], self.threads)


def measure(b, net, report, folder):
    try:
        info, best, tried = prepare(b, net, folder)
        report.add_steps(net, info, *measure_steps(b, net))
        report.add_fisher(net, measure_fisher(b, best), best, tried)
        measure_ops(b, report.seen, report.ops, net)
    except Failed as e:
        print("bench: %s left out: %s" % (net.name, e), file=sys.stderr)
        report.skipped.append("%s (%s)" % (net.name, e))


def arguments():
    parser = argparse.ArgumentParser(description="imprint beside PyTorch on this machine")
    parser.add_argument("program")
    parser.add_argument("networks", nargs="*", help="of: %s" % ", ".join(n.name for n in NETS))
    parser.add_argument("--quick", action="store_true", help="two rounds, printed and not written")
    parser.add_argument("--out", help="the file to write")
    options = parser.parse_args()
    unknown = set(options.networks) - {n.name for n in NETS}
    if unknown:
        parser.error("no network %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(n.name for n in NETS)))
    return options


def main():
    options = arguments()
    b = Bench(options)
    report = Report(b)
    bandwidth = {n: b.c[n].ask("memory %d" % n)["bytes"] for n in b.counts}
    with tempfile.TemporaryDirectory() as folder:
        for net in NETS:
            if options.networks and net.name not in options.networks:
                continue
            start = time.monotonic()
            measure(b, net, report, folder)
            print("bench: %s, %.0f s" % (net.name, time.monotonic() - start), file=sys.stderr, flush=True)
    text = report.text("make bench" + (" QUICK=1" if options.quick else ""), bandwidth)
    b.close()
    print(text)
    name = re.sub("[^a-z0-9]+", "-", b.machine["cpu"].lower()).strip("-") or "unknown"
    path = options.out or (None if options.quick else os.path.join(HERE, "results", name + ".md"))
    if path:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        print("bench: written to %s" % path)
    return 1 if report.skipped else 0


sys.exit(main())

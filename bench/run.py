"""make bench: imprint beside PyTorch on this machine, in one run, into bench/results/CPU.md.

    bench/run.py BUILD [--quick] [--out FILE] [NETWORK ...]

BUILD is the folder of bench/bench, bench/timed and imprint. Programs stay alive over pipes and take
turns: peak, imprint, peak, PyTorch, and again, so that the drift of a shared machine falls on both
alike. A number is the median over the rounds, a ratio the median of the rounds' ratios. One thread is
timed by its processor time, which stands still while others run; several by the wall clock. A network
that fails is left out, and said. --quick: two rounds, printed and not written; its sweep is tiny."""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True  # nor shall PyTorch's programs
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

import report as r  # noqa: E402
import wholes  # noqa: E402
from pipes import HERE, Failed  # noqa: E402
from turns import BATCH, NETS, Bench, prepare, spelled  # noqa: E402

SELDOM = 3  # what is expensive and no ratio of pairs is measured in every third round

# ---- measuring a network -------------------------------------------------------------------------


def measure_steps(b, net):
    """{(what, threads): one number a round}; times are of one step."""
    result = {}
    how = {n: b.best_layout(n, net.layouts()) for n in b.counts if b.rivals}
    for round in range(b.rounds):
        for threads in b.counts:
            took, peak = b.c_timed(threads, "train")
            result.setdefault(("c", threads), []).append(took)
            result.setdefault(("peak", threads), []).append(peak)
            if b.rivals and (threads == 1 or round % SELDOM == 0):
                best, plain = how[threads]
                result.setdefault(("torch", threads), []).append((took, b.torch_timed(threads, **best)))
                if threads == 1 and round % SELDOM == 0 and best["keeps"]:
                    result.setdefault(("plain", 1), []).append((took, b.torch_timed(1, **plain)))
                time.sleep(0.1)  # OpenBLAS's threads keep spinning for a while
        if len(b.counts) > 1:
            before = b.peak(2)
            rate = b.pair_of_processes()
            result.setdefault(("processes", 2), []).append(1 / rate)
            result.setdefault(("processes peak", 2), []).append((before + b.peak(2)) / 2)
    return result, how


def measure_fisher(b, best):
    """Ratios, one a round: of estimators to forward and backward, of PyTorch's best to sampled."""
    result = {}
    for round in range(b.rounds):
        base = b.c_timed(1, "pass")[0]
        for estimator in ("sampled", "exact", "sketch")[:3 if round % SELDOM == 0 else 1]:
            took = b.c_timed(1, "fisher " + estimator)[0]
            result.setdefault(estimator, []).append(took / base)
            if estimator == "sampled" and best:
                result.setdefault("torch", []).append(b.torch_timed(1, do="fisher", **best) / took)
    return result


# ---- saying it -----------------------------------------------------------------------------------


def ratios(pairs):
    return [other / own for own, other in pairs]


def add_steps(b, report, net, info, result, how):
    head = ["network", "threads", "images/s", "fraction of peak", "PyTorch images/s", "PyTorch's way",
            "times PyTorch", "times PyTorch as it comes"]
    flops = info["step"] * BATCH
    for threads in b.counts:
        own = result["c", threads]
        fraction = [flops / t / p for t, p in zip(own, result["peak", threads])]
        cells = [net.name, threads, "%.0f" % (BATCH / statistics.median(own)), r.shown(fraction)]
        pairs, plain = (result.get((what, threads), []) for what in ("torch", "plain"))
        if pairs:
            speed = BATCH / statistics.median(t for _, t in pairs)
            cells += ["%.0f" % speed, spelled(how[threads][0]), r.shown(ratios(pairs)),
                      r.shown(ratios(plain)) if plain else "-"]
        report.add("Training steps", head, cells + ["-"] * (len(head) - len(cells)))
        if threads == 1:
            report.keep(r.PEAK, net.name, fraction, net.peak)
            report.keep(r.STEP, net.name, ratios(pairs), net.step)
            one = fraction
    if len(b.counts) > 1:
        add_threads(report, net, flops, result, one)


def add_threads(report, net, flops, result, one):
    """Fractions of the peaks of as many cores, against that of one."""
    head = ["network", "how", "images/s", "fraction of 2 cores' peak", "against 1 thread's fraction"]
    for what, name, time_key, peak_key in ((r.THREADS, "2 threads", "c", "peak"),
                                           (r.PROCESSES, "2 processes", "processes", "processes peak")):
        two = [flops / t / p for t, p in zip(result[time_key, 2], result[peak_key, 2])]
        ratio = [t / o for t, o in zip(two, one)]
        report.add("Two cores", head, [net.name, name, "%.0f" % (BATCH / statistics.median(result[time_key, 2])),
                                       r.shown(two), r.shown(ratio)])
        report.keep(what, net.name, ratio)


def add_fisher(report, net, result, best, tried):
    head = ["network", "sampled", "sketch", "exact"]
    report.add("Fisher traces, as multiples of forward + backward over the same probes", head,
               [net.name, *(r.shown(result[name]) for name in head[1:])])
    report.keep(r.SAMPLED, net.name, result["sampled"])
    report.keep(r.EXACT, net.name, result["exact"])
    if "torch" not in result:
        return
    speeds = ", ".join("%s %s %.0f" % (c["method"], spelled(c), BATCH / t)
                       for t, c in sorted(tried, key=lambda t: t[0]))
    report.add("Sampled Fisher traces against PyTorch", ["network", "PyTorch's best", "times PyTorch",
                                                         "all of PyTorch's, probes/s"],
               [net.name, "%s %s" % (best["method"], spelled(best)), r.shown(result["torch"]), speeds])
    report.keep(r.RIVAL, net.name, result["torch"], net.fisher)


def add_ops(b, report, seen, net):
    """Each shape once, GFLOP/s and fraction of the peak, one thread."""
    title = "Single ops: GFLOP/s and fraction of the peak, one thread, batch %d" % BATCH
    for op in b.one.ask("ops %g" % (b.seconds / 10))["ops"]:
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
        report.add(title, ["network", "op", "forward", "by data", "by weights"], [net.name, kind, *cells])


# ---- the whole -----------------------------------------------------------------------------------


def measure(b, net, report, seen, folder):
    info = prepare(b, net, folder)
    best, tried = b.best_fisher(net) if net.fisher and b.rivals else (None, [])
    add_steps(b, report, net, info, *measure_steps(b, net))
    add_fisher(report, net, measure_fisher(b, best), best, tried)
    add_ops(b, report, seen, net)


def attempt(b, report, what, work):
    """One failure costs one entry; the programs start anew, since one of them may be gone."""
    start = time.monotonic()
    try:
        work()
    except Exception as e:  # whatever it was, the others can still be measured
        if not isinstance(e, Failed):
            traceback.print_exc()
        print("bench: %s left out: %s" % (what, e), file=sys.stderr)
        report.skip(what, str(e) or type(e).__name__)
        b.restart()
    print("bench: %s, %.0f s" % (what, time.monotonic() - start), file=sys.stderr, flush=True)


def arguments():
    names = [n.name for n in NETS] + list(wholes.PARTS)
    parser = argparse.ArgumentParser(description="imprint beside PyTorch on this machine")
    parser.add_argument("build")
    parser.add_argument("networks", nargs="*", help="of: %s" % ", ".join(names))
    parser.add_argument("--quick", action="store_true", help="two rounds, printed and not written")
    parser.add_argument("--out", help="the file to write")
    options = parser.parse_args()
    unknown = set(options.networks) - set(names)
    if unknown:
        parser.error("no network %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(names)))
    return options


def write(b, report, bandwidth):
    options = b.options
    command = "make bench" + (" QUICK=1" if b.quick else "")
    if options.networks:
        command += ' NETWORKS="%s"' % " ".join(options.networks)
    peaks = {n: b.peak(n) for n in b.counts}
    about = r.introduction(b.machine, b.torch, peaks, bandwidth, command, b.rounds, b.quiet)
    text = report.text(b.machine["cpu"], about)
    print(text)
    name = re.sub("[^a-z0-9]+", "-", b.machine["cpu"].lower()).strip("-") or "unknown"
    alone = b.quick or options.networks  # a part of it does not replace the whole
    path = options.out or (None if alone else os.path.join(HERE, "results", name + ".md"))
    if path:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        print("bench: written to %s" % path)


def main():
    options = arguments()
    b, report, seen = Bench(options), r.Report(), set()
    wanted = options.networks or [n.name for n in NETS] + list(wholes.PARTS)
    bandwidth = {n: b.c[n].ask("memory %d" % n)["bytes"] for n in b.counts}
    with tempfile.TemporaryDirectory() as folder:
        for net in NETS:
            if net.name in wanted:
                attempt(b, report, net.name, lambda: measure(b, net, report, seen, folder))
        for name, work in wholes.PARTS.items():
            if name in wanted:
                attempt(b, report, name, lambda: work(b, report, NETS, folder))
    write(b, report, bandwidth)
    b.close()
    return 1 if report.skipped else 0


if __name__ == "__main__":
    sys.exit(main())

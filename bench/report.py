"""Medians, intervals, targets, and the tables of bench/results."""

import datetime
import math
import platform
import statistics


def interval(values):
    """Order statistics that hold the median with at least 95 % (the range when there are few):
    P(values[k] <= median <= values[n-1-k]) = 1 - 2 P(Binomial(n, 1/2) <= k)."""
    ordered, k = sorted(values), rank(len(values))
    return ordered[k], ordered[len(values) - 1 - k]


def rank(n):
    k = 0
    while 1 - 2 * sum(math.comb(n, i) for i in range(k + 2)) / 2 ** n >= 0.95:
        k += 1
    return k


def coverage(n):
    return 1 - 2 * sum(math.comb(n, i) for i in range(rank(n) + 1)) / 2 ** n


def shown(values):
    if len(values) == 1:
        return "%.2f" % values[0]
    return "%.2f (%.2f to %.2f)" % (statistics.median(values), *interval(values))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


# ---- what is promised ----------------------------------------------------------------------------


class Promise:
    """Of a number: at least `floor`, better `goal` (None: no such); or at most, where less is better."""

    def __init__(self, text, floor, goal, less=False):
        self.text, self.floor, self.goal, self.less = text, floor, goal, less

    def verdict(self, values):
        """Where the median stands; below the floor means the whole interval."""
        sign = -1 if self.less else 1
        median, best = sign * statistics.median(values), max(sign * v for v in interval(values))
        if self.goal is not None and median >= sign * self.goal:
            return "goal"
        if median >= sign * self.floor:
            return "floor"
        return "floor within the interval" if best >= sign * self.floor else "MISSED"

    def row(self, network, values):
        return [self.text, network, shown(values), "%g" % self.floor, "-" if self.goal is None else "%g" % self.goal,
                self.verdict(values)]


STEP = "training step, times PyTorch's better layout"
PEAK = "training step, fraction of the FMA peak"
THREADS = "2 threads in one run: fraction of the 2-core peak, against that of 1 thread"
PROCESSES = "2 processes: the same"
SAMPLED = "Fisher trace, sampled, over forward + backward"
RIVAL = "the same, times PyTorch's best way"
EXACT = "Fisher trace, exact, 10 classes, over forward + backward"
SWEEP = "whole small sweep, both cores, times PyTorch's script"
SHARE = "% of a run's processor time beside training, evaluation and Fisher"
MEMORY = "peak memory of a run, over data + 3 x parameters + activations"
ORDER = [STEP, PEAK, THREADS, PROCESSES, SAMPLED, RIVAL, EXACT, SWEEP, SHARE, MEMORY]
PROMISES = {THREADS: (0.9, 0.97), PROCESSES: (0.9, 0.97), SAMPLED: (1.15, 1.05, True), EXACT: (7, 5, True),
            SWEEP: (2.5, 4), SHARE: (5, 2, True), MEMORY: (1.2, 1, True)}


# ---- the report ----------------------------------------------------------------------------------


class Report:
    """Tables under their titles, in order of ORDER and then of arrival."""

    def __init__(self):
        self.kept, self.tables, self.notes, self.skipped = [], {}, {}, []

    def keep(self, what, network, values, targets=None):
        """Say how a promise was kept; `targets` (floor, goal) where they differ among networks."""
        targets = targets or PROMISES.get(what)
        if targets and values:
            self.kept.append((what, Promise(what, *targets).row(network, values)))

    def add(self, title, head, row):
        self.tables.setdefault(title, (head, []))[1].append(row)

    def note(self, title, text):
        self.notes[title] = text

    def skip(self, what, why):
        self.skipped.append("%s (%s)" % (what, why))

    def summary(self):
        rows = [row for what in ORDER for kind, row in self.kept if kind == what]
        met = [row[-1] for row in rows]
        count = "%d of %d promises: goal %d, floor %d (%d of them by the interval), missed %d.\n" % (
            len(met) - met.count("MISSED"), len(met), met.count("goal"),
            met.count("floor") + met.count("floor within the interval"), met.count("floor within the interval"),
            met.count("MISSED"))
        return [count, table(["promise", "network", "measured", "floor", "goal", "met"], rows)]

    def text(self, title, about):
        parts = ["# %s\n" % title, about, "## What is promised, and what was measured\n", *self.summary()]
        parts += ["Left out: %s.\n" % "; ".join(self.skipped)] if self.skipped else []
        for name, (head, rows) in self.tables.items():
            parts += ["## %s\n" % name, table(head, rows)]
            if name in self.notes:
                parts.append(self.notes[name] + "\n")
        return "\n".join(parts)


def introduction(machine, torch, peaks, bandwidth, command, rounds, quiet):
    peaks = ", ".join("%.0f GFLOP/s on %d" % (v / 1e9, n) for n, v in peaks.items())
    memory = ", ".join("%.1f GB/s on %d" % (v / 1e9, n) for n, v in bandwidth.items() if v)
    rival = "PyTorch %(torch)s (%(capability)s)" % torch if torch else "no PyTorch here"
    return "\n".join([
        "%s, %d cores, kernels %s. FMA peak %s; triad %s." % (platform.system() + " " + platform.release(),
                                                            machine["cores"], machine["isa"], peaks, memory),
        "imprint %s, %s, built with %s; %s; %s." % (machine["version"], machine["real"], machine["compiler"],
                                                   machine["blas"], rival),
        "%s, `%s`." % (datetime.date.today().isoformat(), command),
        "",
        "Medians over %d rounds in turns; in parentheses distribution-free intervals (%.0f %% for the"
        % (rounds, 100 * coverage(rounds)),
        "median). One thread by processor time, two by the wall clock. Fractions count nominal direct FLOPs",
        "(taps in the padding counted; no gradient by the images) against the peak measured right before",
        "and after. PyTorch in the better of both layouts, and with the C library's allocator as it comes or",
        "told to keep freed memory, whichever is faster."]) + "\n" + quietness(quiet)


def quietness(quiet):
    if not quiet:
        return ""
    share = 100 * statistics.median(quiet)
    return "While one thread ran it had %.0f %% of a core (median)%s.\n" % (
        share, "" if share >= 99 else ": the machine was not quiet, and this is no result")

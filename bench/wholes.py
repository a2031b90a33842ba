"""What only whole runs show: a sweep beside PyTorch's script, where a run's time goes, its memory."""

import csv
import glob
import json
import os
import re
import shutil
import statistics
import sys

import report as r
from pipes import HERE, KEEP, Failed, finish, memory
from turns import BATCH, K, prepare, spelled

# Figure 1 of Achille et al. 2019 made 40 times shorter: removals at 0, 40, ... 160 of 160 clean epochs
# more. On two cores the tree and the runs alone are both balanced, so that neither side is lucky.
SWEEP = {"net": "allcnn_c-0.25", "removals": [0, 1, 2, 3, 4], "clean": 4, "train": 1000, "test": 500,
         "probes": 1000}
TINY = {"removals": [0, 1], "clean": 1, "train": 256, "test": 128, "probes": 256}
TRAINING = {"lr": 0.05, "gamma": 0.97, "momentum": 0.9, "weight_decay": 0.001, "factor": 4}
CONFIG = """experiment: %(name)s
data: {set: hdf5, path: %(images)s.h5, augment: %(augment)s}
net: {%(net)s}
train:
  batch: %(batch)d
  epochs: {after_removal: %(clean)d}
  optimizer: {type: sgd, momentum: %(momentum)g, weight_decay: %(weight_decay)g}
  lr: {base: %(lr)g, schedule: exponential, gamma: %(gamma)g}
eval: {deficit: false}
deficits:
  - {type: blur, kernel: area, factor: %(factor)d, from: 0, until: %(until)d}
fisher: {probes: %(probes)d, on: [clean]}
"""
AXIS = "sweep: {axes: {removal: {key: \"deficits[0].until\", values: %s}}}\n"


def write_config(folder, net, what, augment="{}", until=0, axis=""):
    section = ", ".join(["arch: " + net.arch] + ["%s: %s" % item for item in net.settings.items()])
    path = os.path.join(folder, what["name"] + ".yaml")
    with open(path, "w") as f:
        f.write(CONFIG % {**TRAINING, **what, "net": section, "augment": augment, "until": until,
                          "batch": BATCH} + axis)
    return path


def fresh(folder):
    """A results folder from which no state can be taken."""
    out = os.path.join(folder, "out")
    shutil.rmtree(out, ignore_errors=True)
    return out


def make_images(b, net, folder, what):
    """A data set in the net's shape: what["images"], without its ending."""
    what["images"] = os.path.join(folder, "images-" + net.name)
    b.one.ask("images %s %d %d %d %d %d %d" % (what["images"], *net.shape, K, what["train"], what["test"]))


# ---- the sweep -----------------------------------------------------------------------------------


def table_of(b, log, name):
    """A series of a log, by epoch."""
    text, _ = finish([os.path.join(b.build, "imprint"), "table", log, name])
    return [float(row[-1]) for row in csv.reader(text.splitlines(), delimiter="\t") if re.match(r"\d", row[0])]


def own_sweep(b, config, folder, jobs):
    text, used = finish([os.path.join(b.build, "imprint"), "sweep", config, "--quiet", "-j", str(jobs),
                         "--out", fresh(folder)])
    done = re.search(r"(\d+) epochs trained", text)
    if not done:
        raise Failed("the sweep said: %s" % text)
    return {**used, "epochs": int(done.group(1))}


def rival_sweep(spec, keeps):
    text, _ = finish([sys.executable, os.path.join(HERE, "rival_sweep.py")], json.dumps(spec), KEEP if keeps else {})
    answer = json.loads(text)
    answer["epochs"] = sum(len(run["rows"]) for run in answer["runs"])
    return answer


def same_sweep(b, folder, rival):
    """Both begin with the same loss and Fisher trace, and the clean runs learn alike; what was compared."""
    logs = sorted(glob.glob(os.path.join(folder, "out", "sweep", "runs", "*.h5")))
    series = {name: [table_of(b, log, name) for log in logs] for name in ("test_loss", "fisher_trace", "train_loss")}
    clean = next(run for run in rival["runs"] if run["removal"] == 0)["rows"]
    shortest = min(range(len(logs)), key=lambda i: len(series["test_loss"][i]))
    pairs = [("test loss before training", 1e-3, series["test_loss"][0][0], rival["initial"][0]),
             ("Fisher trace before training", 0.15, series["fisher_trace"][0][0], rival["initial"][2]),
             ("training loss of the clean run's first epoch", 0.1, series["train_loss"][shortest][1], clean[0][0])]
    for what, tolerance, own, other in pairs:
        if not abs(own - other) <= tolerance * abs(other):
            raise Failed("%s is %.6g here, %.6g in PyTorch" % (what, own, other))
    last = ("of its last", 0, series["train_loss"][shortest][-1], clean[-1][0])
    if len(clean) > 1 and not (last[2] < 0.9 * pairs[-1][2] and last[3] < 0.9 * pairs[-1][3]):
        raise Failed("a side does not learn: training losses %.6g here, %.6g in PyTorch" % last[2:])
    return ", ".join("%s %.4g and %.4g" % (what, own, other) for what, _, own, other in [*pairs, last])


def measure_sweep(b, report, nets, folder):
    if not b.rivals:
        raise Failed("no PyTorch")
    net = next(n for n in nets if n.name == SWEEP["net"])
    what = {**SWEEP, **TRAINING, **(TINY if b.quick else {}), "name": "sweep"}
    info = prepare(b, net, folder)
    way = b.best_fisher(net)[0]
    best = b.best_layout(1, net.layouts())[0]
    make_images(b, net, folder, what)
    config = write_config(folder, net, what, axis=AXIS % what["removals"])
    jobs = len(b.counts)
    spec = {**what, **net.request(info, os.path.join(folder, "load")), "images": what["images"] + ".bin",
            "jobs": jobs, "layout": best["layout"], "fisher": way}
    rounds = [(own_sweep(b, config, folder, jobs), rival_sweep(spec, best["keeps"]))
              for _ in range(1 if b.quick else 2)]
    say_sweep(report, what, best, way, rounds, same_sweep(b, folder, rounds[-1][1]))


def say_sweep(report, what, best, way, rounds, same):
    wall = [other["seconds"] / own["wall"] for own, other in rounds]
    epoch = [(other["cpu"] / other["epochs"]) / (own["cpu"] / own["epochs"]) for own, other in rounds]
    title = "A whole small sweep, both cores"
    head = ["", "seconds", "epochs trained", "processor seconds an epoch"]
    for i, name in enumerate(("imprint", "PyTorch")):
        of = [pair[i] for pair in rounds]
        report.add(title, head, [name, " ".join("%.1f" % (x["wall"] if i == 0 else x["seconds"]) for x in of),
                                 of[0]["epochs"], " ".join("%.2f" % (x["cpu"] / x["epochs"]) for x in of)])
    report.note(title, "\n".join([
        "In turns. Times PyTorch: %s by the wall clock; %s per trained epoch, without what the tree shares." % (
            r.shown(wall), r.shown(epoch)),
        "%d runs, blur removed after %s epochs, %d clean epochs each; %d training and %d test images, Fisher trace" % (
            len(what["removals"]), ", ".join(map(str, what["removals"])), what["clean"], what["train"], what["test"]),
        "on %d probes after every epoch. imprint: `imprint sweep`, from its start to its end. PyTorch: bench/rival_sweep.py"
        % what["probes"],
        "(%s, Fisher traces by %s %s), from when it is loaded; every run from scratch. Here and there: %s." % (
            spelled(best), way["method"], way["layout"], same)]))
    report.keep(r.SWEEP, "allcnn_c-0.25", wall)


# ---- single runs ---------------------------------------------------------------------------------

RUNS = ["allcnn_c-0.25", "lenet", "mlp"]
LENGTH = {"train": 2500, "test": 500, "probes": 1000, "clean": 4}
SHORT = {"train": 256, "test": 128, "probes": 128, "clean": 1}


def run_once(b, config, folder):
    """The parts of a run's time, {part: [wall, processor]} seconds, and its peak memory."""
    times = os.path.join(folder, "times.json")
    peak = memory([os.path.join(b.build, "bench", "timed"), times, "run", config, "--quiet", "--out", fresh(folder)])
    with open(times) as f:
        return json.load(f), peak


def say_times(report, net, what, times):
    """The % of processor time beside what a run is for, of each."""
    title = "Where a run's time goes, % of its processor time"
    wall, cpu = ([{part: t[part][i] for part in t} for t in times] for i in (0, 1))
    percent = {part: [100 * t[part] / sum(t.values()) for t in cpu] for part in cpu[0]}
    waits = [100 * (1 - t["compute"] / sum(t.values())) for t in wall]
    parts = ("compute", "assembly", "states", "log", "start", "rest")
    report.add(title, ["network", "seconds", "training, evaluation, Fisher", *parts[1:], "beside, by the wall clock"],
               [net.name, "%.1f" % statistics.median(sum(t.values()) for t in wall),
                *("%.2f" % statistics.median(percent[part]) for part in parts), "%.2f" % statistics.median(waits)])
    report.note(title, "\n".join([
        "`imprint run` with a stopwatch (bench/timed.c): %d images of training and %d of test, augmented, %d Fisher"
        % (what["train"], what["test"], what["probes"]),
        "probes an epoch, one blurred and %d clean epochs; the last state is kept, others are saved when it is time."
        % what["clean"],
        "Start: the data, the net and its first parameters. Rest: the config, orders, norms."]))
    return [100 - v for v in percent["compute"]]


def measure_run(b, report, net, folder, bare):
    what = {**(SHORT if b.quick else LENGTH), "name": "run-" + net.name}
    make_images(b, net, folder, what)
    config = write_config(folder, net, what, augment="{shift: 4, flip: true}", until=1)
    info = net.ask(b.one, 1)
    H, W, C = net.shape
    parts = [(what["train"] + what["test"]) * H * W * C, 3 * 4 * info["params"], info["activations"]]
    done = [run_once(b, config, folder) for _ in range(1 if b.quick else 2)]
    beside = say_times(report, net, what, [times for times, _ in done])
    report.keep(r.SHARE, net.name, [] if b.quick else beside)  # the start weighs too much in a short run
    peaks = [peak for _, peak in done]
    MB = ["%.0f" % (v / 1e6) for v in (statistics.median(peaks), *parts, sum(parts), bare)]
    report.add("Peak memory of a run, MB", ["network", "peak", "data set", "3 x parameters", "activations", "their sum",
                                            "the program alone"], [net.name, *MB])
    report.keep(r.MEMORY, net.name, [peak / sum(parts) for peak in peaks])


def measure_runs(b, report, nets, folder):
    bare = memory([os.path.join(b.build, "imprint"), "list", "nets"])
    for net in nets:
        if net.name in RUNS:
            measure_run(b, report, net, folder, bare)


PARTS = {"sweep": measure_sweep, "runs": measure_runs}

"""A collected sweep holds every value of every log, labelled: h5py, xarray and ncdump read it."""

import os
import subprocess
import tempfile
import warnings

import h5py
import numpy
import xarray

import imprint
import tap

CONFIG = """
experiment: collected
data: {set: optotypes, train: 48, test: 24}
net: {arch: convfc, channels: [4, 4, 4], fc: 8}
train:
  batch: 16
  epochs: {after_removal: 2}
  optimizer: {type: sgd, momentum: 0.9}
  lr: {base: 0.05, schedule: exponential, gamma: 0.9}
deficits:
  - {type: blur, kernel: area, factor: 4, from: 0, until: 0}
  - {type: vflip, from: 0, until: 0}
fisher: {probes: 16}
sweep:
  parts:
    blur:
      axes:
        removal: {key: "deficits[0].until", values: [0, 3, 1]}
        seed: [1, 2]
    v-flip:
      axes:
        deficits[1].until: [0, 2]
        net.seed: [1, 2]
        lr: {key: train.lr.base, values: [0.05, 0.1]}
      zip: [[net.seed, lr]]
    nets:
      axes:
        net: {conv: {net.arch: convfc}, mlp: {net: {arch: mlp}}}
"""


def sweep():
    path = os.path.join(tempfile.mkdtemp(dir=imprint.ROOT), "collected.yaml")
    with open(path, "w") as f:
        f.write(CONFIG)
    subprocess.run([imprint.PROGRAM, "sweep", path, "--quiet", "--out", imprint.ROOT], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(imprint.ROOT, "collected")


def collect(folder):
    subprocess.run([imprint.PROGRAM, "collect", folder], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "sweep.h5")


def points(folder):
    """[(run, twin, part, {axis: label})], read from the manifest as any script would."""
    with open(os.path.join(folder, "sweep.tsv")) as f:
        lines = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    axes = [name.rstrip("*") for name in lines[0][3:]]
    return [(row[0], row[1], row[2], {a: v for a, v in zip(axes, row[3:]) if v != "-"})
            for row in lines[1:]]


NAMES = {"deficits[1].until": "deficits_1_until", "net.seed": "net_seed", "lr": "lr_axis"}


def at(group, labels):
    """The cell of these labels; an axis that follows another is not a dimension."""
    cell = []
    for axis, label in labels.items():
        scale = group[NAMES.get(axis, axis)]
        if not h5py.h5ds.is_scale(scale.id):
            continue
        values = [str(v, "utf8") if isinstance(v, bytes) else v for v in scale[...].tolist()]
        cell.append(values.index(label if isinstance(values[0], str) else float(label)))
    return tuple(cell)


def variables(log):
    """{name in the collection: data set} of a log, without coordinates."""
    found = {n: d for n, d in log.items()
             if isinstance(d, h5py.Dataset) and not h5py.h5ds.is_scale(d.id)}
    found.update({"final_" + n: d for n, d in log["final"].items()})
    return found


def spread(group, log, data):
    """A log's values laid into an array of the collection's coordinates, by label."""
    dims = [data.dims[i][0].name.lstrip("/") for i in range(data.ndim)]
    if data.dtype.kind == "O":
        return data[()]
    whole = numpy.full([len(group[d]) for d in dims], numpy.nan)
    places = [[list(group[d][...]).index(v) for v in log[d][...]] for d in dims]
    whole[numpy.ix_(*places) if dims else ()] = data[()]
    return whole


def differences(folder, path):
    wrong, compared = [], 0
    with h5py.File(path) as f:
        for run, twin, part, labels in points(folder):
            group = f if part == "blur" else f[part]
            cell = at(group, labels)
            seen = set()
            for name, id in ("", run), ("twin_", twin):
                file = os.path.join(folder, "runs", id + ".h5")
                with h5py.File(file) as log:
                    for variable, data in variables(log).items():
                        if name and variable not in ("test_accuracy", "final_test_accuracy"):
                            continue
                        seen.add(name + variable)
                        expected = spread(group, log, data)
                        found = group[name + variable][cell]
                        same = (found == expected if data.dtype.kind == "O" else
                                numpy.array_equal(found, expected, equal_nan=True))
                        compared += numpy.size(expected)
                        if not same:
                            wrong.append("%s %s of %s" % (part, name + variable, run))
                    if not name:
                        for attr in "onset", "removal", "total_epochs", "lr_at_removal", "seed":
                            if attr in labels:
                                continue
                            if group[attr][cell] != log.attrs[attr]:
                                wrong.append("%s attribute %s of %s" % (part, attr, run))
            if group["run_id"].asstr()[cell] != run or group["twin_run_id"].asstr()[cell] != twin:
                wrong.append("%s ids of %s" % (part, run))
            # What the run's log lacks is NaN in its cell.
            for name, data in group.items():
                if name in seen or not isinstance(data, h5py.Dataset) or "fisher" not in name:
                    continue
                if not numpy.isnan(data[cell]).all():
                    wrong.append("%s %s of %s is not NaN" % (part, name, run))
    return "\n".join(wrong) if compared > 2500 else "only %d values were compared" % compared


def scales_on_every_axis(path):
    bare = []

    def visit(name, thing):
        if isinstance(thing, h5py.Dataset) and not h5py.h5ds.is_scale(thing.id):
            bare.extend("%s axis %d" % (name, i) for i in range(thing.ndim) if not thing.dims[i])

    with h5py.File(path) as f:
        f.visititems(visit)
    return "\n".join(bare)


def netcdf_reads(path):
    header = subprocess.run(["ncdump", "-h", path], stdout=subprocess.PIPE, text=True)
    values = subprocess.run(["ncdump", path], stdout=subprocess.PIPE, text=True)
    if header.returncode or values.returncode:
        return "exit statuses %d (header), %d (values)" % (header.returncode, values.returncode)
    lines = [line.strip() for line in header.stdout.splitlines()]
    wanted = ["double test_accuracy(removal, seed, epoch) ;", "int64 removal(removal) ;",
              "double test_accuracy(deficits_1_until, net_seed, epoch) ;", "string net(net) ;"]
    return "\n".join([line for line in lines if "phony" in line] +
                     ["no line '%s'" % line for line in wanted if line not in lines])


def opened(path, engine, group=None):
    with warnings.catch_warnings():
        if engine == "h5netcdf":
            warnings.simplefilter("error")
        else:  # netCDF4's own import warns of the NumPy it was built with
            warnings.simplefilter("ignore")
        with xarray.open_dataset(path, engine=engine, group=group) as d:
            return d.load()


def labelled(path, engine):
    s = opened(path, engine)
    mean = s.test_accuracy.mean("seed")
    drop = (s.twin_final_test_accuracy - s.final_test_accuracy).sel(removal=3, seed=2)
    wrong = []
    if s.test_accuracy.dims != ("removal", "seed", "epoch") or mean.dims != ("removal", "epoch"):
        wrong.append("dimensions %s" % (s.test_accuracy.dims,))
    if list(s.removal.values) != [0, 1, 3] or s.removal.dtype.kind != "i":
        wrong.append("removal is %s" % s.removal.values)
    # 2 clean epochs behind 0, 1 and 3 blurred ones: 3, 4 and 6 rows
    if list(mean.notnull().sum("epoch").values) != [3, 4, 6]:
        wrong.append("rows: %s" % mean.notnull().sum("epoch").values)
    if not numpy.isfinite(drop) or not (s.status == "done").all():
        wrong.append("drop %s, status %s" % (drop.values, s.status.values))
    flip = opened(path, engine, "v-flip")
    if "lr_axis" not in flip.coords or list(flip.lr_axis.values) != [0.05, 0.1]:
        wrong.append("lr_axis is no coordinate of net_seed")
    nets = opened(path, engine, "nets")
    share = nets.fisher_layer_trace.sel(net="mlp", layer="conv1")
    if not share.isnull().all() or list(nets.net.values) != ["conv", "mlp"]:
        wrong.append("an mlp has a conv1")
    return "\n".join(wrong)


def described(path):
    wrong = []
    for group in None, "v-flip", "nets":
        for name, v in opened(path, "h5netcdf", group).data_vars.items():
            number = v.dtype.kind != "O"
            if not v.attrs.get("long_name") or (number and not v.attrs.get("units")):
                wrong.append("%s/%s" % (group or "", name))
    return "\n".join(wrong)


def with_a_log_gone(folder):
    run = next(p for p in points(folder) if p[3] == {"removal": "3", "seed": "2"})[0]
    os.remove(os.path.join(folder, "runs", run + ".h5"))
    s = opened(collect(folder), "h5netcdf")
    gone = s.sel(removal=3, seed=2)
    if gone.status != "missing" or not gone.test_accuracy.isnull().all() or gone.run_id != run:
        return "%s, %s" % (gone.status.values, gone.test_accuracy.values)
    if list(s.test_accuracy.mean("seed").notnull().sum("epoch").values) != [3, 4, 6]:
        return "the other seed went with it"
    return ""


def undocumented(path):
    with open(os.path.join(os.path.dirname(__file__), "../../docs/log-format.md")) as f:
        page = f.read()
    axes = {"net", "deficits_1_until", "lr_axis"}
    with h5py.File(path) as f:
        names = [n for g in (f, f["v-flip"], f["nets"]) for n in list(g) + list(g.attrs)]
    # The page has fisher_deficit_* and final_* as "all of these" of what it lists.
    return "\n".join(sorted({n for n in names if n not in page and n not in axes and
                             n.replace("_deficit", "") not in page and
                             n.replace("final_", "") not in page} - {"v-flip", "nets"}))


def main():
    folder = sweep()
    path = collect(folder)
    tap.check("every value of every log is in its place, and nothing else",
              differences(folder, path))
    tap.check("every variable has a scale on every axis", scales_on_every_axis(path))
    tap.check("ncdump reads it, axes named", netcdf_reads(path))
    tap.check("xarray selects and averages by label (h5netcdf)", labelled(path, "h5netcdf"))
    if "netcdf4" in xarray.backends.list_engines():
        tap.check("xarray selects and averages by label (netcdf4)", labelled(path, "netcdf4"))
    tap.check("every variable has units and a name", described(path))
    tap.check("every variable and attribute is in docs/log-format.md", undocumented(path))
    tap.check("a log that is gone is NaN, the others stay", with_a_log_gone(folder))
    tap.finish()


main()

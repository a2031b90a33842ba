"""A log is an ordinary HDF5 and netCDF-4 file: h5py, xarray and ncdump read it, with labels, units
and a name for every axis."""

import os
import subprocess
import warnings

import h5py
import numpy
import xarray

import imprint
import tap


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
    return "\n".join(line for line in header.stdout.splitlines() if "phony" in line)


def labelled(log):
    expected = {"test_accuracy": ("epoch",), "fisher_trace": ("epoch",),
                "fisher_layer_trace": ("epoch", "layer"), "deficit_severity": ("epoch", "deficit"),
                "probe_index": ("probe",), "lr": ("epoch",), "wall_seconds": ("epoch",)}
    return "\n".join("%s has dimensions %s" % (name, log[name].dims if name in log else None)
                     for name, dims in expected.items()
                     if name not in log or log[name].dims != dims)


def described(log):
    return "\n".join(name for name, v in log.data_vars.items()
                     if v.ndim and not (v.attrs.get("units") and v.attrs.get("long_name")))


def texts_are_text(log):
    wrong = ["attribute %s" % k for k, v in log.attrs.items() if isinstance(v, bytes)]
    layers = [str(v) for v in log.layer.values]
    if layers[:2] != ["conv1", "conv2"]:
        wrong.append("layers %s" % log.layer.values)
    return "\n".join(wrong)


def selects(log):
    fc = log.fisher_layer_trace.sel(layer="fc1", epoch=3)
    total = log.fisher_layer_trace.sum("layer")
    if not numpy.isfinite(fc):
        return "no value for fc1 at epoch 3"
    if not numpy.allclose(total, log.fisher_trace, rtol=1e-10):
        return "layers do not sum to the trace"
    if not numpy.isnan(log.train_loss.sel(epoch=0)):
        return "training loss at row 0 is not NaN"
    return ""


def undocumented(path):
    with open(os.path.join(os.path.dirname(__file__), "../../docs/log-format.md")) as f:
        page = f.read()
    with h5py.File(path) as f:
        names = list(f) + list(f["final"]) + list(f.attrs)
    # `fisher_deficit_entropy` stands for itself as "fisher_deficit_trace, ...: all of these".
    return "\n".join(n for n in names
                     if n.replace("_deficit", "") not in page and n not in page)


def main():
    path = imprint.run(imprint.config("convfc"))
    state = imprint.state_path(path)
    for kind, file in ("log", path), ("state", state):
        tap.check("%s: every dataset has a scale on every axis" % kind, scales_on_every_axis(file))
        tap.check("%s: ncdump reads it, without phony dimensions" % kind, netcdf_reads(file))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log = xarray.open_dataset(path, engine="h5netcdf")
    tap.check("xarray opens it without a warning, series labelled", labelled(log))
    tap.check("every series has units and a name", described(log))
    tap.check("texts arrive as text", texts_are_text(log))
    tap.check("values are selected by label, and are right", selects(log))
    tap.check("coordinates count epochs", "" if list(log.epoch.values) == [0, 1, 2, 3] else
              str(log.epoch.values))
    if "netcdf4" in xarray.backends.list_engines():
        with xarray.open_dataset(path, engine="netcdf4") as other:
            tap.check("the other netCDF reader agrees",
                      "" if other.test_accuracy.equals(log.test_accuracy) else "it does not")
    tap.check("every variable and attribute is in docs/log-format.md", undocumented(path))
    tap.finish()


main()

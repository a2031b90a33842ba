"""A user's file with several modalities: the very lines of docs/data.md write it, imprint reads what
they wrote, trains on it, and refuses it in a sentence when it is wrong."""

import os
import random
import re
import shutil
import subprocess
import tempfile

import h5py
import numpy

import tap

PROGRAM = os.environ["IMPRINT"]
ROOT = tempfile.mkdtemp()
MINE = os.path.join(ROOT, "mine.h5")
CONFIG = """
experiment: mine
data: {set: hdf5, path: %s}
net: {arch: towers}
train: {batch: 50, epochs: {total: 4}, optimizer: {type: sgd, momentum: 0.9}, lr: {base: 0.02}}
fisher: {probes: 0}
"""


def listing():
    with open("docs/data.md") as page:
        return re.search(r"```python\n(.*?)```", page.read(), re.DOTALL).group(1)


def imprint(*words):
    return subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace")


def config(path=MINE):
    where = os.path.join(tempfile.mkdtemp(dir=ROOT), "mine.yaml")
    with open(where, "w") as f:
        f.write(CONFIG % path)
    return where


def the_lines_write_a_file():
    script = os.path.join(ROOT, "write.py")
    with open(script, "w") as f:
        f.write(listing())
    subprocess.run(["/usr/bin/python3", script], cwd=ROOT, check=True)
    assert os.path.exists(MINE)


def imprint_reads_what_they_wrote():
    out = os.path.join(ROOT, "export.h5")
    done = imprint("data", "export", config(), "data.balance=false", "--output", out)
    assert done.returncode == 0, done.stderr
    with h5py.File(MINE) as mine, h5py.File(out) as seen:
        for part, inputs, labels in ("train", "inputs", "labels"), ("test", "test_inputs", "test_labels"):
            for name in "image", "text":
                wrote, read = mine[inputs][name][:], seen[part][name][:]
                assert numpy.array_equal(wrote, read), (part, name, wrote.shape, read.shape)
            assert numpy.array_equal(mine[labels][:], seen[part]["labels"][:]), part
        image = mine["inputs/image"][:].astype("float64")
        at = seen["train/image"].attrs
        assert abs(at["mean0"] - image[..., 0].mean()) < 1e-9
        assert abs(at["sd0"] - image[..., 0].std()) < 1e-9
        assert seen["train/text"].attrs["mean0"] == 0 and seen["train/text"].attrs["sd0"] == 1


# The bright row and the second word each say the class: far above the chance of 1/3.
def towers_train_on_it():
    done = imprint("run", config(), "--quiet", "--out", ROOT)
    assert done.returncode == 0, done.stderr
    log = next(line for line in done.stdout.splitlines() if line.endswith(".h5"))
    with h5py.File(log) as f:
        assert list(f["modality"].asstr()[:]) == ["image", "text"], f["modality"][:]
        accuracy = f["test_accuracy"][-1]
        assert accuracy > 0.9, accuracy


def replace(f, name, values, **attributes):
    kept = dict(f[name].attrs)
    del f[name]
    f[name] = values
    f[name].attrs.update(kept)


def drop_test_text(f):
    del f["test_inputs/text"]


def drop_image(f):
    del f["inputs/image"]


def shorter_text(f):
    replace(f, "inputs/text", f["inputs/text"][:-1])


def shorter_labels(f):
    replace(f, "labels", f["labels"][:-1])


def token_out_of_range(f):
    f["test_inputs/text"][7, 1] = 9


def negative_token(f):
    f["inputs/text"][5, 0] = -1


def a_hint_in_clean_data(f):
    f["inputs/text"][5, 2] = 6


def not_a_number(f):
    f["inputs/image"][3, 1, 1, 0] = numpy.nan


def five_modalities(f):
    for name in "abc":
        f["inputs/" + name] = numpy.zeros((600, 2), "float32")


def a_bad_name(f):
    f.move("inputs/text", "inputs/the text")


def no_labels(f):
    del f["labels"]


def double_features(f):
    f["inputs/sound"] = numpy.zeros((600, 8))


def three_axes(f):
    replace(f, "inputs/image", f["inputs/image"][..., 0])


def channels_first(f):
    replace(f, "inputs/image", numpy.zeros((600, 3, 32, 32), "uint8"))


WRONG = [(drop_test_text, "no dataset 'test_inputs/text'"),
         (drop_image, "'test_inputs/image' has no training examples"),
         (shorter_text, "'inputs/text' has 599 examples, 'inputs/image' has 600"),
         (shorter_labels, "'labels' must have one axis with the 600 entries"),
         (token_out_of_range, "'test_inputs/text'[7,1] is 9, expected a token from 0 to 8"),
         (negative_token, "'inputs/text'[5,0] is -1"),
         (a_hint_in_clean_data, "slot 2 is the hint's"),
         (not_a_number, "not finite in image 3"),
         (five_modalities, "5 modalities, at most 4"),
         (a_bad_name, "cannot name a modality"),
         (no_labels, "no dataset 'labels'"),
         (double_features, "astype('float32')"),
         (three_axes, "has 3 axes"),
         (channels_first, "channels stand last")]


def is_refused(spoil, words):
    path = os.path.join(ROOT, spoil.__name__ + ".h5")
    shutil.copy(MINE, path)
    with h5py.File(path, "r+") as f:
        spoil(f)
    for command in ("data", "verify", "hdf5", path), ("run", config(path), "--quiet", "--out", ROOT):
        done = imprint(*command)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert words in done.stderr and done.stderr.count("\n") == 1, done.stderr


# Cut or with some bytes changed: read, or refused in one line, but never a crash.
def damaged_files_end_in_a_sentence():
    with open(MINE, "rb") as f:
        whole = f.read()
    dice = random.Random(5)
    path = os.path.join(ROOT, "damaged.h5")
    for trial in range(80):
        damaged = bytearray(whole)
        if trial % 4 == 0:
            damaged = damaged[:dice.randrange(len(whole))]
        else:
            for _ in range(dice.randrange(1, 20)):
                damaged[dice.randrange(min(len(damaged), 8192))] = dice.randrange(256)
        with open(path, "wb") as f:
            f.write(damaged)
        done = imprint("data", "verify", "hdf5", path)
        assert done.returncode in (0, 1, 2), (trial, done.returncode, done.stderr)
        assert done.returncode == 0 or done.stderr.count("\n") == 1, (trial, done.stderr)


tap.attempt("the ten lines of docs/data.md write a file", the_lines_write_a_file)
tap.attempt("imprint reads what they wrote, to the bit", imprint_reads_what_they_wrote)
tap.attempt("towers train on it", towers_train_on_it)
for spoil, words in WRONG:
    tap.attempt("refused: " + spoil.__name__.replace("_", " "), is_refused, spoil, words)
tap.attempt("a damaged file is read or refused, never a crash", damaged_files_end_in_a_sentence)
shutil.rmtree(ROOT)
tap.finish()

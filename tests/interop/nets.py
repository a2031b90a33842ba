"""The architectures of imprint in plain PyTorch, written from their papers' descriptions and not
from nets/archs, under the module names that states use (conv1.weight, norm1.running_mean, ...).

`build(arch, settings, shape, K)`: settings are {key: text} as in a config's net section, shape is
(H, W, C) of one example; with several modalities {name: (H, W, C, tokens)} in their order, where
tokens is the size of the vocabulary or 0. Nets of several modalities take as many arguments, images
[N,C,H,W], features and tokens [N,W]."""

import math
from collections import OrderedDict

import torch
import yaml
from torch import nn


class Flat(nn.Sequential):
    """Modules in a row under names of their own; `size` follows the shape of one example."""

    def __init__(self, shape, settings):
        super().__init__(OrderedDict())
        self.H, self.W, self.C = shape
        self.settings = settings
        self.convs = self.fcs = 0
        self.norm = self.get("norm", "batch") == "batch"

    def get(self, key, default):
        text = self.settings.get(key)
        return default if text is None else yaml.safe_load(str(text))

    def put(self, name, module):
        self.add_module(name, module)

    def conv(self, outputs, kernel=3, stride=1, pad=None, bias=True):
        pad = kernel // 2 if pad is None else pad
        self.convs += 1
        self.put("conv%d" % self.convs,
                 nn.Conv2d(self.C, outputs, kernel, stride, pad, bias=bias))
        self.H = (self.H + 2 * pad - kernel) // stride + 1
        self.W = (self.W + 2 * pad - kernel) // stride + 1
        self.C = outputs

    def norm_relu(self, norm=True):
        number = self.convs + self.fcs
        if norm:
            last = list(self._modules.values())[-1]
            kind = nn.BatchNorm2d if isinstance(last, nn.Conv2d) else nn.BatchNorm1d
            self.put("norm%d" % number, kind(self.C))
        self.put("relu%d" % number, nn.ReLU())

    def block(self, outputs, kernel=3, stride=1, bias=True):
        self.conv(outputs, kernel, stride, bias=bias)
        self.norm_relu(self.norm)

    def maxpool(self, size):
        self.put("pool%d" % self.convs, nn.MaxPool2d(size))
        self.H, self.W = self.H // size, self.W // size

    def global_pool(self):
        self.put("pool", nn.AdaptiveAvgPool2d(1))
        self.H = self.W = 1
        self.flatten()

    def flatten(self):
        self.put("flat", nn.Flatten())
        self.C, self.H, self.W = self.C * self.H * self.W, 1, 1

    def linear(self, outputs):
        self.fcs += 1
        self.put("fc%d" % self.fcs, nn.Linear(self.C, outputs))
        self.C = outputs

    def width(self, channels):
        return max(1, math.floor(channels * float(self.get("width", 1.0)) + 0.5))


def mlp(f, K):
    f.flatten()
    for width in f.get("hidden", [2500, 2000, 1500, 1000, 500]):
        f.linear(width)
        f.norm_relu(f.norm)
    f.linear(K)


def convfc(f, K):
    for i, outputs in enumerate(f.get("channels", [8, 16, 16])):
        f.block(outputs, stride=2 if i else 1, bias=not f.norm)
    f.flatten()
    f.linear(f.get("fc", 128))
    f.norm_relu(False)
    f.linear(K)


def lenet(f, K):
    for outputs in 16, 32:
        f.block(f.width(outputs), kernel=5, bias=not f.norm)
        f.maxpool(2)
    f.flatten()
    f.linear(f.width(128))
    f.norm_relu(False)
    f.linear(K)


def all_convolutional(f, K, blocks, bias):
    """(channels, kernel, stride) blocks, then 1x1 to the classes and the mean over the plane."""
    for outputs, kernel, stride in blocks:
        f.block(f.width(outputs), kernel, stride, bias or not f.norm)
    f.conv(K, kernel=1)
    f.global_pool()


def allcnn(f, K):
    all_convolutional(f, K, [(96, 3, 1), (96, 3, 1), (192, 3, 2), (192, 3, 1), (192, 3, 1),
                             (192, 3, 2), (192, 3, 1), (192, 1, 1)], f.get("bias", True))


def allcnn_c(f, K):
    all_convolutional(f, K, [(96, 3, 1), (96, 3, 1), (96, 3, 2), (192, 3, 1), (192, 3, 1),
                             (192, 3, 2), (192, 3, 1), (192, 1, 1)], False)


def allcnn_depth(f, K):
    n = f.get("n", 3)
    blocks = [(96, 3, 1)]
    for i in range(1, n + 1):
        blocks += [(96 * 2 ** (i - 1), 3, 1), (96 * 2 ** i, 3, 2)]
    all_convolutional(f, K, blocks + [(96 * 2 ** n, 3, 1), (96 * 2 ** n, 1, 1)],
                      f.get("bias", True))


class EmbeddingSum(nn.Embedding):
    """The sum of the vectors of [N, slots] tokens; an empty slot's is 0."""

    def __init__(self, tokens, features):
        super().__init__(tokens, features, padding_idx=0)

    def forward(self, x):
        return super().forward(x.long()).sum(1)


class Fused(nn.Module):
    """An encoder per modality under its name, a linear head on each if wanted, and `fusion`, which
    what `fuse` makes of the encoders' outputs goes through."""

    def __init__(self, encoders, settings, K):
        super().__init__()
        self.names = list(encoders)
        for name, encoder in encoders.items():
            self.add_module(name, encoder)
        for name, encoder in encoders.items():
            if yaml.safe_load(str(settings.get("heads", False))):
                self.add_module("head_" + name, nn.Linear(encoder.C, K))

    def taps(self, *inputs):
        return [getattr(self, name)(x) for name, x in zip(self.names, inputs)]

    def forward(self, *inputs):
        return self.fusion(self.fuse(self.taps(*inputs)))

    def with_heads(self, *inputs):
        """Logits, and the heads' {modality: logits}; of an image, from the mean of every channel."""
        taps = self.taps(*inputs)
        flat = [z.mean((2, 3)) if z.dim() == 4 else z for z in taps]
        heads = {name: getattr(self, "head_" + name)(z) for name, z in zip(self.names, flat)}
        return self.fusion(self.fuse(taps)), heads


def encoder(shape, settings):
    H, W, C, tokens = shape
    f = Flat((H, W, C), {"norm": "none", **settings})
    if tokens:
        f.C = f.get("embedding", 32)
        f.put("embed", EmbeddingSum(tokens, f.C))
    elif H > 1:
        for outputs in f.get("channels", [16, 32, 32]):
            f.block(outputs, stride=2, bias=not f.norm)
        f.flatten()
    else:
        f.flatten()
    features = f.get("features", 64)
    f.put("fc", nn.Linear(f.C, features))
    f.put("relu", nn.ReLU())
    f.C = features
    return f


class Towers(Fused):
    def __init__(self, shapes, settings, K):
        super().__init__({m: encoder(shape, settings) for m, shape in shapes.items()}, settings, K)
        self.kind = settings.get("fusion", "concat")
        features = getattr(self, self.names[0]).C
        self.fusion = Flat((1, 1, features * (len(shapes) if self.kind == "concat" else 1)), settings)
        self.fusion.linear(self.fusion.get("hidden", 128))
        self.fusion.norm_relu(False)
        self.fusion.linear(K)

    def fuse(self, taps):
        if self.kind == "concat":
            return torch.cat(taps, 1)
        return sum(taps) if self.kind == "add" else torch.stack(taps).prod(0)


class SplitAllCnn(Fused):
    """The first convolution and the halvings twice, added, then the rest of allcnn_depth."""

    def __init__(self, shapes, settings, K):
        super().__init__({m: self.pathway(shape, settings) for m, shape in shapes.items()},
                         settings, K)
        first = getattr(self, self.names[0])
        self.fusion = Flat((first.H, first.W, first.C), settings)
        self.fusion.convs = first.convs
        width = 96 * 2 ** first.get("n", 2)
        all_convolutional(self.fusion, K, [(width, 3, 1), (width, 1, 1)], first.get("bias", True))

    @staticmethod
    def pathway(shape, settings):
        f = Flat(shape[:3], settings)
        bias = f.get("bias", True) or not f.norm
        f.block(f.width(96), bias=bias)
        for i in range(f.get("n", 2)):
            f.block(f.width(96 * 2 ** i), bias=bias)
            f.block(f.width(96 * 2 ** (i + 1)), stride=2, bias=bias)
        return f

    def fuse(self, taps):
        return sum(taps)


class DeepLinear(Fused):
    """The sum over the modalities of a product of matrices."""

    def __init__(self, shapes, settings, K):
        super().__init__({m: self.pathway(shape, settings, K) for m, shape in shapes.items()},
                         settings, K)
        self.fusion = nn.Identity()

    @staticmethod
    def pathway(shape, settings, K):
        f = Flat(shape[:3], settings)
        depth = f.get("depth", 3)
        f.flatten()
        for i in range(depth):
            outputs = f.get("width", 100) if i + 1 < depth else K
            f.put("fc%d" % (i + 1), nn.Linear(f.C, outputs, bias=False))
            f.C = outputs
        return f

    def fuse(self, taps):
        return sum(taps)


class BasicBlock(nn.Module):
    """He et al. 2016, figure 2, under torchvision's names; without norm the convolutions have
    biases."""

    def __init__(self, inputs, outputs, stride, norm):
        super().__init__()
        self.conv1, self.bn1 = self.pair(inputs, outputs, 3, stride, norm)
        self.conv2, self.bn2 = self.pair(outputs, outputs, 3, 1, norm)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(*self.pair(inputs, outputs, 1, stride, norm))

    @staticmethod
    def pair(inputs, outputs, kernel, stride, norm):
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not norm)
        return conv, nn.BatchNorm2d(outputs) if norm else nn.Identity()

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def resnet18(f, K):
    """torchvision's resnet18 with a 3x3 stem and no max pooling."""
    w = f.get("width", 64)
    for name, module in zip(("conv1", "bn1"), BasicBlock.pair(f.C, w, 3, 1, f.norm)):
        f.put(name, module)
    f.put("relu", nn.ReLU())
    f.C = w
    for i in range(4):
        outputs = w << i
        stage = [BasicBlock(f.C, outputs, 2 if i else 1, f.norm),
                 BasicBlock(outputs, outputs, 1, f.norm)]
        f.put("layer%d" % (i + 1), nn.Sequential(*stage))
        f.C = outputs
    f.global_pool()
    f.put("fc", nn.Linear(f.C, K))


ARCHS = {f.__name__: f for f in (mlp, convfc, lenet, allcnn, allcnn_c, allcnn_depth, resnet18)}


FUSED = {"towers": Towers, "split_allcnn": SplitAllCnn, "deeplinear": DeepLinear}


def build(arch, settings, shape, K):
    if arch in FUSED:
        shapes = shape if isinstance(shape, dict) else {"image": (*shape, 0)}
        return FUSED[arch](shapes, settings, K).double()
    net = Flat(shape, settings)
    ARCHS[arch](net, K)
    return net.double()

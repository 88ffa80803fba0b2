"""Small inputs, and for every verb that writes a command whose results go to one folder."""

import numpy as np
import torch
from PIL import Image

from deeplab_caffe import Net
from deeplab_caffe.formats.npy import write_npy

NET = """name: "little"
input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 12 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } } }
"""
TRAINED = """name: "trained"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } shape { dim: 1 dim: 1 dim: 4 dim: 4 }
    data_filler { type: "constant" value: 1 } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" }
"""
SOLVER = """net: "train.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 6 snapshot: 2 display: 1
snapshot_prefix: "PREFIX" random_seed: 1
"""
NORMALIZED = (
    NET.replace('"little"', '"normalized"')
    + """
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
"""
)
OLD = """name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "r" type: RELU bottom: "data" top: "r" }
"""


def prepare(folder):
    """Puts what the commands read into a folder: nets, weights, photos, a list, predictions, scores."""
    (folder / "net.prototxt").write_text(NET)
    (folder / "old.prototxt").write_text(OLD)
    (folder / "train.prototxt").write_text(TRAINED)
    (folder / "solver.prototxt").write_text(SOLVER.replace("PREFIX", str(folder / "out" / "net")))
    (folder / "bn.prototxt").write_text(NORMALIZED)
    for name in ("net", "bn"):
        Net(folder / f"{name}.prototxt").save(folder / f"{name}.caffemodel")
    torch.save({"conv.weight": torch.ones(3, 3, 1, 1), "conv.bias": torch.ones(3)}, folder / "fine.pth")
    rng = np.random.default_rng(0)
    for kind in ("photos", "labels", "predictions", "scores"):
        (folder / kind).mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8)).save(folder / "photos" / f"{name}.png")
        for kind in ("labels", "predictions"):
            Image.fromarray(rng.integers(0, 3, (8, 12), np.uint8)).save(folder / kind / f"{name}.png")
        write_npy(folder / "scores" / f"{name}.npy", rng.normal(size=(3, 8, 12)).astype(np.float32))
    x = rng.normal(size=(1, 3, 8, 12)).astype(np.float32)
    write_npy(folder / "x.npy", x)
    (folder / "dump").mkdir()
    scores = Net(folder / "net.prototxt", folder / "net.caffemodel")(torch.from_numpy(x))
    write_npy(folder / "dump" / "000_conv__conv.npy", np.asarray(scores))
    lines = "".join(f"/photos/{name}.png /labels/{name}.png\n" for name in "abc")
    (folder / "list.txt").write_text(lines)


def commands(folder):
    """The verbs' arguments, by verb; all of them write below OUT, which is not there yet."""
    out = folder / "out"
    net = ("-m", folder / "net.prototxt")
    weights = (*net, "-w", folder / "net.caffemodel")
    bn = ("-m", folder / "bn.prototxt", "-w", folder / "bn.caffemodel")
    listed = ("--list", folder / "list.txt", "--root", folder)
    grid = ("--bi-xy-std", "5", "--bi-rgb-std", "3,9", "--bi-w", "5", "--iterations", "1")
    image = ("--image", folder / "photos" / "a.png", "--scores", folder / "scores" / "a.npy")
    found = {
        "predict": (*weights, folder / "photos", "-o", out, "--save", "labels,overlay,scores,mat"),
        "forward": (*weights, "--input", folder / "x.npy", "--dump", out),
        "crf": (*image, "--marginals", out / "a.npy", "--map", out / "a.png"),
        "crf-search": (*listed, "--scores", folder / "scores", "-o", out, *grid),
        "eval": (*listed, "--predictions", folder / "predictions", "--labels", "3", "-o", out),
        "inspect": (*net, "--html", out / "net.html", "--svg", out / "net.svg"),
        "generate": ("v2", "--backbone", "vgg16", "--head", "largefov", "-o", out),
        "export": (*weights, "--to", "safetensors", "--to", "npz", "-o", out),
        "upgrade": (folder / "old.prototxt", "-o", out / "new.prototxt"),
        "fold": (*bn, "--phase", "test", "-o", out / "folded.caffemodel"),
        "convert": (folder / "fine.pth", *net, "-o", out),
        "validate": (*weights, "--input", folder / "x.npy", "--against", folder / "dump", "-o", out),
        "train": ("--solver", folder / "solver.prototxt", "--snapshot", "auto"),
    }
    return {verb: [verb, *map(str, arguments)] for verb, arguments in found.items()}

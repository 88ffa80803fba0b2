"""The readers, one target each: what is read from a file, and the inputs to begin with."""

import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deeplab_caffe import Net
from deeplab_caffe.commands.run.config import read_config
from deeplab_caffe.commands.run.stages import plan
from deeplab_caffe.convert.tflite.convert import translate
from deeplab_caffe.crf.search import Grid, Search
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import (
    bin,
    caffemodel,
    hdf5_arrays,
    hdf5_snapshot,
    mat,
    mat_labels,
    npy,
    npz,
    prototxt,
    safetensors,
    solverstate,
    state_dict,
    tf_checkpoint,
    tf_graph,
    tflite,
    upgrade_text,
)
from deeplab_caffe.formats.file_blob import in_memory
from deeplab_caffe.images import image_file, image_list, palettes
from deeplab_caffe.solver.settings import read_settings

from . import seeds
from .seeds_text import TEXTS, prototxts, texts

CORPUS = Path(__file__).parent / "corpus"  # inputs that were findings once, by target


@dataclass(frozen=True)
class Target:
    """A reader.

    read: reads the file it is given, and all that is in it. seeds: inputs that are good or nearly so.
    suffix: the file's. companions: files that lie beside it. memory: bytes it may take beyond four times the
    file. longest: characters of an error.
    """

    name: str
    suffix: str
    read: Callable[[str], Any]
    seeds: Callable[[], Iterable[bytes]]
    companions: Sequence[Path] = ()
    memory: int = 200 << 20
    longest: int = 450


def _arrays(reader: Callable[[str], Any], path: str) -> None:
    """All arrays of a file, one after the other; one that cannot be read does not end it."""
    failed = None
    for array in reader(path).values():
        try:
            array.read()
        except DeepLabError as error:
            failed = error
    if failed is not None:
        raise failed


def _caffemodel(path: str) -> None:
    caffemodel.read_caffemodel(path)
    for layer in caffemodel.read_caffemodel(path, in_file=True):
        for blob in layer.blobs:
            in_memory(blob)


def _mat_labels(path: str) -> None:
    mat_labels.read_mat_labels(path, "GTcls.Segmentation")


def _hdf5(path: str) -> None:
    failed = None
    for read in (
        hdf5_snapshot.read_hdf5_model,
        hdf5_snapshot.read_hdf5_state,
        partial(_arrays, hdf5_arrays.read_hdf5_arrays),
    ):
        try:
            read(path)
        except DeepLabError as error:
            failed = error
    if failed is not None:
        raise failed


def _tflite(path: str) -> None:
    graph = tflite.read_tflite(path)
    for number, tensor in enumerate(graph.tensors):
        if tensor.data is not None and tensor.dtype in ("float32", "float16"):
            graph.values(number)
    translate(graph)


def _prototxt(path: str) -> None:
    prototxt.read_net(path)
    prototxt.read_net(path, phase="train")
    upgrade_text.upgrade_text(prototxt.read_text(path), path)


def _net(path: str) -> None:
    """Builds the net, and runs it on zeros if that is little work."""
    net = Net(path, variables=dict.fromkeys(("NUM_LABELS", "CROP"), "33"))
    sizes = [shape for shape in net.inputs.values()]
    if sizes and all(0 < np.prod(shape, dtype=object) <= 1 << 14 for shape in sizes):
        net(*(torch.zeros(shape) for shape in sizes))


def _config(path: str) -> None:
    plan(read_config(path))


def _image(path: str) -> None:
    image_file.read_image(path)
    image_file.read_label(path)


def _search(folder: str) -> Search:
    return Search(Grid((3,), (3,), (40,), (3, 4), (5,)), ["a", "b"], folder, 3)


def _counts() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        search = _search(folder)
        search._write()
        return search.file.read_bytes()


_BINS = struct.pack("<3i12f", 2, 3, 2, *range(12)), struct.pack("<3i6h", 2, 3, 1, *range(6))

_MANY = 1000  # of prototxts all unknown names are told at once

ALL = {
    target.name: target
    for target in (
        Target("caffemodel", ".caffemodel", _caffemodel, seeds.caffemodels),
        Target("prototxt", ".prototxt", _prototxt, prototxts, longest=_MANY),
        Target("npz", ".npz", partial(_arrays, npz.read_npz), seeds.npzs),
        Target("mat", ".mat", mat.read_mat, seeds.mats),
        Target("mat_labels", ".mat", _mat_labels, seeds.label_mats),
        Target("hdf5", ".h5", _hdf5, seeds.hdf5s),
        Target("pth", ".pth", partial(_arrays, state_dict.read_state_dict), seeds.pths),
        Target("tflite", ".tflite", _tflite, seeds.tflites),
        Target(
            "safetensors", ".safetensors", partial(_arrays, safetensors.read_safetensors), seeds.safetensors
        ),
        Target(
            "tf_graph", ".pb", partial(_arrays, tf_graph.read_graph), lambda: seeds.golden("tf/frozen.pb")
        ),
        Target(
            "tf_checkpoint",
            ".index",
            partial(_arrays, tf_checkpoint.read_checkpoint),
            lambda: seeds.golden("tf/sharded.ckpt.index"),
            sorted((seeds.GOLDEN / "tf").glob("sharded.ckpt.data*")),
        ),
        Target("toml", ".toml", _config, lambda: texts("toml")),
        Target("solver", ".prototxt", read_settings, lambda: texts("solver"), longest=_MANY),
        Target("net", ".prototxt", _net, prototxts, memory=1 << 30, longest=_MANY),
        Target("image", ".png", _image, seeds.images, memory=1 << 30),  # pixels are what is limited
        Target("list", ".txt", image_list.read_list, lambda: texts("list")),
        Target("palette", ".txt", palettes.palette, lambda: texts("palette")),
        Target("solverstate", ".solverstate", solverstate.read_solverstate, seeds.solverstates),
        Target("bin", ".bin", bin.read_bin, lambda: _BINS),
        Target("npy", ".npy", npy.read_npy, seeds.npys),
        Target("counts", ".npz", lambda path: _search(os.path.dirname(path)), lambda: [_counts()]),
    )
}


def corpus(name: str) -> dict[str, bytes]:
    """The inputs of a target that were findings once, by file name."""
    return {file.name: file.read_bytes() for file in sorted((CORPUS / name).glob("*"))}


def place(target: Target, folder: Path) -> str:
    """The path of the target's input in a folder, in which its companions lie."""
    for file in target.companions:
        shutil.copy(file, folder)
    # What solvers and configurations of the seeds name.
    shutil.copy(TEXTS / "prototxt" / "little.prototxt", folder / "net.prototxt")
    shutil.copy(TEXTS / "solver" / "net.prototxt", folder / "solver.prototxt")
    stem = {"tf_checkpoint": "sharded.ckpt", "counts": "counts"}.get(target.name, "input")
    return str(folder / f"{stem}{target.suffix}")

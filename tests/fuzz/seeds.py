"""Binary inputs to begin with, which this package or another program writes: good ones, or nearly so."""

import importlib.util
import io
import json
import os
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from deeplab_caffe.formats import caffemodel, hdf5_snapshot, mat, solverstate
from deeplab_caffe.formats.records import LayerBlobs, SolverState
from deeplab_caffe.formats.wire import bytes_field, number_field

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(pattern: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted(GOLDEN.glob(pattern)) if file.stat().st_size < 1 << 17]


def _written(write: Callable[[str], Any], suffix: str = "") -> bytes:
    """What a writer puts into a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"seed{suffix}")
        write(path)
        return Path(path).read_bytes()


def _layers() -> list[LayerBlobs]:
    return [
        LayerBlobs("conv", "Convolution", [torch.arange(24.0).reshape(2, 3, 2, 2), torch.ones(1, 1, 1, 2)]),
        LayerBlobs("relu", "ReLU"),
        LayerBlobs("ip", "InnerProduct", [torch.rand(1, 1, 8, 700)]),
    ]


def caffemodels() -> Iterable[bytes]:
    yield _written(lambda path: caffemodel.write_caffemodel(path, _layers()))
    yield _written(lambda path: caffemodel.write_caffemodel(path, _layers(), layout="v1", name="net"))
    yield from (data for data in golden("nets/*/weights.caffemodel") if len(data) < 20_000)
    # Values with a tag each, doubles, a blob of no size, V0 records.
    blob = number_field(1, 1) + number_field(2, 1) + number_field(3, 1) + number_field(4, 2)
    tagged = blob + b"\x2d" + struct.pack("<f", 1.5) + b"\x2d" + struct.pack("<f", 2.5)
    doubles = bytes_field(7, bytes_field(1, b"\x02")) + bytes_field(8, struct.pack("<2d", 1, 2))
    for values in (tagged, doubles, b""):
        old = bytes_field(1, b"conv") + bytes_field(2, b"conv") + bytes_field(50, values)
        yield bytes_field(100, bytes_field(1, b"a") + bytes_field(2, b"ReLU") + bytes_field(7, values))
        yield bytes_field(2, bytes_field(1, old) + bytes_field(2, b"data"))


def solverstates() -> Iterable[bytes]:
    state = SolverState(120, "net_iter_120.caffemodel", [torch.rand(3, 2), torch.rand(7)], 2)
    yield _written(lambda path: solverstate.write_solverstate(path, state))
    yield _written(lambda path: solverstate.write_solverstate(path, state, four_axes=True))


def hdf5s() -> Iterable[bytes]:
    import h5py

    state = SolverState(120, "net_iter_120.caffemodel.h5", [torch.rand(3, 2), torch.rand(7)], 2)
    yield _written(lambda path: hdf5_snapshot.write_hdf5_model(path, _layers()), ".h5")
    yield _written(lambda path: hdf5_snapshot.write_hdf5_state(path, state), ".h5")

    def other(path: str) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "model/conv/weight", data=np.ones((8, 8), np.float16), compression="gzip", chunks=(4, 4)
            )
            file.create_dataset("conv/bias", data=np.arange(3), shuffle=True, fletcher32=True, chunks=(2,))
            file["text"] = "words"
            file["soft"] = h5py.SoftLink("/conv/bias")
            file["outside"] = h5py.ExternalLink("/etc/passwd", "/a")
            file["compound"] = np.zeros(2, [("a", "f4"), ("b", "i2")])
            file["empty"] = h5py.Empty("f4")
            file.create_dataset("big", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(64, 64))

    yield _written(other, ".h5")
    yield _written(
        lambda path: (
            h5py.File(path, "w", libver="latest").create_dataset("a/b", data=np.ones(3)).file.close()
        ),
        ".h5",
    )


def npzs() -> Iterable[bytes]:
    arrays = {
        "conv/weights": np.ones((3, 3, 2, 4), np.float32),
        "half": np.ones(3, np.float16),
        "flag": np.array(True),
    }
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **arrays, words=np.array(["a"]))
        yield buffer.getvalue()
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, array in arrays.items():
                archive.writestr(f"{name}.npy", _npy(array, (2, 0) if name == "half" else (1, 0)))
        yield buffer.getvalue()


def _npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    return buffer.getvalue()


def npys() -> Iterable[bytes]:
    for array in (
        np.ones((3, 5, 4), np.float32),
        np.asfortranarray(np.ones((2, 3), ">f8")),
        np.zeros(0, np.int16),
    ):
        yield _npy(array)
        yield _npy(array, (2, 0))


def mats() -> Iterable[bytes]:
    plain = _written(lambda path: mat.write_mat(path, np.ones((1, 2, 3, 4))))
    yield plain
    packed = zlib.compress(plain[128:])
    yield plain[:128] + struct.pack("<II", 15, len(packed)) + packed
    other = plain[128:].replace(b"data", b"fc8_")
    yield plain[:128] + other + plain[128:]
    if importlib.util.find_spec("scipy"):
        from scipy.io import savemat

        yield _written(
            lambda path: savemat(path, {"x": {"a": [1, 2]}, "data": np.ones((2, 3))}, do_compression=True)
        )
        yield _written(
            lambda path: savemat(path, {"data": np.ones((2, 3), np.uint8), "s": np.array(["a"], object)})
        )


def label_mats() -> Iterable[bytes]:
    if importlib.util.find_spec("scipy"):
        from scipy.io import savemat

        labels = {"Categories": np.ones((2, 1)), "Segmentation": np.ones((3, 4), np.uint8)}
        for packed in (False, True):
            yield _written(partial(savemat, mdict={"GTcls": labels}, do_compression=packed))
        yield _written(lambda path: savemat(path, {"GTcls": labels | {"Segmentation": np.ones((2, 2))}}))
    yield from mats()


def pths() -> Iterable[bytes]:
    state = {"conv.weight": torch.ones(2, 3, 1, 1), "bn.num_batches_tracked": torch.tensor(7)}
    kinds = {
        "sparse": torch.eye(3).to_sparse(),
        "meta": torch.ones(2, device="meta"),
        "complex": torch.ones(2, dtype=torch.complex64),
        "bf16": torch.ones(2, dtype=torch.bfloat16),
        "float8": torch.ones(2).to(torch.float8_e4m3fn),
        "view": torch.ones(6)[::2],
        "expanded": torch.ones(1).expand(1 << 20),
    }
    states: list[Any] = [state, {"state_dict": {f"module.{name}": value for name, value in state.items()}}]
    with warnings.catch_warnings(), suppress(AttributeError):  # torch means to drop them
        warnings.simplefilter("ignore")
        kinds["quantised"] = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    states += [{name: value} | state for name, value in kinds.items()]
    for content in states:
        for new in (True, False):
            buffer = io.BytesIO()
            try:
                torch.save(content, buffer, _use_new_zipfile_serialization=new)
            except Exception:  # noqa: BLE001, S112 (of the kinds some cannot be written so)
                continue
            yield buffer.getvalue()


def safetensors() -> Iterable[bytes]:
    kinds = {"a.weight": ("F32", [2, 3], 24), "b": ("BF16", [2], 4), "c": ("I64", [], 8)}
    table: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape, size) in kinds.items():
        table[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(table).encode()
    yield len(header).to_bytes(8, "little") + header + bytes(at)
    yield (2).to_bytes(8, "little") + b"{}"


def tflites() -> Iterable[bytes]:
    from tests.convert.tflite.write_tflite import TFLiteFile, normalization, small_net

    for half in (False, True):
        file = small_net(half)
        file.metadata = normalization([10, 20, 30], [4])
        yield file.bytes()
    file = TFLiteFile((1, 6, 5, 3))
    x = file.op("MUL", [file.input, file.constant("m", np.float32(0.25))], (1, 6, 5, 3), "MulOptions")
    pads = file.constant("p", np.int32([[0, 0], [0, 1], [0, 1], [0, 0]]))
    x = file.op("PAD", [x, pads], (1, 7, 6, 3))
    x = file.op(
        "RESIZE_BILINEAR", [x, file.constant("z", np.int32([11, 9]))], (1, 11, 9, 3), "ResizeBilinearOptions"
    )
    file.op("SOFTMAX", [x], (1, 11, 9, 3), "SoftmaxOptions", Beta=1.0)
    yield file.bytes()


def images() -> Iterable[bytes]:
    rgb = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    image = Image.fromarray(rgb)
    modes = {
        "PNG": ("RGB", "RGBA", "L", "P", "1", "I;16", "LA"),
        "JPEG": ("RGB", "CMYK", "L"),
        "GIF": ("P",),
        "BMP": ("RGB",),
        "TIFF": ("RGB", "F", "I;16"),
        "WEBP": ("RGB", "RGBA"),
        "PPM": ("RGB", "L"),
    }
    for kind, names in modes.items():
        for mode in names:
            of = Image.fromarray(rgb[:, :, 0].astype(np.uint16)) if mode == "I;16" else image.convert(mode)
            buffer = io.BytesIO()
            of.save(buffer, kind)
            yield buffer.getvalue()

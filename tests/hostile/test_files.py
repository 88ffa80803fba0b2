"""Hostile files as users have met them: one short line, exit code 2, no hang, no flood of memory.

The bounds of memory are measured in processes of their own: four times the file and 200 MB, above what the
program takes for a good file.
"""

import json
import os
import select
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError, OutOfMemoryError
from deeplab_caffe.formats import wire
from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.npz import read_npz
from deeplab_caffe.formats.state_dict import read_state_dict
from deeplab_caffe.formats.tf_checkpoint import read_checkpoint
from deeplab_caffe.formats.weights import read_layers
from tests.hostile.bombs import inflating

ROOT = Path(__file__).parents[2]
INPUT = 'input: "data" input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2\n'


def prototxt(tmp_path, text):
    path = tmp_path / "tested.prototxt"
    path.write_text(INPUT + text)
    return path


def npy(tmp_path, *shape):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros(shape, np.float32))
    return path


# Tracebacks


@pytest.mark.parametrize("size", [(10**9, 10**4), (10**9, 10**9)])
def test_interp_beyond_memory(refused, tmp_path, size):
    text = (
        'layer {{ name: "i" type: "Interp" bottom: "data" top: "i" interp_param {{ height: {} width: {} }} }}'
    )
    path = prototxt(tmp_path, text.format(*size))
    line = refused("forward", "-m", path, "--input", npy(tmp_path, 1, 1, 2, 2))
    assert "layer 'i' (Interp): top: blob 'i' is" in line and "are available" in line


@pytest.mark.parametrize("kind", ["LRN", "MVN", "TanH", "Softmax"])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        MemoryError("Unable to allocate 7 GiB"),
        RuntimeError("Storage size calculation overflowed with sizes=[9, 9]"),
    ],
    ids=["torch", "numpy", "overflow"],
)
def test_a_layer_that_runs_out_of_memory(tmp_path, monkeypatch, kind, error):
    from deeplab_caffe import Net
    from deeplab_caffe.layers import layer_class

    def fail(*_):
        raise error

    monkeypatch.setattr(layer_class(kind), "forward", fail)
    net = Net(prototxt(tmp_path, f'layer {{ name: "a" type: "{kind}" bottom: "data" top: "a" }}'))
    with pytest.raises(OutOfMemoryError, match=rf"layer 'a' \({kind}\): forward: out of memory \("):
        net.forward(data=torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize(
    "dims", [(9, 1, 4683743612465315839, 0), (2**31, 2**31, 2**31, 2**31), (2**31 - 1, 2**31 - 1, 0)]
)
def test_caffemodel_shapes(tmp_path, dims):
    shape = wire.bytes_field(1, b"".join(wire.varint(dim) for dim in dims))
    blob = wire.bytes_field(7, shape)
    layer = wire.bytes_field(1, b"a") + wire.bytes_field(7, blob)
    path = tmp_path / "a.caffemodel"
    path.write_bytes(wire.bytes_field(100, layer))
    with pytest.raises(DeepLabError, match="layer 'a', blob 0: its shape .* has more than 2\\^31 values"):
        read_caffemodel(path)


@pytest.mark.slow
def test_hdf5_addresses_that_point_outside(tmp_path):
    path = tmp_path / "a.caffemodel.h5"
    with h5py.File(path, "w") as file:
        file["data/conv/0"] = np.ones(30, np.float32)
    whole = path.read_bytes()
    read_layers(path)
    for at in range(8, len(whole) - 8, 24):
        path.write_bytes(whole[:at] + b"\xf0\xff\xff\xff\xff\xff\xff\x0f" + whole[at + 8 :])
        try:
            read_layers(path)
        except DeepLabError as error:
            assert "a.caffemodel.h5: " in str(error) and str(error).isprintable()


def npz(path, header, values=b"", compression=zipfile.ZIP_DEFLATED, name="a.npy"):
    text = header.encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + values)
    return path


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'shape': (3,",
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 5000,
        "{'descr': '''",
        "[" * 9000,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 4000 + ",), }",
        "",
    ],
)
def test_npz_headers(tmp_path, header):
    with pytest.raises(DeepLabError, match="a.npz: array 'a': ") as caught:
        for array in read_npz(npz(tmp_path / "a.npz", header)).values():
            array.read()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_corrupt_lzma(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", b"\x93NUMPY" + os.urandom(500))
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(DeepLabError, match="a.npz: array 'a': "):
        read_npz(path)


@pytest.mark.parametrize(
    "value, reason",
    [
        (torch.eye(3).to_sparse(), "sparse"),
        (torch.zeros(2, device="meta"), "values: not read"),
        (torch.zeros(2, dtype=torch.complex64), "complex64: not read"),
        (torch.zeros(1).expand(10**9), "GB of memory wanted"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8), "not a PyTorch state dict|not read"),
    ],
    ids=["sparse", "meta", "complex", "expanded", "quantised"],
)
def test_tensors_that_are_not_read(tmp_path, value, reason):
    path = tmp_path / "a.pth"
    torch.save({"a": value}, path)
    with pytest.raises(DeepLabError, match=f"a.pth: .*{reason}"):
        read_state_dict(path)


def test_advice_of_several_lines(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": print}, path)
    with pytest.raises(
        DeepLabError, match="a.pth: not a PyTorch state dict: more than tensors in it"
    ) as caught:
        read_state_dict(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("field", ["name", "bottom", "top"])
def test_zero_bytes_in_names(refused, tmp_path, field):
    values = {"name": "a", "bottom": "data", "top": "a"} | {field: r"a\000b"}
    fields = " ".join(f'{name}: "{value}"' for name, value in values.items())
    path = prototxt(tmp_path, f'layer {{ type: "ReLU" {fields} }}')
    dump = tmp_path / "dump"
    line = refused("forward", "-m", path, "--input", npy(tmp_path, 1, 1, 2, 2), "--dump", dump)
    assert f"{field}: a control character in the name" in line and r"\x00" in line + r"\x00"
    assert not dump.exists()


@pytest.mark.parametrize(
    "damage", [b"", b"PK\x03\x04", b"\x93NUMPY", "cut"], ids=["empty", "zip", "npy", "cut"]
)
def test_counts_of_a_search(refused, tmp_path, damage):
    from deeplab_caffe.images.image_file import write_image

    write_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    write_image(tmp_path / "l.png", np.zeros((4, 4), np.uint8))
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((2, 4, 4), np.float32))
    (tmp_path / "list.txt").write_text("a.png l.png\n")
    counts = tmp_path / "out" / "counts.npz"
    counts.parent.mkdir()
    np.savez(counts, key="x", done=1, counts=np.zeros((3, 2, 2), np.int64))
    counts.write_bytes(counts.read_bytes()[:-30] if damage == "cut" else damage)
    line = refused(
        "crf-search", "--list", tmp_path / "list.txt", "--root", tmp_path, "--scores", tmp_path,
        "-o", counts.parent, "--bi-xy-std", "50", "--bi-rgb-std", "10", "--bi-w", "5",
    )  # fmt: skip
    assert "counts.npz: damaged, remove it" in line


@pytest.mark.parametrize("shape", [(0, 8, 8), (8, 8, 0), (1, 0, 8, 8), (0,)])
def test_eval_without_classes(refused, tmp_path, shape):
    from deeplab_caffe.images.image_file import write_image

    write_image(tmp_path / "l.png", np.zeros((8, 8), np.uint8))
    np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
    (tmp_path / "list.txt").write_text("a.png l.png\n")
    refused("eval", "--list", tmp_path / "list.txt", "--root", tmp_path, "--predictions", tmp_path)


# Hangs


def test_pipes_do_not_hang(refused, net, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reason = "a pipe or a device, a file wanted"
    assert reason in refused("inspect", "-m", pipe)
    assert reason in refused("forward", "-m", net, "-w", pipe, "--input", pipe)
    assert reason in refused("forward", "-m", net, "--input", pipe)
    assert reason in refused("train", "--solver", pipe)
    assert reason in refused("run", pipe)
    refused("predict", "-m", net, pipe, "-o", tmp_path / "out")
    refused("convert", pipe, "--backbone", "resnet50", "-o", tmp_path / "out")
    refused("diff", pipe, pipe)
    refused("upgrade", pipe, "-o", tmp_path / "out")


# Error texts


def test_a_line_of_10_megabytes(refused, net, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("x" * 10_000_000)
    assert "list.txt:1: a line of 10000000 characters" in refused("predict", "-m", net, path, "-o", tmp_path)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31ma", "a\x00b", "a\u202eb", "a" * 100_000])
def test_names_from_outside(refused, net, tmp_path, name):
    refused("forward", "-m", net, "-w", name)
    refused("forward", "-m", name)
    refused("eval", "--list", name, "--predictions", name, "--trimap", name)
    refused("predict", "-m", net, name, "-o", tmp_path / "out")
    solver = tmp_path / "solver.prototxt"
    escaped = name.replace("\n", r"\n").replace("\x00", r"\000").replace("\x1b", r"\033")
    solver.write_text(f'net: "{net}" base_lr: 1 max_iter: 1 lr_policy: "fixed" type: "{escaped}"')
    refused("train", "--solver", solver)
    with pytest.raises(DeepLabError) as caught:
        read_npz(npz(tmp_path / "a.npz", "x", name=f"{name[:60000]}.npy".replace("\x00", "")))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


def test_files_that_are_not_ours_are_not_quoted(refused, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("root:hash:19000:0:99999:7:::\n")
    for kind, field in (
        ("ChannelAggregator", "channel_aggregator_param { label_map_file"),
        ("SoftmaxWithLoss", "softmaxloss_param { weight_source"),
        ("InfogainLoss", "infogain_loss_param { source"),
    ):
        bottoms = 'bottom: "data"' * (1 if kind == "ChannelAggregator" else 2)
        path = prototxt(
            tmp_path, f'layer {{ name: "a" type: "{kind}" {bottoms} top: "a" {field}: "{secret}" }} }}'
        )
        line = refused("forward", "-m", path, "--input", npy(tmp_path, 1, 1, 2, 2))
        assert "hash" not in line and "secret" in line
    refused("predict", "-m", path, secret, "-o", tmp_path / "out", "--palette", secret)


# Memory and time


@pytest.fixture(scope="module")
def server():
    """A process that `tests/hostile/bounded.py` runs in."""
    command = [sys.executable, "-m", "tests.hostile.bounded"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def bounded(server):
    """Runs a command line that is refused; its memory must have stayed within what the file allows."""

    def run(*arguments, path=None):
        print(json.dumps(list(map(str, arguments))), file=server.stdin, flush=True)
        assert select.select([server.stdout], [], [], 100)[0], "no answer in 100 s"
        code, line, grown = json.loads(server.stdout.readline())
        assert code == 2, line[-500:]
        assert line.count("\n") == 1, line
        allowed = 200_000_000 + 4 * (path.stat().st_size if path else 0)
        assert 0 <= grown <= allowed, f"{grown / 1e6:.0f} MB"
        return line

    return run


def png(path, width, height):
    """A PNG of one colour, made without holding it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = inflating(b"", (1 + 3 * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("size", [(9400, 9400), (80_000_000, 1), (1, 80_000_000)])
def test_images_of_too_many_pixels(bounded, net, tmp_path, size):
    width, height = size
    path = png(tmp_path / "a.png", width, min(height, 9400))
    if height > 9400:  # its rows need not all be there
        data = bytearray(path.read_bytes())
        data[20:24] = struct.pack(">I", height)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        path.write_bytes(data)
    assert "pixels" in bounded("predict", "-m", net, path, "-o", tmp_path / "out", path=path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [b"data", b"else"])
def test_mat_that_inflates(bounded, net, tmp_path, name):
    count = 80_000_000  # 320 MB: more than may be taken
    head = struct.pack("<IIII", 6, 8, 7, 0) + struct.pack("<II4i", 5, 16, count, 1, 1, 1)
    head += struct.pack("<HH4s", 1, 4, name) + struct.pack("<II", 7, 4 * count)
    packed = inflating(struct.pack("<II", 14, len(head) + 4 * count) + head, 4 * count)
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed)
    assert path.stat().st_size < 1_000_000
    line = bounded(
        "crf",
        "--image",
        png(tmp_path / "a.png", 4, 4),
        "--scores",
        path,
        "--map",
        tmp_path / "m.png",
        path=path,
    )
    assert ("640 MB of memory wanted" if name == b"data" else "no variable 'data'") in line


@pytest.mark.slow
def test_devices_as_lists(bounded, net, tmp_path):
    assert "a device" in bounded("eval", "--list", "/dev/zero", "--predictions", tmp_path)
    assert "--labels" in bounded("eval", "--list", "/dev/zero", "--predictions", tmp_path, "--labels", 10**9)


@pytest.mark.slow
def test_safetensors_with_a_huge_header(bounded, tmp_path):
    tensors = (f'"t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(500_000))
    header = "{" + ",".join(tensors) + "}"
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    line = bounded("convert", path, "--backbone", "resnet50", "-o", tmp_path / "out", path=path)
    assert "a header of " in line


@pytest.mark.slow
def test_toml_of_dotted_keys(bounded, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("\n".join(".".join(["a"] * 2000) + f".b{i} = 1" for i in range(60)))
    bounded("run", path, path=path)
    path.write_text(".".join(["a"] * 400_000) + " = 1")
    assert "larger than" in bounded("run", path, path=path)


@pytest.mark.slow
def test_lists_of_many_lines(bounded, net, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a\n" * 5_000_000)
    assert "5000001 lines" in bounded("predict", "-m", net, path, "-o", tmp_path / "out", path=path)


@pytest.mark.slow
def test_hdf5_and_npz_that_inflate(bounded, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data/conv/0", (1 << 28,), "f4", chunks=(1 << 20,), compression="gzip")
    bounded("inspect", "-m", path)
    bounded("upgrade", path, "-o", tmp_path / "b.caffemodel", path=path)
    path = npz(
        tmp_path / "a.npz",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (100000000,), }".ljust(117) + "\n",
        bytes(100_000_000),
    )
    with pytest.raises(DeepLabError, match="array 'a': 500 MB of memory wanted"):
        read_npz(path)["a"].read()


def test_a_layer_with_very_many_tops(refused, tmp_path):
    tops = " ".join(f'top: "t{i}"' for i in range(10_001))
    path = prototxt(tmp_path, f'layer {{ name: "s" type: "Split" bottom: "data" {tops} }}')
    assert "top: given 10001 times, at most 10000 times wanted" in refused("inspect", "-m", path)


@pytest.mark.slow
def test_places_of_thousands_of_blobs(tmp_path):
    """Seconds, where comparing all pairs in Python took half a minute."""
    import time

    from deeplab_caffe import Net

    tops = " ".join(f'top: "t{i}"' for i in range(4000))
    bottoms = tops.replace("top", "bottom")
    path = tmp_path / "many.prototxt"
    path.write_text(
        f'layer {{ name: "d" type: "DummyData" {tops}'
        " dummy_data_param { shape { dim: 1 } } }"
        f'layer {{ name: "e" type: "Eltwise" {bottoms} top: "e" }}'
    )
    start = time.process_time()
    assert Net(path).forward()["e"].tolist() == [0]
    assert time.process_time() - start < 12


def test_broken_checkpoints(tmp_path):
    path = tmp_path / "a.index"
    path.write_bytes(b"\0" * 100)
    with pytest.raises(DeepLabError, match="a.index: not a whole checkpoint index"):
        read_checkpoint(path)

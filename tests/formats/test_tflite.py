import sys

import numpy as np
import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.tflite import read_tflite
from deeplab_caffe.formats.weights import find_arrays, read_layers

pytest.importorskip("tflite")

from tests.convert.tflite.write_tflite import TFLiteFile, small_net


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.tflite").write_bytes(small_net(half=True).bytes())
    return tmp_path / "a.tflite"


def test_reads_operators_and_constants(path):
    graph = read_tflite(path)
    assert [op.kind for op in graph.operators][:4] == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD"]
    assert graph.tensors[graph.inputs[0]].shape == (1, 17, 13, 3)
    names = {tensor.name: number for number, tensor in enumerate(graph.tensors)}
    half = graph.values(names["logits/weights_half"])
    assert half.dtype == np.float32 and half.shape == (5, 1, 1, 12)
    assert graph.values(names["size"]).tolist() == [9, 7]
    assert len(graph.operators[2].inputs) == 3 and graph.operators[2].options.StrideH() == 1
    with pytest.raises(DeepLabError, match="a.tflite: tensor 'input': not a constant"):
        graph.values(graph.inputs[0])


def test_is_known_by_its_first_bytes(path, tmp_path):
    other = path.rename(tmp_path / "b.bin")
    found = find_arrays(other)
    assert found.name == "TFLite" and found.read(other)["root/weights"].read().shape == (8, 3, 3, 3)
    with pytest.raises(DeepLabError, match="TFLite; the verb convert makes a caffemodel of it"):
        read_layers(other)


def test_a_constant_of_another_size(tmp_path):
    file = TFLiteFile((1, 2, 2, 3))
    number = file.constant("k", np.zeros(4, np.float32))
    file.tensors[number] = ("k", (5,), "float32", file.tensors[number][3])
    file.op("ADD", [file.input, number], (1, 2, 2, 3))
    (tmp_path / "a.tflite").write_bytes(file.bytes())
    with pytest.raises(DeepLabError, match=r"tensor 'k': 16 bytes, 20 wanted for shape \[5\]"):
        read_tflite(tmp_path / "a.tflite").values(number)


def test_sparse_weights(tmp_path):
    file = TFLiteFile((1, 2, 2, 3))
    file.op("ADD", [file.input, file.constant("sparse", np.zeros(3, np.float32))], (1, 2, 2, 3))
    (tmp_path / "a.tflite").write_bytes(file.bytes())
    with pytest.raises(DeepLabError, match="a.tflite: tensor 'sparse': sparse weights are not read"):
        read_tflite(tmp_path / "a.tflite")


@pytest.mark.slow
def test_damaged_files(path):
    """Cut off, or with any byte changed: an error of one line, or another graph; nothing else."""
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    cuts = [data[:size] for size in range(0, len(data), 97)]
    flips = []
    for _ in range(300):
        changed = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            changed[at] = rng.integers(0, 256)
        flips.append(bytes(changed))
    refused = 0
    for broken in cuts + flips:
        path.write_bytes(broken)
        try:
            read_tflite(path)
        except DeepLabError as error:
            refused += 1
            assert "\n" not in str(error) and str(error).startswith(str(path))
    assert refused >= len(cuts) - 1


def test_without_the_package(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tflite", None)
    with pytest.raises(DeepLabError, match=r"this needs tflite: pip install 'deeplab_caffe\[tflite\]'"):
        read_tflite(path)

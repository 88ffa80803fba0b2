"""State dicts as training scripts save them, and files that are none."""

import json
import struct
import zipfile

import numpy as np
import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.state_dict import read_state_dict
from deeplab_caffe.formats.weights import find_arrays

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "bn.num_batches_tracked": torch.tensor(3)}


def values(path):
    return {name: array.read() for name, array in read_state_dict(path).items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"module." + name: value for name, value in STATE.items()},
        {"epoch": 3, "state_dict": {"module.model." + name: value for name, value in STATE.items()}},
        {"model": {name: value.double() for name, value in STATE.items()}, "optimizer": {"lr": 0.1}},
        {name: torch.nn.Parameter(v.bfloat16(), requires_grad=False) for name, v in STATE.items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_layouts(tmp_path, content, zipped):
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    found = values(tmp_path / "x.pth")
    assert found.keys() == STATE.keys()
    assert found["conv.weight"].dtype == np.float32
    assert found["conv.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_safetensors(tmp_path):
    header = json.dumps({"model.a.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    data = struct.pack("<Q", len(header)) + header + struct.pack("<f", 5)
    (tmp_path / "x.safetensors").write_bytes(data)
    arrays = find_arrays(tmp_path / "x.safetensors").read(tmp_path / "x.safetensors")
    assert {name: array.read() for name, array in arrays.items()} == {"a.weight": [5]}


class Harmful:
    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, Harmful(), {"a.weight": Harmful()}])
def test_not_a_state_dict(tmp_path, capsys, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(DeepLabError, match=r"x\.pth: .*not a PyTorch state dict") as caught:
        values(tmp_path / "x.pth")
    assert "\n" not in str(caught.value) and "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("zipped", [False, True])
def test_names_that_no_program_has(tmp_path, zipped):
    """torch takes minutes to say that it does not know a long name: it is not asked."""
    pickled = b"\x80\x02c" + b"a" * 100_000 + b"\nb\n."
    path = tmp_path / "long.pth"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
    else:
        torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
        bare = path.read_bytes()
        path.write_bytes(bare[: bare.index(b"\x80", 20)] + pickled)
    with pytest.raises(DeepLabError, match="not a PyTorch state dict: a name of 100002 characters in it$"):
        read_state_dict(path)


def test_damaged(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(STATE, path)
    whole = path.read_bytes()
    for data in (b"", b"text", *(whole[:size] for size in range(1, len(whole), 97))):
        path.write_bytes(data)
        with pytest.raises(DeepLabError, match=r"x\.pth: ") as caught:
            values(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(DeepLabError, match="No such file"):
        values(tmp_path / "none.pth")


def test_modules_in_place_of_state_dicts(tmp_path):
    """Nothing of them is run; the line says what to save."""
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(DeepLabError, match=r"whole.pt: .*more than tensors.*torch.save its state_dict\(\)"):
        read_state_dict(tmp_path / "whole.pt")
    torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)).save(str(tmp_path / "script.pt"))
    with pytest.raises(
        DeepLabError, match=r"script.pt: .*a TorchScript module; torch.save its state_dict\(\)"
    ):
        read_state_dict(tmp_path / "script.pt")

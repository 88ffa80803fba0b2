import random
from pathlib import Path

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.records import SolverState
from deeplab_caffe.formats.solverstate import read_solverstate, write_solverstate

TRAINING = Path(__file__).parents[2] / "../shared/reference/training"
FILES = sorted(TRAINING.glob("*.solverstate"))
STATE = SolverState(7, "x_iter_7.caffemodel", [torch.arange(6.0).view(2, 3), torch.zeros(4)], 2)


def bytes_of(blobs):
    return [(tuple(b.shape), b.numpy().tobytes()) for b in blobs]


@pytest.mark.parametrize("four_axes", [False, True])
def test_protobuf_reads_what_we_write(tmp_path, four_axes):
    path = tmp_path / "a.solverstate"
    write_solverstate(path, STATE, four_axes)
    message = caffe_pb2.SolverState.FromString(path.read_bytes())
    assert (message.iter, message.learned_net, message.current_step) == (7, "x_iter_7.caffemodel", 2)
    assert list(message.history[0].data) == [0, 1, 2, 3, 4, 5]
    blob = message.history[0]
    if four_axes:
        assert (blob.num, blob.channels, blob.height, blob.width) == (1, 1, 2, 3)
        assert not blob.HasField("shape")
    else:
        assert list(blob.shape.dim) == [2, 3] and not blob.HasField("num")
    again = read_solverstate(path)
    shapes = [(1, 1, 2, 3), (1, 1, 1, 4)] if four_axes else [(2, 3), (4,)]
    assert bytes_of(again.history) == bytes_of(
        [b.view(s) for b, s in zip(STATE.history, shapes, strict=True)]
    )
    assert (again.iteration, again.learned_net, again.current_step) == (7, "x_iter_7.caffemodel", 2)
    assert [p.name for p in tmp_path.iterdir()] == ["a.solverstate"]


@pytest.mark.skipif(not FILES, reason="needs the reference files")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_originals_bytes(path, tmp_path):
    """What the original wrote is read, and written again byte for byte."""
    state = read_solverstate(path)
    message = caffe_pb2.SolverState.FromString(path.read_bytes())
    assert (state.iteration, state.learned_net) == (4, message.learned_net)
    assert [blob.flatten().tolist() for blob in state.history] == [list(b.data) for b in message.history]
    v1 = not message.history[0].HasField("shape")
    write_solverstate(tmp_path / "again", state, four_axes=v1)
    ours = caffe_pb2.SolverState.FromString((tmp_path / "again").read_bytes())
    assert ours == message


@pytest.mark.slow
def test_broken_files(tmp_path):
    path = tmp_path / "a.solverstate"
    write_solverstate(path, STATE)
    whole = path.read_bytes()
    for content, message in {
        b"": "empty",
        b"\x89HDF\r\n": "HDF5",
        b"base_lr: 0.1\n": "not a whole solverstate",
        whole[2:]: "no iteration",
        whole[:-20]: "not a whole solverstate",
    }.items():
        path.write_bytes(content)
        with pytest.raises(DeepLabError, match=f"a.solverstate: .*{message}"):
            read_solverstate(path)
    chance = random.Random(1)
    for _ in range(500):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        path.write_bytes(broken)
        try:
            read_solverstate(path)
        except DeepLabError as error:
            assert "\n" not in str(error)
    with pytest.raises(DeepLabError, match="none"):
        read_solverstate(tmp_path / "none")


def test_too_many_axes_for_v1(tmp_path):
    with pytest.raises(DeepLabError, match="history 0: 5 axes"):
        write_solverstate(tmp_path / "a", SolverState(1, "", [torch.zeros(1, 1, 1, 1, 1)]), four_axes=True)
    assert list(tmp_path.iterdir()) == []

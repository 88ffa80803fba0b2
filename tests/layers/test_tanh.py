import torch

from deeplab_caffe import ops
from tests.fuzz.check import check


def test_against_float64(against_float64):
    against_float64("TanH", torch.tanh)


def test_large_blobs_take_no_other_memory(tmp_path):
    (tmp_path / "none").touch()
    x, top = torch.full((1 << 23,), 0.5), torch.zeros(1 << 23)  # 32 MB each
    assert check(lambda path: ops.tanh(x, threads=1, out=top), str(tmp_path / "none"), 16 << 20) is None
    assert top[-1] == torch.tanh(x[-1])

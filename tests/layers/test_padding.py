import pytest
import torch
from torch.nn import functional

from deeplab_caffe.errors import DeepLabError


@pytest.mark.parametrize("precision", ["exact", "fp32"])
@pytest.mark.parametrize("begin, end", [(2, 1), (0, 3), (-1, -2), (0, -3), (0, 0)])
def test_padding(run_in_net, rand, begin, end, precision):
    x = rand(2, 3, 6, 7)
    rest = f"padding_param {{ pad_beg: {begin} pad_end: {end} }}"
    (top,) = run_in_net("PADDING", x, rest=rest, v1=True, precision=precision)
    assert torch.equal(top, functional.pad(x, [begin, end, begin, end]))


def test_wrong_padding(run_in_net, rand):
    with pytest.raises(DeepLabError, match="-1 and pad_end 1 differ in sign"):
        run_in_net("PADDING", rand(1, 1, 4, 4), rest="padding_param { pad_beg: -1 pad_end: 1 }", v1=True)
    with pytest.raises(DeepLabError, match="blob 't0' would be 1x1x-1x0"):
        run_in_net("PADDING", rand(1, 1, 4, 5), rest="padding_param { pad_beg: -2 pad_end: -3 }", v1=True)

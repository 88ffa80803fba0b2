import pytest
import torch

from deeplab_caffe.errors import DeepLabError

PRECISIONS = pytest.mark.parametrize("precision", ["exact", "fp32"])


@PRECISIONS
@pytest.mark.parametrize(
    "axis, rest", [(1, ""), (0, "concat_param { concat_dim: 0 }"), (3, "concat_param { axis: -1 }")]
)
def test_concat(run_in_net, rand, axis, rest, precision):
    shapes = [[2, 3, 4, 5] for _ in range(3)]
    shapes[1][axis] = 1
    parts = [rand(*shape) for shape in shapes]
    assert torch.equal(
        run_in_net("Concat", *parts, rest=rest, precision=precision)[0], torch.cat(parts, axis)
    )


def test_concat_of_one_and_of_misfits(run_in_net, rand):
    x = rand(2, 3)
    assert torch.equal(run_in_net("Concat", x)[0], x)
    with pytest.raises(DeepLabError, match="except along axis 1"):
        run_in_net("Concat", x, rand(3, 3))
    with pytest.raises(DeepLabError, match="axis: axis 2 given, the blob has 2"):
        run_in_net("Concat", x, x, rest="concat_param { axis: 2 }")

import pytest
import torch

from deeplab_caffe import ops


@pytest.mark.parametrize("count", [0, 1, 1000, 1 << 20, (1 << 22) + 5])
def test_empty_gives_that_many_writable_values(count):
    values = ops.empty(count)
    assert values.shape == (count,) and values.dtype == torch.float32 and values.is_contiguous()
    assert torch.equal(values.fill_(2), torch.full((count,), 2.0))


def test_big_tensors_begin_at_a_huge_page():
    assert ops.empty(1 << 22).data_ptr() % (2 << 20) == 0

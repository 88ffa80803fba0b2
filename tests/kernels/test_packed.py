import torch

from deeplab_caffe import ops
from deeplab_caffe.kernels import PackedWeights
from deeplab_caffe.kernels.packed import on_tensor_cores, pack


def test_packed_weights_are_those_of_the_op(draw):
    weight = draw(6, 2, 3, 3)
    packed = pack(weight, groups=2)
    assert isinstance(packed, PackedWeights) and packed.device == weight.device
    assert (packed.shape, packed.groups, packed.precision) == ((6, 2, 3, 3), 2, "exact")
    assert packed.values.equal(ops.pack_weights(weight, 2))
    before = packed.values.clone()
    weight.zero_()
    assert packed.values.equal(before)


def test_where_tensor_cores_convolve():
    cpu = torch.device("cpu")
    assert not on_tensor_cores(cpu, "exact") and not on_tensor_cores(cpu, "fp32")
    assert on_tensor_cores(torch.device("cuda"), "bf16")
    assert not on_tensor_cores(torch.device("meta"), "bf16")

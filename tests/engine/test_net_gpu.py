"""Whole nets of real size on a GPU: bits, memory, runs one after the other."""

import gc

import pytest
import torch

from deeplab_caffe import DeepLabError, Net
from deeplab_caffe.assets import asset
from deeplab_caffe.engine.context import GPU_PRECISIONS
from deeplab_caffe.engine.random_weights import random_weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]
NETS = (
    "deeplab_v1/largefov",
    "deeplab_v2/vgg16_aspp",
    "deeplab_v2/resnet101_aspp",
    "deeplab_v3/resnet_v1_50_beta",
    "deeplab_v3/torchvision_mobilenet_v3_large",
    "deeplab_v3plus/mobilenet_v2",
)


VARIABLES = {"EXP": "voc12", "NUM_LABELS": "21"}


def pair(name, tmp_path, **options):
    """The same net on the CPU and on the GPU."""
    model = asset(f"prototxt/{name}/deploy.prototxt")
    options |= {"inputs": {"data": (1, 3, 65, 65)}, "variables": VARIABLES}
    cpu = Net(model, **{**options, "precision": "exact"})
    random_weights(cpu)
    cpu.save(tmp_path / "weights.caffemodel")
    return cpu, Net(model, tmp_path / "weights.caffemodel", device="cuda", **options)


def photo(batch, size):
    return 60 * torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(batch))


def assert_same_bits(ours, theirs):
    for name, tensor in theirs.items():
        assert torch.equal(ours[name].cpu().view(torch.int32), tensor.cpu().view(torch.int32)), name


@pytest.mark.parametrize("name", NETS)
def test_bits_of_the_nets(name, tmp_path):
    cpu, gpu = pair(name, tmp_path)
    for size in (65, 97):
        wanted = cpu.forward(data=photo(2, size))
        for _ in range(3):
            assert_same_bits(gpu.forward(data=photo(2, size)), wanted)


def test_largefov_at_513_in_a_batch_of_8_always_the_same(tmp_path):
    cpu, gpu = pair("deeplab_v1/largefov", tmp_path)
    x = photo(8, 513)
    wanted = cpu.forward(data=x)
    for _ in range(20):
        assert_same_bits(gpu.forward(data=x), wanted)


@pytest.mark.parametrize("precision", GPU_PRECISIONS)
def test_memory_of_largefov_at_513(tmp_path, precision):
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    others = torch.cuda.memory_allocated()
    _, gpu = pair("deeplab_v1/largefov", tmp_path, precision=precision)
    x = photo(1, 513)
    for _ in range(3):
        gpu.forward(data=x)
    torch.cuda.synchronize()
    assert torch.cuda.max_memory_allocated() - others < 600e6


def test_a_net_too_large_for_the_gpu(tmp_path):
    _, gpu = pair("deeplab_v1/largefov", tmp_path)
    with pytest.raises(DeepLabError, match="are available"):
        gpu.reshape(data=(64, 3, 8193, 8193))
    assert_same_bits(gpu.forward(data=photo(1, 65)), gpu.forward(data=photo(1, 65).numpy()))

"""The backend of a device, and how tests put the emulator in the CPU's place."""

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.ops.backend import CPU, CUDA, EMULATED, backend_of
from deeplab_caffe.ops.devices import usable_device

HOST = torch.device("cpu")


def test_the_device_decides():
    assert backend_of(HOST) is CPU and not CPU.is_gpu
    assert backend_of(torch.device("cuda", 1)) is CUDA and CUDA.is_gpu
    with pytest.raises(DeepLabError, match="meta given, cpu or cuda wanted"):
        backend_of(torch.device("meta"))
    with pytest.raises(DeepLabError, match="only a GPU has tensor cores"):
        CPU.tensor_cores(HOST)


def test_the_emulator_takes_the_place_of_the_cpu():
    with ops.emulated_cuda():
        assert backend_of(HOST) is EMULATED and EMULATED.is_gpu
        assert usable_device("cuda:3") == HOST
        with ops.on_host():
            assert backend_of(HOST) is CPU
        assert backend_of(HOST) is EMULATED
    assert backend_of(HOST) is CPU


def test_what_kernels_take_last():
    assert CPU.executor(HOST, 3) == 3
    assert CPU.executor(HOST) == torch.get_num_threads()

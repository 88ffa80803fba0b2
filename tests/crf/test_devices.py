"""Which backend a CRF computes with."""

import numpy as np
import pytest
import torch

from deeplab_caffe.crf.backend import CPUBackend
from deeplab_caffe.crf.devices import backend_for, backend_of
from deeplab_caffe.errors import DeepLabError


@pytest.mark.parametrize("name", [None, "cpu", torch.device("cpu")])
def test_cpu(name):
    backend = backend_for(name)
    assert isinstance(backend, CPUBackend) and backend.device is None and str(backend) == "cpu"
    assert backend_for(backend) is backend


@pytest.mark.parametrize("x", [np.zeros(3), [1, 2], torch.zeros(3)])
def test_on_the_cpu(x):
    assert isinstance(backend_of(x), CPUBackend)


def test_gpu(device):
    with device.kernels():
        x = device.to(torch.zeros(3))
        for backend in (backend_for("cuda"), backend_of(x)):
            assert backend.takes_images and backend.device.type == x.device.type
        assert backend_of(np.zeros(3)).device is None
        with pytest.raises(DeepLabError, match="device: tpu given"):
            backend_for("tpu")

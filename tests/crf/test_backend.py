"""The backends of CPU and GPU: one interface, the same numbers."""

import numpy as np
import pytest
import torch

from deeplab_caffe.crf.backend import CPUBackend
from deeplab_caffe.crf.devices import backend_for
from deeplab_caffe.errors import DeepLabError

CPU = CPUBackend()


@pytest.fixture
def gpu(device):
    with device.kernels():
        yield backend_for("cuda")


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float64, bool])
def test_arrays(gpu, kind):
    x = (np.arange(6).reshape(2, 3) * 1.3).astype(kind)
    for given in (x, torch.from_numpy(x), x.T.copy().T):
        host, there = CPU.array("x", given), gpu.array("x", given)
        assert host.dtype == np.float32 and np.array_equal(host, x.astype(np.float32))
        assert there.dtype == torch.float32 and np.array_equal(gpu.result(there, as_numpy=True), host)
    for backend in (CPU, gpu):
        with pytest.raises(DeepLabError, match="x: numbers wanted"):
            backend.array("x", np.array(["a"]))


def test_results(gpu):
    x = np.arange(4, dtype=np.float32)
    assert CPU.result(x, as_numpy=True) is x and gpu.result(x, as_numpy=True) is x
    for backend in (CPU, gpu):
        assert torch.equal(backend.result(x, as_numpy=False).cpu(), torch.from_numpy(x))
        own = backend.array("x", x)
        copy = backend.copy(own)
        copy[0] = 9
        assert own[0] == 0


def test_rows(gpu):
    x = np.arange(15, dtype=np.float32).reshape(3, 5)
    for backend in (CPU, gpu):
        rows = backend.array("x", x)
        assert np.array_equal(backend.result(backend.rows(rows), as_numpy=True), x)
        joined = backend.joined([rows, rows[:1]])
        assert np.array_equal(backend.result(joined, as_numpy=True), np.concatenate([x, x[:1]]))


@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_image_features(gpu, kind):
    generator = np.random.default_rng(0)
    images = [(generator.random((*size, 2)) * 99).astype(kind) for size in ((3, 4), (5, 2))]
    sizes, stds = [(3, 4), (5, 2)], (3.0, 4.0, 7.0, 11.0)
    planes = CPU.image_features(sizes, stds, images)
    assert planes.shape == (4, 22)
    last = np.float32(images[1][4, 1, 1]) / np.float32(11)
    assert planes[:, -1].tolist() == [np.float32(1) / np.float32(3), 1, *planes[2:3, -1], last]
    assert np.array_equal(gpu.result(gpu.image_features(sizes, stds, images), as_numpy=True), planes)
    places = CPU.image_features(sizes, stds[:2], [])
    assert np.array_equal(places, planes[:2])

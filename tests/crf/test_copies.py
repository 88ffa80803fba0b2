"""CRFs and lattices that are copied, pickled, given to other processes."""

import copy
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from deeplab_caffe import DenseCRF
from deeplab_caffe.crf.cpu_ops import Pairwise
from deeplab_caffe.crf.lattice import Lattice, bilateral_lattice
from deeplab_caffe.errors import DeepLabError
from tests.copying import COPIES, through_pickle

CHANCE = np.random.default_rng(0)
IMAGE = CHANCE.integers(0, 256, (11, 13, 3), dtype=np.uint8)
ENERGY = CHANCE.random((11, 13, 5), dtype=np.float32)


def make(image=IMAGE):
    crf = DenseCRF(11, 13, 5, threads=1).unary(ENERGY)
    crf.gaussian((3, 2), 1, normalization="symmetric").bilateral(image, 5, 9, 2, np.arange(5, dtype=float))
    return crf.pairwise(np.dstack([IMAGE[..., 0]] * 2) / 50.0, 0.5, np.eye(5))


@pytest.mark.parametrize("duplicate", COPIES)
def test_a_copy_goes_on_with_the_same_bits(duplicate):
    crf, wanted = make(), make()
    crf.step(2)
    other = duplicate(crf)
    assert (crf.step(3).marginals == wanted.infer(5)).all()
    assert (other.step(3).marginals == wanted.marginals).all()
    other.gaussian(1, 1).unary(ENERGY[::-1])
    assert len(crf.kernels) == 3 and len(other.kernels) == 4
    assert (crf.infer(5) == wanted.marginals).all()
    assert not (other.infer(5) == wanted.marginals).all()


@pytest.mark.parametrize("duplicate", COPIES[1:])
def test_later_changes_of_the_image_do_not_reach_a_copy(duplicate):
    image = IMAGE.copy()
    crf = make(image)
    wanted = crf.infer(3).copy()
    image[...] = 0
    assert (duplicate(crf).infer(3) == wanted).all()


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("image", [IMAGE, IMAGE / 3.0, torch.from_numpy(IMAGE)])
def test_lattices(duplicate, image):
    x = CHANCE.random((143, 4), dtype=np.float32)
    for lattice in (bilateral_lattice(image, 5, 9, threads=1), Lattice(CHANCE.random((3, 143)) * 9)):
        other = duplicate(lattice)
        assert other.threads == lattice.threads and other.vertices == lattice.vertices
        assert (other.filter(x) == lattice.filter(x)).all()


def test_device_lattices(device):
    image = torch.from_numpy(IMAGE)
    with device.kernels():
        crf = DenseCRF(11, 13, 5, device="cpu" if device.emulated else "cuda")
        crf.unary(ENERGY).bilateral(image, 5, 9, 2).step(1)
        for duplicate in COPIES:
            other = duplicate(crf)
            assert (other.step(2).marginals == copy.copy(crf).step(2).marginals).all()


def infer(crf):
    return crf.infer(4)


@pytest.mark.slow
def test_other_processes():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert (pool.submit(infer, make()).result() == make().infer(4)).all()


def test_a_kernel_of_a_native_lattice_only_says_so():
    kernel = Pairwise(Lattice(np.zeros((2, 3))).native, np.ones(3, np.float32))
    assert copy.deepcopy(kernel).lattice is kernel.lattice
    with pytest.raises(DeepLabError, match="cannot be copied elsewhere"):
        through_pickle(kernel)

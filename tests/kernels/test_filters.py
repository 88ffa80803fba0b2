"""The filters as functions: the CRF's bits, gradients in float64, torch.library, wrong inputs."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from deeplab_caffe.crf.autograd import lattice_filter
from deeplab_caffe.crf.lattice import NORMALIZATIONS, Lattice, bilateral_lattice
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.kernels import bilateral_filter, filter_ops, permutohedral_filter

H, W = 7, 9
IMAGE = (torch.randn(H, W, 3, generator=torch.Generator().manual_seed(1)) * 40 + 128).clamp(0, 255)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("stds", [(3, 20), ((3, 5.0), (20, 10, 5))])
def test_bits_of_the_crf(stds, normalization, draw):
    values = draw(H, W, 4)
    expected = lattice_filter(values.flatten(0, 1), bilateral_lattice(IMAGE, *stds), normalization)
    for image in (IMAGE, IMAGE.numpy(), IMAGE.double()):
        y = bilateral_filter(image, values, *stds, normalization=normalization)
        assert y.flatten(0, 1).equal(expected)
    array = bilateral_filter(IMAGE.numpy(), values.numpy(), *stds, normalization=normalization)
    assert isinstance(array, np.ndarray) and np.array_equal(array, y.numpy())


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_bits_of_a_lattice_of_any_points(normalization, draw):
    features, values = draw(30, 5), draw(30, 3)
    expected = lattice_filter(values, Lattice(features.T.contiguous()), normalization)
    assert permutohedral_filter(features, values, normalization=normalization).equal(expected)
    array = permutohedral_filter(features.numpy(), values.numpy(), normalization=normalization)
    assert np.array_equal(array, expected.numpy())


def test_after_makes_means(draw):
    values = torch.full((H, W, 1), 3.5)
    assert torch.allclose(bilateral_filter(IMAGE, values, 3, 20), values)
    point = permutohedral_filter(torch.tensor([[0.0], [100.0]]), torch.tensor([[1.0], [5.0]]))
    assert torch.allclose(point, torch.tensor([[1.0], [5.0]]))  # far apart: each is its own mean


def test_batches(draw):
    images, values = torch.stack([IMAGE, 255 - IMAGE]), draw(2, H, W, 3)
    batch = bilateral_filter(images, values, 3, 20)
    for y, image, rows in zip(batch, images, values, strict=True):
        assert y.equal(bilateral_filter(image, rows, 3, 20))


def test_on_a_gpu(draw, device):
    values = draw(H, W, 4)
    assert device(bilateral_filter, IMAGE, values, 3, 20).equal(bilateral_filter(IMAGE, values, 3, 20))


def test_an_image_changed_in_place_is_another_image(draw):
    image, values = IMAGE.numpy().copy(), draw(H, W, 2)
    first = bilateral_filter(image, values, 3, 20)
    image[:] = image[::-1]
    second = bilateral_filter(image, values, 3, 20)
    assert not first.equal(second)
    assert second.equal(bilateral_filter(image.copy(), values, 3, 20))


@pytest.mark.parametrize(
    "normalization",
    [NORMALIZATIONS[0], *(pytest.param(n, marks=pytest.mark.slow) for n in NORMALIZATIONS[1:])],
)
def test_gradients(normalization, draw):
    image = IMAGE[:3, :4]

    def bilateral(values):
        return bilateral_filter(image, values, 3, 20, normalization=normalization)

    def points(values):
        return permutohedral_filter(features, values, normalization=normalization)

    features = draw(8, 3)
    for run, values in (
        (bilateral, draw(3, 4, 2, grad=True, dtype=torch.float64)),
        (points, draw(8, 2, grad=True, dtype=torch.float64)),
    ):
        assert gradcheck(run, values)
        assert gradgradcheck(run, values)


def test_one_lattice_serves_both_ways_and_again(draw, monkeypatch):
    built = []
    monkeypatch.setattr(
        filter_ops, "Lattice", lambda *given, **named: built.append(1) or Lattice(*given, **named)
    )
    image, values = draw(H, W, 3), draw(H, W, 2, grad=True)
    for _ in range(2):
        bilateral_filter(image, values, 3, 20).sum().backward()
    assert len(built) == 1
    bilateral_filter(image, values, 4, 20)
    assert len(built) == 2


@pytest.mark.slow
def test_opcheck(draw):
    features = filter_ops.image_features(IMAGE, [3.0, 3.0], [20.0])
    values = draw(H * W, 2, grad=True)
    torch.library.opcheck(filter_ops.image_features, (IMAGE, [3.0, 3.0], [20.0]))
    for adjoint in (False, True):
        torch.library.opcheck(filter_ops.lattice_filter, (features, values, "symmetric", adjoint))


@pytest.mark.slow
def test_compiles_without_a_break(draw):
    values = draw(H, W, 2, grad=True)

    def run(image, values):
        return bilateral_filter(image, torch.softmax(values, 2), 3, (20, 20, 10))

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    y, expected = compiled(IMAGE, values), run(IMAGE, values)
    assert y.equal(expected)
    dy = draw(*y.shape)
    (ours,), (theirs,) = (torch.autograd.grad(z, values, dy) for z in (y, expected))
    assert ours.equal(theirs)


def test_meta_tensors():
    y = bilateral_filter(IMAGE.to("meta"), torch.empty(H, W, 5, device="meta"), 3, 20)
    assert y.is_meta and y.shape == (H, W, 5)


@pytest.mark.skipif(not hasattr(filter_ops.lattice_filter, "register_vmap"), reason="needs torch 2.5")
def test_vmap(draw):
    values = draw(3, H, W, 2)
    mapped = torch.vmap(lambda v: bilateral_filter(IMAGE, v, 3, 20))(values)
    for y, one in zip(mapped, values, strict=True):
        assert y.equal(bilateral_filter(IMAGE, one, 3, 20))
    with pytest.raises(DeepLabError, match="use a loop"):
        torch.vmap(lambda f, v: permutohedral_filter(f, v))(draw(2, 8, 3), draw(2, 8, 1))


VALUES, FEATURES = torch.ones(H, W, 2), torch.ones(8, 3)
WRONG = {
    "image wants a gradient": lambda: bilateral_filter(IMAGE.clone().requires_grad_(), VALUES, 3, 20),
    "features wants a gradient": lambda: permutohedral_filter(FEATURES.clone().requires_grad_(), FEATURES),
    r"\(7, 9\) do not fit": lambda: bilateral_filter(IMAGE, VALUES[..., 0], 3, 20),
    r"\(6, 9, 2\) do not fit": lambda: bilateral_filter(IMAGE, VALUES[1:], 3, 20),
    r"image: \(7, 9\) given": lambda: bilateral_filter(IMAGE[..., 0], VALUES, 3, 20),
    "values are torch.float16": lambda: bilateral_filter(IMAGE, VALUES.half(), 3, 20),
    "xy_std 0: a number above 0": lambda: bilateral_filter(IMAGE, VALUES, 0, 20),
    "xy_std 'wide'": lambda: bilateral_filter(IMAGE, VALUES, "wide", 20),
    "rgb_std: 2 numbers given, 1 or 3": lambda: bilateral_filter(IMAGE, VALUES, 3, (20, 20)),
    "normalization 'mean'": lambda: bilateral_filter(IMAGE, VALUES, 3, 20, normalization="mean"),
    "numbers wanted": lambda: bilateral_filter([["a"]], VALUES, 3, 20),
    "features on meta": lambda: permutohedral_filter(FEATURES.to("meta"), FEATURES),
    "values of 7 points, features of 8": lambda: permutohedral_filter(FEATURES, FEATURES[1:]),
    r"features: \(8,\) given": lambda: permutohedral_filter(FEATURES[:, 0], FEATURES),
    "no images": lambda: bilateral_filter(IMAGE[None][:0], VALUES[None][:0], 3, 20),
    "finite|NaN|nan": lambda: permutohedral_filter(FEATURES * float("nan"), FEATURES),
    "0 features|no points|1 to": lambda: permutohedral_filter(FEATURES[:, :0], FEATURES),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments(message):
    with pytest.raises(DeepLabError, match=message) as error:
        WRONG[message]()
    assert "\n" not in str(error.value)

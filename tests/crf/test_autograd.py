"""Gradients through the dense CRF: gradcheck in float64, the forward bits of DenseCRF, training."""

import pytest
import torch
from torch.autograd import gradcheck

from deeplab_caffe.crf.autograd import Kernel, dense_crf_loss, lattice_filter, mean_field, mean_field_logits
from deeplab_caffe.crf.dense_crf import DenseCRF
from deeplab_caffe.crf.lattice import NORMALIZATIONS, Lattice, bilateral_lattice, position_lattice
from deeplab_caffe.errors import DeepLabError

H, W, LABELS = 3, 5, 3


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def lattices(height=H, width=W):
    image = (random(height, width, 3, seed=9) * 40 + 128).clamp(0, 255)
    return position_lattice(height, width, 2, threads=1), bilateral_lattice(image, 3, 30, threads=1)


def weight_of(form, seed=1):
    shape = {"number": (), "labels": (LABELS,), "matrix": (LABELS, LABELS)}[form]
    return (random(*shape, seed=seed) if shape else torch.tensor(0.7).double()).requires_grad_()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradient_of_the_filter(normalization):
    values = random(H * W, 2).requires_grad_()
    for lattice in lattices():
        assert gradcheck(lambda x, lattice=lattice: lattice_filter(x, lattice, normalization), values)


def test_adjoint_is_the_transposed_matrix():
    lattice = Lattice(random(4, 14, seed=3).numpy())
    identity = torch.eye(14, dtype=torch.float64).numpy()
    forward, adjoint = (torch.from_numpy(lattice.filter(identity, None, flag)) for flag in (False, True))
    assert torch.allclose(forward.T, adjoint, rtol=1e-13, atol=1e-15)
    assert (forward - adjoint).abs().max() > 1e-4  # so the reversed order of the blur matters
    single = torch.from_numpy(lattice.filter(identity.astype("float32"), None, True))
    assert torch.allclose(single.double(), adjoint, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("form", ["number", "labels", "matrix"])
def test_gradients_of_the_mean_field(form, normalization):
    position, bilateral = lattices()
    unary = random(H * W, LABELS, seed=2).requires_grad_()
    weights = weight_of(form), weight_of(form, seed=4)

    def run(unary, first, second):
        kernels = [Kernel(position, first, normalization), Kernel(bilateral, second, "after")]
        return mean_field(unary, kernels, 3)

    assert gradcheck(run, (unary, *weights))


def test_gradients_of_mixed_weights_and_logits():
    position, bilateral = lattices()
    unary = random(H * W, LABELS, seed=2).requires_grad_()

    def run(unary, number, labels, matrix):
        kernels = [
            Kernel(position, number),
            Kernel(bilateral, labels, "symmetric"),
            Kernel(bilateral, matrix, "none"),
        ]
        return mean_field_logits(unary, kernels, 2)

    assert gradcheck(run, (unary, weight_of("number"), weight_of("labels"), weight_of("matrix")))


def test_gradients_of_the_weights_alone():
    (position, _), unary = lattices(), random(H * W, LABELS)
    weight = weight_of("number")
    assert gradcheck(lambda w: mean_field(unary, [Kernel(position, w), Kernel(position, 2.0)], 2), weight)
    assert mean_field_logits(unary, [], 0).equal(-unary)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_gradient_of_the_loss(normalization):
    _, lattice = lattices()
    probabilities = torch.softmax(random(H * W, LABELS), 1).requires_grad_()
    mask = (random(H, W, seed=5) > -1).double()
    assert gradcheck(lambda p: dense_crf_loss(p, lattice, mask, normalization), probabilities)
    assert gradcheck(lambda p: dense_crf_loss(p, lattice, None, normalization), probabilities)


def test_the_loss_is_the_sum_over_pairs():
    _, lattice = lattices()
    affinity = torch.from_numpy(lattice.filter(torch.eye(H * W, dtype=torch.float64).numpy()))
    p = torch.softmax(random(H * W, LABELS), 1)
    expected = sum(s @ affinity @ (1 - s) for s in p.T)
    assert torch.allclose(dense_crf_loss(p, lattice), expected, rtol=1e-12)
    one_hot = torch.nn.functional.one_hot(torch.zeros(H * W, dtype=torch.int64), LABELS).double()
    assert dense_crf_loss(one_hot, lattice) == 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("true_exp", [False, True])
@pytest.mark.parametrize("form", ["number", "labels", "matrix"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_forward_has_the_bits_of_dense_crf(normalization, form, true_exp, threads):
    position, bilateral = lattices(9, 11)
    unary = random(9 * 11, LABELS, dtype=torch.float32) * 3
    weights = [weight_of(form, seed).detach().float() for seed in (1, 4)]
    crf = DenseCRF(9, 11, LABELS, true_exp=true_exp, threads=threads).unary(unary)
    for lattice, weight in zip((position, bilateral), weights, strict=True):
        if form == "number":
            crf.add(lattice, float(weight), None, normalization)
        else:
            crf.add(lattice, 1.0, weight, normalization)
    kernels = [Kernel(*pair, normalization) for pair in zip((position, bilateral), weights, strict=True)]
    q = mean_field(unary, kernels, 4, true_exp=true_exp, threads=threads)
    assert torch.equal(q, crf.infer(4).reshape(q.shape))


def test_float32_gradients_agree_with_float64():
    kernels_of = lattices(9, 11)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        unary = (random(9 * 11, LABELS) * 2).to(dtype).requires_grad_()
        weights = [weight_of(form).detach().to(dtype).requires_grad_() for form in ("number", "matrix")]
        kernels = [Kernel(*pair) for pair in zip(kernels_of, weights, strict=True)]
        loss = (mean_field(unary, kernels, 5) * random(9 * 11, LABELS, seed=7).to(dtype)).sum()
        gradients.append(torch.autograd.grad(loss, [unary, *weights]))
    for single, double in zip(*gradients, strict=True):
        assert (single - double).abs().max() <= 2e-5 * double.abs().max()


def test_wrong_arguments():
    position, _ = lattices()
    unary = random(H * W, LABELS)
    for message, call in {
        "points": lambda: mean_field(unary[1:], [Kernel(position, 1.0)]),
        r"weights \(2,\)": lambda: mean_field(unary, [Kernel(position, torch.ones(2))]),
        "float32 wanted": lambda: mean_field(unary.half(), []),
        "iterations": lambda: mean_field(unary, [], -1),
        "channels": lambda: lattice_filter(unary[0], position),
        "float16": lambda: lattice_filter(unary.half(), position),
        "labels": lambda: dense_crf_loss(unary[0], position),
        "mask of 3": lambda: dense_crf_loss(unary, position, torch.ones(3)),
    }.items():
        with pytest.raises(DeepLabError, match=message):
            call()

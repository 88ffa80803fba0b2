"""DenseCRF and refine on a GPU (its kernels emulated on the host, or on one) give the CPU's bits."""

import json

import numpy as np
import pytest
import torch

from deeplab_caffe import crf
from deeplab_caffe.crf.autograd import Kernel, dense_crf_loss, mean_field
from deeplab_caffe.crf.lattice import Lattice, bilateral_lattice, position_lattice
from deeplab_caffe.errors import DeepLabError
from tests.crf.cases import GOLDEN, PARAMETERS, REFERENCE, load, problem, sha256


def check(folder):
    case, unary, image = load(folder)
    parameters = {name: case[field] for name, field in PARAMETERS.items()}
    model = crf.image_crf(image, case["labels"], device="cuda", **parameters).unary(unary)
    for iteration, expected in enumerate(case["marginals_sha256"]):
        model.step(1 if iteration else 0)
        assert sha256(model.marginals) == expected, f"iteration {iteration}"
    assert sha256(model.map()) == case["map_sha256"]
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(p.name for p in GOLDEN.iterdir()))
def test_original_bits(device, name):
    with device.kernels():
        check(GOLDEN / name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.skipif(not REFERENCE.exists(), reason="needs the large reference cases")
@pytest.mark.parametrize("name", sorted(p.name for p in REFERENCE.glob("*") if p.is_dir()))
def test_original_bits_of_all_cases(name):
    model = check(REFERENCE / name)
    first = model.marginals.copy()
    for _ in range(20):
        assert np.array_equal(model.infer(model_iterations(name)), first)


def model_iterations(name):
    return json.loads((REFERENCE / name / "expected.json").read_text())["iterations"]


@pytest.mark.parametrize(
    "height, width, labels, parameters",
    [
        (1, 1, 2, {}),
        (1, 7, 1, {"bi_w": 0}),
        (6, 5, 4, {"pos_w": 0, "bi_rgb_std": 1}),
        (9, 11, 21, {"bi_xy_std": 3}),
        (13, 4, 60, {"bi_rgb_std": 60, "pos_std": 1.5}),
    ],
)
def test_like_the_cpu(device, height, width, labels, parameters):
    image, unary = problem(height, width, labels)
    expected = crf.image_crf(image, labels, **parameters).unary(unary).infer(4)
    with device.kernels():
        model = crf.image_crf(image, labels, device="cuda", **parameters)
        assert np.array_equal(model.unary(unary).infer(4), expected)
        tensor = model.unary(device.to(torch.from_numpy(unary))).infer(4)
        assert torch.equal(tensor.cpu(), torch.from_numpy(expected)) and tensor.is_cuda != device.emulated


def test_flat_image(device):
    image, unary = np.full((30, 40, 3), 90, np.uint8), problem(30, 40, 3)[1]
    expected = crf.image_crf(image, 3).unary(unary).infer(3)
    with device.kernels():
        assert np.array_equal(crf.image_crf(image, 3, device="cuda").unary(unary).infer(3), expected)


@pytest.mark.parametrize("normalization", ["none", "before", "after", "symmetric"])
@pytest.mark.parametrize("kind", ["potts", "labels", "matrix"])
def test_compatibilities(device, normalization, kind):
    image, unary = problem(9, 11, 5)
    generator = np.random.default_rng(1)
    shape = {"potts": None, "labels": (5,), "matrix": (5, 5)}[kind]
    compatibility = None if shape is None else generator.standard_normal(shape).astype(np.float32)

    def infer(where):
        model = crf.DenseCRF(9, 11, 5, true_exp=True, device=where)
        model.gaussian((3, 2), 0.7).bilateral(image, 20, 30, 0.1, compatibility, normalization)
        model.pairwise(image.astype(np.float32) / 50, 0.2)
        return model.unary(unary)

    host = infer("cpu")
    expected = host.infer(3)
    with device.kernels():
        model = infer("cuda")
        assert np.array_equal(model.infer(3), expected)
        assert np.array_equal(model.map(), host.map())
        assert model.kl_divergence() == host.kl_divergence()
        assert np.array_equal(model.pairwise_energy(host.map()), host.pairwise_energy(host.map()))
        assert np.array_equal(model.unary_energy(host.map()), host.unary_energy(host.map()))
        steps = [step.marginals for step in model.steps(2)]
    assert all(np.array_equal(a, b.marginals) for a, b in zip(steps, host.steps(2), strict=True))


def test_kept_lattices(device):
    image, _ = problem(9, 11, 4)
    with device.kernels():
        lattices = position_lattice(9, 11, 3, device="cuda"), bilateral_lattice(image, 50, 10, device="cuda")
        model = crf.DenseCRF(9, 11, 4, device="cuda").add(lattices[0], 3).add(lattices[1], 5)
        for seed in (0, 1):
            energy = problem(9, 11, 4, seed)[1]
            expected = crf.image_crf(image, 4).unary(energy).infer(4)
            assert np.array_equal(model.unary(energy).infer(4), expected)
            assert np.array_equal(model.infer(4), expected)


def test_images_of_any_type(device):
    image, unary = problem(6, 7, 3)
    for kind in (np.float64, np.int32, np.float32):
        values = (image * 1.01).astype(kind)
        expected = crf.DenseCRF(6, 7, 3).bilateral(values, 5, (3, 4, 5), 2).unary(unary).infer(2)
        with device.kernels():
            model = crf.DenseCRF(6, 7, 3, device="cuda").bilateral(values, 5, (3, 4, 5), 2)
            assert np.array_equal(model.unary(unary).infer(2), expected)


def test_errors(device):
    image, unary = problem(6, 7, 3)
    with device.kernels():
        model = crf.DenseCRF(6, 7, 3, device="cuda")
        with pytest.raises(DeepLabError, match="6 x 7 x 4 energies given, 6 x 7 x 3 wanted"):
            model.unary(np.zeros((6, 7, 4), np.float32))
        with pytest.raises(DeepLabError, match="a lattice on cpu"):
            model.add(position_lattice(6, 7, 3), 1)
        with pytest.raises(DeepLabError, match="16-bit"):
            model.bilateral(image, 1, 1e-4, 1)
        with pytest.raises(DeepLabError, match="at most 14 wanted"):
            model.bilateral(np.zeros((6, 7, 15)), 1, 1, 1)
        with pytest.raises(DeepLabError, match="has the energies nan"):
            model.unary(np.full((6, 7, 3), np.nan)).infer()
        with pytest.raises(DeepLabError, match="2 images for 1 maps"):
            crf.refine([image, image], [unary.transpose(2, 0, 1)], device="cuda")
        with pytest.raises(DeepLabError, match="of 3, 4 labels"):
            maps = [np.zeros((labels, 6, 7), np.float32) for labels in (3, 4)]
            crf.refine([image, image], maps, device="cuda")
        with pytest.raises(DeepLabError, match="device: tpu given, cpu, cuda"):
            Lattice(np.zeros((2, 3)), device="tpu")
    with pytest.raises(DeepLabError, match="computes on a GPU"):
        crf.DenseCRF.of_images([(2, 3)], 4, device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu():
    with pytest.raises(DeepLabError, match="finds no GPU"):
        crf.DenseCRF(2, 3, 4, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_streams():
    image, unary = problem(120, 160, 21)
    expected = torch.from_numpy(crf.image_crf(image, 21).unary(unary).infer(5))
    energies = torch.from_numpy(unary).cuda()
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in range(4)]
    results = []
    for stream in streams * 3:
        with torch.cuda.stream(stream):
            results.append(crf.image_crf(image, 21, device="cuda").unary(energies).infer(5))
    torch.cuda.synchronize()
    assert all(torch.equal(result.cpu(), expected) for result in results)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_out_of_memory():
    """One line says so, and the device works on."""
    image, unary = problem(64, 64, 4)
    expected = crf.image_crf(image, 4).unary(unary).infer(2)
    fraction = 64 * 2**20 / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(fraction)
    try:
        with pytest.raises(DeepLabError, match="does not fit in the GPU's memory"):
            crf.image_crf(np.zeros((1500, 1500, 3), np.uint8), 4, device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.array_equal(crf.image_crf(image, 4, device="cuda").unary(unary).infer(2), expected)


@pytest.mark.parametrize("form", [(), (4,), (4, 4)])
@pytest.mark.parametrize("normalization", ["after", "symmetric"])
def test_gradients_like_the_cpu(device, form, normalization):
    """Forward and backward: the filters have the same bits, the rest is torch's on the same tensors."""
    image, energy = problem(6, 7, 4)
    generator = torch.Generator().manual_seed(0)
    weight, target = torch.randn(form, generator=generator), torch.rand(42, 4, generator=generator)

    def run(where, move):
        unary = move(torch.from_numpy(energy.reshape(42, 4))).requires_grad_()
        learned = move(weight.clone()).requires_grad_()
        lattices = position_lattice(6, 7, 2, device=where), bilateral_lattice(image, 3, 40, device=where)
        kernels = [Kernel(lattices[0], 0.5, normalization), Kernel(lattices[1], learned, normalization)]
        marginals = mean_field(unary, kernels, 3)
        loss = (marginals * move(target)).sum() + dense_crf_loss(marginals, lattices[1])
        loss.backward()
        return marginals, unary.grad, learned.grad

    expected = run(None, lambda x: x)
    with device.kernels():
        results = run("cuda", device.to)
        with pytest.raises(DeepLabError, match="has the energies nan"):
            kernels = [Kernel(position_lattice(6, 7, 2, device="cuda"), 1.0)]
            mean_field(device.to(torch.full((42, 4), float("nan"))), kernels, 2)
    assert torch.equal(results[0].cpu(), expected[0])
    for ours, theirs in zip(results[1:], expected[1:], strict=True):
        if device.emulated:
            assert torch.equal(ours, theirs)
        else:
            assert torch.allclose(ours.cpu(), theirs, rtol=1e-4, atol=1e-5)

"""crf.refine: arrays, tensors, batches, kinds of scores, on the CPU and on a GPU."""

import numpy as np
import torch

from deeplab_caffe import crf
from tests.crf.cases import problem


def test_numpy_and_torch_agree():
    image, unary = problem()
    scores = np.ascontiguousarray(-unary.transpose(2, 0, 1))
    marginals = crf.refine(image, scores)
    assert isinstance(marginals, np.ndarray) and marginals.shape == scores.shape
    tensor = crf.refine(torch.from_numpy(image), torch.from_numpy(scores))
    assert isinstance(tensor, torch.Tensor) and np.array_equal(tensor.numpy(), marginals)
    whole = crf.image_crf(image, 4).unary(unary).infer(10)
    assert np.array_equal(whole.transpose(2, 0, 1), marginals)
    assert np.allclose(whole.sum(2), 1, atol=1e-5)


def test_a_batch_has_the_bits_of_each_image_at_any_number_of_threads():
    images, unaries = zip(*(problem(9 + 7 * n, 11 + n % 3, seed=n) for n in range(9)), strict=True)
    scores = [-unary.transpose(2, 0, 1) for unary in unaries]
    alone = [crf.refine(image, one) for image, one in zip(images, scores, strict=True)]
    for threads in (None, 1, 2, 5, 20):
        batch = crf.refine(list(images), scores, threads=threads)
        assert all(np.array_equal(one, found) for one, found in zip(alone, batch, strict=True))


def test_batch_and_kinds():
    images, unaries = zip(*(problem(seed=s) for s in range(3)), strict=True)
    scores = np.stack([-u.transpose(2, 0, 1) for u in unaries])
    batch = crf.refine(np.stack(images), scores, iterations=3)
    assert all(
        np.array_equal(b, crf.refine(i, s, iterations=3))
        for b, i, s in zip(batch, images, scores, strict=True)
    )
    energies = crf.refine(images[0], -scores[0], kind="energies", iterations=3)
    assert np.array_equal(energies, batch[0])
    probabilities = torch.softmax(torch.from_numpy(scores[0]), 0).numpy()
    close = crf.refine(images[0], probabilities, kind="probabilities", iterations=3)
    assert np.allclose(close, batch[0], atol=1e-5)


def test_batches_like_singles(device):
    sizes = [(9, 11), (1, 1), (6, 10), (9, 11)]
    images, unaries = zip(*(problem(*size, 5, seed) for seed, size in enumerate(sizes)), strict=True)
    scores = [-unary.transpose(2, 0, 1) for unary in unaries]
    expected = [crf.refine(*pair, iterations=3) for pair in zip(images, scores, strict=True)]
    with device.kernels():
        results = crf.refine(list(images), scores, iterations=3, device="cuda")
        assert all(map(np.array_equal, results, expected))
        tensors = [device.to(torch.from_numpy(one.copy())) for one in scores]
        results = crf.refine(list(images), tensors, iterations=3, device="cuda")
        assert all(np.array_equal(a.cpu(), b) for a, b in zip(results, expected, strict=True))
        pair = crf.refine(np.stack(images[::3]), np.stack(scores[::3]), iterations=3, device="cuda")
        assert np.array_equal(pair, np.stack(expected[::3]))
        probabilities = [np.exp(-u).transpose(2, 0, 1) / 2 for u in unaries]
        results = crf.refine(list(images), probabilities, kind="probabilities", device="cuda")
    assert all(map(np.array_equal, results, crf.refine(list(images), probabilities, kind="probabilities")))

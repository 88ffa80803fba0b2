"""The CRF's torch modules: their start is the plain CRF, they train, and their loss acts along edges."""

import pytest
import torch

from deeplab_caffe.crf.modules import DenseCRFLoss, MeanField
from deeplab_caffe.crf.refinement import refine
from deeplab_caffe.errors import DeepLabError


def scene():
    """Two images of a square on a ground, its true labels, and noisy scores."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(2, 16, 20, dtype=torch.int64)
    labels[0, 4:12, 5:14] = 1
    labels[1, 2:9, 8:19] = 2
    images = labels[..., None] * torch.tensor([60.0, 40.0, 20.0]) + 50
    images = images + torch.randn(images.shape, generator=generator) * 3
    scores = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    return images, labels, scores + torch.randn(scores.shape, generator=generator)


@pytest.mark.parametrize("per", ["image", "label", "matrix"])
def test_mean_field_starts_as_the_plain_crf(per):
    images, _, scores = scene()
    with torch.no_grad():
        logits = MeanField(3, iterations=4, per=per, threads=1)(images, scores)
    # The parameters are crf.refine's; its approximate exponential differs from torch's in the last iteration.
    assert torch.allclose(torch.softmax(logits, 1), refine(images, scores, iterations=4), atol=1e-5)


@pytest.mark.parametrize("per, shapes", [("image", [(), ()]), ("matrix", [(3,), (3,), (3, 3)])])
def test_mean_field_trains(per, shapes):
    images, labels, scores = scene()
    model = MeanField(3, pos_w=0.1, bi_w=0.1, bi_rgb_std=20, bi_xy_std=10, iterations=3, per=per, threads=1)
    assert [tuple(p.shape) for p in model.parameters()] == shapes
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(9):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images, scores), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert all(later < earlier for earlier, later in zip(losses, losses[1:], strict=False))


def test_loss_prefers_labels_along_edges():
    images, labels, _ = scene()
    truth = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    loss = DenseCRFLoss(xy_std=8, rgb_std=15)
    assert loss(images, truth) < 0.5 * loss(images, truth.roll(4, 3))
    # Where the mask is 0 nothing counts.
    masks = torch.zeros(2, 16, 20)
    masks[:, :2] = 1
    assert loss(images, truth, masks) == 0  # one label only up there


def test_loss_spreads_scribbles():
    images, labels, _ = scene()
    scores = torch.zeros(2, 3, 16, 20, requires_grad=True)
    seeds = torch.full_like(labels, 255)
    seeds[0, 7, 7], seeds[1, 5, 12], seeds[:, 14, ::3] = 1, 2, 0
    regularizer = DenseCRFLoss(xy_std=8, rgb_std=15, weight=1e-3, threads=1)
    optimizer = torch.optim.Adam([scores], lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(scores, seeds, ignore_index=255)
        (loss + regularizer(images, torch.softmax(scores, 1))).backward()
        optimizer.step()
    assert (scores.argmax(1) == labels).float().mean() > 0.97


def test_wrong_arguments():
    images, _, scores = scene()
    for message, call in {
        "labels": lambda: MeanField(0),
        "per pixel": lambda: MeanField(3, per="pixel"),
        "scores of 3": lambda: MeanField(4)(images, scores),
        "wanted": lambda: MeanField(3)(images[:1], scores),
        "masks": lambda: DenseCRFLoss()(images, scores, torch.ones(2, 3)),
    }.items():
        with pytest.raises(DeepLabError, match=message):
            call()

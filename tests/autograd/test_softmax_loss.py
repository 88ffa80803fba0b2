"""The softmax loss of v1: weights of the labels, ignored positions, nothing to count."""

import pytest
import torch

from deeplab_caffe.engine.net import Net

TEXT = """input: "s" input_dim: 2 input_dim: 3 input_dim: 2 input_dim: 2
input: "l" input_dim: 2 input_dim: 1 input_dim: 2 input_dim: 2
layers { name: "loss" type: SOFTMAX_LOSS bottom: "s" bottom: "l" top: "loss"
  softmaxloss_param { ignore_label: 9 ignore_label: 7 %s } }"""
LABELS = torch.tensor([[0.0, 2, 7, 9], [1, 1, 9, 0]]).view(2, 1, 2, 2)


@pytest.fixture
def loss_of(tmp_path):
    def loss_of(scores, labels, weights=None, **options):
        (tmp_path / "weights.txt").write_text(" ".join(map(str, weights or ())))
        field = f'weight_source: "{tmp_path}/weights.txt"' if weights else ""
        (tmp_path / "net.prototxt").write_text(TEXT % field)
        return Net(tmp_path / "net.prototxt", phase="train", **options).forward_train(s=scores, l=labels).loss

    return loss_of


@pytest.mark.parametrize("precision", ["exact", "fp32"])
@pytest.mark.parametrize("weights", [None, [0.5, 2, 0]])
def test_it_is_the_weighted_mean(loss_of, precision, weights):
    scores = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = loss_of(scores, LABELS, weights, precision=precision)
    loss.backward()
    found, scores.grad = scores.grad, None
    targets = LABELS.long()[:, 0].masked_fill(LABELS[:, 0] > 2, -1)
    weight = None if weights is None else torch.tensor(weights)
    wanted = torch.nn.functional.cross_entropy(scores, targets, weight, ignore_index=-1)
    wanted.backward()
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(found, scores.grad)
    assert not found[0, :, 1].any()


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_without_a_position_to_count_nothing_is_learned(loss_of, precision):
    scores = torch.randn(2, 3, 2, 2).requires_grad_()
    loss = loss_of(scores, torch.full((2, 1, 2, 2), 9.0), precision=precision)
    loss.backward()
    assert loss.isnan()
    assert not scores.grad.any()


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_the_gradient_does_not_saturate_with_the_loss(loss_of, precision):
    """A probability below the smallest float counts as that one, but its score is still pushed up."""
    scores = torch.zeros(2, 3, 2, 2)
    scores[:, 1] = 200
    loss = loss_of(scores.requires_grad_(), torch.zeros(2, 1, 2, 2), precision=precision)
    loss.backward()
    assert loss.item() == pytest.approx(87.33655)
    torch.testing.assert_close(scores.grad[:, 0], torch.full((2, 2, 2), -1 / 8))

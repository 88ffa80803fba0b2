import pytest
import torch

from deeplab_caffe.errors import DeepLabError


def test_dropout_copies_at_test_and_keeps_the_mean_at_train(run_in_net):
    x = torch.ones(100, 100)
    rest = "dropout_param { dropout_ratio: 0.25 }"
    assert torch.equal(run_in_net("Dropout", x, rest=rest)[0], x)
    (top,) = run_in_net("Dropout", x, rest=rest, phase="train")
    assert top.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert top.mean().item() == pytest.approx(1, abs=0.05)
    with pytest.raises(DeepLabError, match="dropout_ratio: 1 given"):
        run_in_net("Dropout", x, rest="dropout_param { dropout_ratio: 1 }")


def test_bayesian_segnet_drops_at_test(run_in_net):
    rest = "dropout_param { dropout_ratio: 0.5 sample_weights_test: true }"
    (top,) = run_in_net("Dropout", torch.ones(100, 100), rest=rest)
    assert top.unique().tolist() == [0, 2] and top.mean().item() == pytest.approx(1, abs=0.05)


def test_scale_at_test_in_place_of_training(run_in_net):
    x, rest = torch.full((100, 100), 3.0), "dropout_param { dropout_ratio: 0.25 scale_train: false }"
    assert torch.equal(run_in_net("Dropout", x, rest=rest)[0], x * 0.75)
    (top,) = run_in_net("Dropout", x, rest=rest, phase="train")
    assert top.unique().tolist() == [0, 3]

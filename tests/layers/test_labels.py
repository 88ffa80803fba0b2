"""Softmax, SoftmaxWithLoss, ArgMax."""

import math

import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError


def softmax_loss(fields="", v1=False, tops='top: "loss"'):
    word, kind = ("layers", "SOFTMAX_LOSS") if v1 else ("layer", '"SoftmaxWithLoss"')
    return f'{word} {{ name: "s" type: {kind} bottom: "a" bottom: "b" {tops} {fields} }}'


def argmax(fields="", v1=False):
    word, kind = ("layers", "ARGMAX") if v1 else ("layer", '"ArgMax"')
    return f'{word} {{ name: "m" type: {kind} bottom: "a" top: "b" argmax_param {{ {fields} }} }}'


def test_softmax(run_layer, rand):
    x = rand(2, 5, 6, 7)
    text = 'layer {{ name: "s" type: "Softmax" bottom: "a" top: "b" softmax_param {{ axis: {} }} }}'
    for axis in (1, -1, 0):
        run = run_layer(text.format(axis))
        (top,) = run(x)
        assert torch.equal(top, ops.softmax(x, axis))
        torch.testing.assert_close(run.layer.forward_fast([x])[0], top)
    with pytest.raises(DeepLabError, match="axis 4"):
        run_layer(text.format(4))(x)


@pytest.mark.parametrize("v1", [False, True])
def test_softmax_loss_ignores_a_label(run_layer, rand, v1):
    x, label = rand(2, 4, 3, 5), torch.randint(0, 4, (2, 1, 3, 5)).float()
    label[0, 0, 1] = 255
    field = "softmaxloss_param" if v1 else "loss_param"
    loss, probability = run_layer(
        softmax_loss(f"{field} {{ ignore_label: 255 }}", v1, 'top: "loss" top: "prob"')
    )(x, label)
    wanted = torch.nn.functional.cross_entropy(x.double(), label[:, 0].long(), ignore_index=255)
    assert loss.shape == ((1, 1, 1, 1) if v1 else ())
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert torch.equal(probability, ops.softmax(x))


def test_v1_weights(run_layer, rand, tmp_path):
    x, label = rand(2, 3, 3, 5), torch.randint(0, 3, (2, 1, 3, 5)).float()
    path = tmp_path / "weights.txt"
    path.write_text("1 0.5\n2e0\n")
    text = softmax_loss(f'softmaxloss_param {{ weight_source: "{path}" }}', v1=True)
    (loss,) = run_layer(text)(x, label)
    wanted = torch.nn.functional.cross_entropy(
        x.double(), label[:, 0].long(), torch.tensor([1, 0.5, 2]).double()
    )
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    with pytest.raises(DeepLabError, match="weight_source: 3 weights given for 4"):
        run_layer(text)(rand(1, 4, 1, 1), torch.zeros(1))
    for broken in ("1 -1 2", "1 x 2", "1 nan 2"):
        path.write_text(broken)
        with pytest.raises(DeepLabError, match="weight_source"):
            run_layer(text)
    path.unlink()
    with pytest.raises(DeepLabError, match="weight_source"):
        run_layer(text)


def test_everything_ignored(run_layer, rand):
    x, label = rand(1, 3, 2, 2), torch.full((1, 1, 2, 2), 255.0)
    assert math.isnan(run_layer(softmax_loss("softmaxloss_param { ignore_label: 255 }", True))(x, label)[0])
    assert run_layer(softmax_loss("loss_param { ignore_label: 255 }"))(x, label)[0].item() == 0


@pytest.mark.parametrize(
    ("fields", "divisor"),
    [
        ("", 28),
        ("normalize: false", 2),
        ("normalization: FULL", 30),
        ("normalization: BATCH_SIZE normalize: true", 2),
        ("normalization: NONE", 1),
    ],
)
def test_v2_normalization(run_layer, rand, fields, divisor):
    x, label = rand(2, 4, 3, 5), torch.randint(0, 4, (2, 1, 3, 5)).float()
    label[0, 0, 1, :2] = 9
    (loss,) = run_layer(softmax_loss(f"loss_param {{ ignore_label: 9 {fields} }}"))(x, label)
    total = ops.softmax_loss(ops.softmax(x), label, None, (9,))[0]
    assert loss.item() == (torch.tensor(total) / divisor).item()


def test_softmax_loss_errors(run_layer, rand):
    with pytest.raises(DeepLabError, match=r"\(SoftmaxWithLoss\): bottom: label 4 found, 0 to 3 wanted"):
        run_layer(softmax_loss())(rand(1, 4, 1, 2), torch.tensor([1.0, 4.0]))
    with pytest.raises(DeepLabError, match="2 values wanted"):
        run_layer(softmax_loss())(rand(1, 4, 1, 2), torch.zeros(3))


def test_argmax_v1(run_layer, rand):
    x = rand(2, 5, 3, 4)
    (top,) = run_layer(argmax("", v1=True))(x)
    assert torch.equal(top, x.argmax(1, keepdim=True).float())
    (top,) = run_layer(argmax("top_k: 2 out_max_val: true", v1=True))(x)
    values, labels = x.topk(2, 1)
    assert torch.equal(top, torch.cat([labels.float(), values], 1))


def test_argmax_v2(run_layer, rand):
    x = rand(2, 5, 3, 4)
    values, labels = x.topk(2, 3)
    assert torch.equal(run_layer(argmax("top_k: 2 axis: -1"))(x)[0], labels.float())
    assert torch.equal(run_layer(argmax("top_k: 2 axis: 3 out_max_val: true"))(x)[0], values)
    values, labels = x.flatten(1).topk(2)
    (top,) = run_layer(argmax("top_k: 2 out_max_val: true"))(x)
    assert torch.equal(top, torch.stack([labels.float(), values], 1).unsqueeze(-1))
    assert run_layer(argmax())(x.flatten(1))[0].shape == (2, 1, 1)


def test_argmax_errors(run_layer, rand):
    for fields, message in (
        ("top_k: 0", "top_k: 0"),
        ("axis: 1 top_k: 6", "top_k: 6"),
        ("axis: 4", "axis 4"),
    ):
        with pytest.raises(DeepLabError, match=message):
            run_layer(argmax(fields))(rand(2, 5, 3, 4))

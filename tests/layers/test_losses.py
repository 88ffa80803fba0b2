"""The losses but SoftmaxWithLoss, and Embed, BatchReindex, CensorLabel, against torch."""

import pytest
import torch
from torch.nn import functional

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.layers.parameters.parameter import Parameter


def layer(kind, fields="", bottoms=2):
    ends = "".join(f' bottom: "a{i}"' for i in range(bottoms))
    return f'layer {{ name: "l" type: "{kind}" {ends} top: "b" {fields} }}'


def test_euclidean(run_layer, rand):
    run = run_layer(layer("EuclideanLoss"))
    assert run(torch.tensor([[1.0, 2], [3, 4]]), torch.zeros(2, 2))[0].item() == 7.5
    with pytest.raises(DeepLabError, match="do not fit"):
        run(rand(2, 3), rand(2, 4))


def test_euclidean_v1(run_layer, rand):
    """Over all values, not over the images, and with a root on request."""

    def text(fields=""):
        return f'layers {{ name: "l" type: EUCLIDEAN_LOSS bottom: "a" bottom: "b" top: "c" {fields} }}'

    a, b = rand(2, 3, 4, 5), rand(2, 3, 4, 5).flip(3)
    mean = (a - b).square().mean()
    torch.testing.assert_close(run_layer(text())(a, b)[0], (mean / 2).view(1, 1, 1, 1))
    run = run_layer(text("euclidean_loss_param { type: L2sqrt }"))
    torch.testing.assert_close(run(a, b)[0], mean.sqrt().view(1, 1, 1, 1))
    x = a.clone().requires_grad_()
    run.layer.forward_train([x, b])[0].sum().backward()
    torch.testing.assert_close(x.grad, (a - b) / a.numel() / mean.sqrt())
    # At the same values, nearly, the root counts as 1e-6.
    x = a.clone().requires_grad_()
    y = a.clone()
    y[0, 0, 0, 0] += 1e-6
    run.layer.forward_train([x, y])[0].sum().backward()
    torch.testing.assert_close(x.grad, (a - y) / a.numel() / 1e-6)


def test_hinge(run_layer):
    scores, labels = torch.tensor([[0.5, -2.0, 0.0], [-1.0, 3.0, -0.5]]), torch.tensor([0.0, 1])
    # image 0: 0.5, 0, 1; image 1: 0, 0, 0.5
    assert run_layer(layer("HingeLoss"))(scores, labels)[0].item() == 1.0
    squared = run_layer(layer("HingeLoss", "hinge_loss_param { norm: L2 }"))
    assert squared(scores, labels)[0].item() == 0.75
    with pytest.raises(DeepLabError, match="out of 0 to 2"):
        squared(scores, torch.tensor([0.0, 3]))


def test_multinomial_logistic(run_layer, rand):
    scores, labels = rand(4, 3), torch.tensor([0.0, 2, 1, 1])
    (loss,) = run_layer(layer("MultinomialLogisticLoss"))(scores.softmax(1), labels)
    torch.testing.assert_close(loss, functional.cross_entropy(scores, labels.long()))


def test_sigmoid_cross_entropy(run_layer, rand):
    x, t = rand(4, 3, 2, 2) * 20, torch.rand(4, 3, 2, 2)
    (loss,) = run_layer(layer("SigmoidCrossEntropyLoss"))(x, t)
    torch.testing.assert_close(loss, functional.binary_cross_entropy_with_logits(x, t, reduction="sum") / 4)


def test_infogain(run_layer, rand, tmp_path):
    p, weights = rand(4, 3).softmax(1), rand(3, 3).abs()
    labels = torch.tensor([2.0, 0, 1, 2])
    wanted = -(weights[labels.long()] * p.log()).sum() / 4
    (given,) = run_layer(layer("InfogainLoss", bottoms=3))(p, labels, weights.view(1, 1, 3, 3))
    torch.testing.assert_close(given, wanted)
    blob = caffe_pb2.BlobProto(num=1, channels=1, height=3, width=3, data=weights.flatten().tolist())
    path = tmp_path / "weights.binaryproto"
    path.write_bytes(blob.SerializeToString())
    text = layer("InfogainLoss", f'infogain_loss_param {{ source: "{path}" }}')
    assert torch.equal(run_layer(text)(p, labels)[0], given)
    with pytest.raises(DeepLabError, match="9 weights given, 4x4"):
        run_layer(text)(rand(4, 4), labels)
    path.write_bytes(b"\xff" * 9)
    with pytest.raises(DeepLabError, match="source"):
        run_layer(text)
    with pytest.raises(DeepLabError, match="source: missing"):
        run_layer(layer("InfogainLoss"))


@pytest.mark.parametrize("legacy", ["true", "false"])
def test_contrastive(run_layer, rand, legacy):
    a, b, similar = rand(5, 6), rand(5, 6) + 0.3 * rand(6, 5).view(5, 6), torch.tensor([1.0, 0, 0, 1, 0])
    text = layer("ContrastiveLoss", f"contrastive_loss_param {{ margin: 3 legacy_version: {legacy} }}", 3)
    (loss,) = run_layer(text)(a, b, similar)
    total = 0
    for x, y, s in zip(a, b, similar, strict=True):
        squared = float((x - y).square().sum())
        apart = max(0, 3 - squared) if legacy == "true" else max(0, 3 - squared**0.5) ** 2
        total += squared if s else apart
    assert loss.item() == pytest.approx(total / 10)
    with pytest.raises(DeepLabError, match="do not fit"):
        run_layer(text)(a, b, similar[:4])


def test_relative_error(run_in_net, rand):
    a, b = rand(2, 3, 4, 5), rand(2, 3, 4, 5).flip(3)
    (error,) = run_in_net("RELATIVE_ERROR", a, b, v1=True)
    torch.testing.assert_close(error.view(()), (a - b).norm() / b.norm())
    assert run_in_net("RELATIVE_ERROR", a, a, v1=True)[0] == 0


def test_embed(run_layer, rand):
    run = run_layer(layer("Embed", "embed_param { num_output: 4 input_dim: 5 }", 1))
    table, bias = rand(5, 4), rand(4)
    assert run.layer.blob_shapes([(2, 3)]) == [(5, 4), (4,)]
    run.layer.blobs = [Parameter((5, 4), lambda: table), Parameter((4,), lambda: bias)]
    index = torch.tensor([[0.0, 4, 2], [1, 1, 3]])
    assert torch.equal(run(index)[0], table[index.long()] + bias)
    with pytest.raises(DeepLabError, match="out of 0 to 4"):
        run(torch.tensor([5.0]))
    with pytest.raises(DeepLabError, match="input_dim"):
        run_layer(layer("Embed", "embed_param { num_output: 4 }", 1))


def test_batch_reindex(run_layer, rand):
    x = rand(3, 2, 4)
    run = run_layer(layer("BatchReindex"))
    assert torch.equal(run(x, torch.tensor([2.0, 0, 0, 1]))[0], x[[2, 0, 0, 1]])
    with pytest.raises(DeepLabError, match="out of 0 to 2"):
        run(x, torch.tensor([3.0]))


def test_censor_label(run_layer):
    run = run_layer(layer("CensorLabel"))
    labels = torch.tensor([0.0, 1, 2, 255, 3, 3, 1, 0]).view(2, 1, 2, 2)
    lists = torch.tensor([[0.0, 2], [3, -1]]).view(2, 2, 1, 1)
    assert run(labels, lists)[0].flatten().tolist() == [0, 255, 2, 255, 3, 3, 255, 255]

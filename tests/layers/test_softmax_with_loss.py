import math

import pytest
import torch

from deeplab_caffe import Net, ops
from deeplab_caffe.errors import DeepLabError


def softmax_loss(fields="", v1=False, tops='top: "loss"'):
    word, kind = ("layers", "SOFTMAX_LOSS") if v1 else ("layer", '"SoftmaxWithLoss"')
    return f'{word} {{ name: "s" type: {kind} bottom: "a" bottom: "b" {tops} {fields} }}'


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


@pytest.mark.parametrize("normalize, divisor", [("true", 30), ("false", 2)])
def test_segnets_class_weights(run_layer, rand, normalize, divisor):
    """Positions weigh by their labels; what the sum is divided by counts them as one each."""
    x, label = rand(2, 3, 3, 5), torch.randint(0, 3, (2, 1, 3, 5)).float()
    weights = [0.25, 1.5, 4.0]
    text = " ".join(f"class_weighting: {weight}" for weight in weights)
    (loss,) = run_layer(
        softmax_loss(f"loss_param {{ weight_by_label_freqs: true {text} normalize: {normalize} }}")
    )(x, label)
    total = 0.0
    for image in range(2):
        for row in range(3):
            for column in range(5):
                scores = x[image, :, row, column].double()
                truth = int(label[image, 0, row, column])
                total -= weights[truth] * (scores[truth] - scores.logsumexp(0)).item()
    assert loss.item() == pytest.approx(total / divisor, rel=1e-5)
    with pytest.raises(DeepLabError, match="class_weighting: 3 weights given for 4 labels"):
        run_layer(softmax_loss(f"loss_param {{ weight_by_label_freqs: true {text} }}"))(
            rand(1, 4, 1, 1), torch.zeros(1)
        )


@pytest.mark.parametrize(
    "dialect, fields, divisor",
    [
        ("v2", "loss_param { normalize: false }", 2),
        ("v1", "", 72),
        ("v2", "loss_param { normalization: FULL }", 72),
    ],
)
def test_v1_text_of_both_programs(tmp_path, rand, dialect, fields, divisor):
    """One text, two programs: the sum of the 72 losses over the images, or over the positions."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "a" input_dim: 2 input_dim: 4 input_dim: 6 input_dim: 6 '
        'input: "b" input_dim: 2 input_dim: 1 input_dim: 6 input_dim: 6 ' + softmax_loss(fields, v1=True)
    )
    x, label = rand(2, 4, 6, 6), torch.randint(0, 4, (2, 1, 6, 6)).float()
    net = Net(path, dialect=None if fields else dialect)
    assert net.definition.dialect.value == dialect
    total = torch.nn.functional.cross_entropy(x.double(), label[:, 0].long(), reduction="sum")
    (loss,) = net.forward(a=x, b=label).values()
    assert loss.item() == pytest.approx(total.item() / divisor, rel=1e-5)

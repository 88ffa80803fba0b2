"""ChannelAggregator, GainChannel, Histogram, IgnoreOverlay, OneHot: layers of DeepLab v1."""

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.layer_types import V1_WIRE_NUMBERS
from deeplab_caffe.layers.parameters.parameter import Parameter


def layer(kind, fields="", bottoms=1):
    ends = "".join(f' bottom: "a{i}"' for i in range(bottoms))
    return f'layers {{ name: "c" type: {kind}{ends} top: "b" {fields} }}'


def test_numbers_in_files():
    kinds = ["ChannelAggregator", "IgnoreOverlay", "Histogram", "RelativeError", "GainChannel", "OneHot"]
    assert [V1_WIRE_NUMBERS[kind] for kind in kinds] == [51, 52, 53, 54, 55, 56]


@pytest.fixture
def aggregator(tmp_path, run_layer):
    def make(text):
        path = tmp_path / "labels.txt"
        path.write_text(text)
        fields = f'channel_aggregator_param {{ label_map_file: "{path}" }}'
        return run_layer(layer("CHANNEL_AGGREGATOR", fields))

    return make


def test_channel_aggregator(aggregator, rand):
    x = 100 * rand(2, 4, 3, 5)
    run = aggregator("2\n0 3 1\n1 1\n")
    (top,) = run(x)
    assert torch.equal(top[:, 0], x[:, 2])
    torch.testing.assert_close(top[:, 1], x[:, [0, 1, 3]].logsumexp(1))
    torch.testing.assert_close(top[:, 2], x[:, 1] + torch.tensor(2.0).log())
    x.requires_grad_()
    run.layer.forward_train([x])[0][:, 1].sum().backward()
    probabilities = x.detach()[:, [0, 1, 3]].softmax(1)
    torch.testing.assert_close(x.grad[:, [0, 1, 3]], probabilities)
    assert not x.grad[:, 2].any()


@pytest.mark.parametrize("text", ["", "0\n\n1\n", "0 x\n", "0 1.5\n"])
def test_channel_aggregator_with_a_broken_file(aggregator, text):
    with pytest.raises(DeepLabError, match=r"\(ChannelAggregator\): label_map_file: .*labels.txt"):
        aggregator(text)


def test_channel_aggregator_errors(aggregator, run_layer, rand):
    for text in ("0 4\n", "-1\n"):
        with pytest.raises(DeepLabError, match="found, 0 to 3 wanted"):
            aggregator(text)(rand(1, 4, 2, 2))
    with pytest.raises(DeepLabError, match="label_map_file: missing"):
        run_layer(layer("CHANNEL_AGGREGATOR"))


def test_histogram(run_layer):
    run = run_layer(layer("HISTOGRAM", "histogram_param { num_labels: 4 ignore_label: 255 ignore_label: 9 }"))
    labels = torch.tensor([[3.0, 0, 3, 255], [1, 3, 9, 0]]).view(2, 1, 2, 2)
    (top,) = run(labels)
    assert top.shape == (2, 4, 1, 1)
    assert top.flatten(1).tolist() == [[2, 1, 0, 3], [0, 0, 0, 0]]
    for wrong in (4.0, -1.0, 0.5, float("nan"), float("inf")):
        with pytest.raises(DeepLabError, match="found, an integer from 0 to 3 wanted"):
            run(torch.full((1, 1, 1, 1), wrong))
    with pytest.raises(DeepLabError, match="one channel"):
        run(torch.zeros(1, 2, 2, 2))
    with pytest.raises(DeepLabError, match="num_labels: 0"):
        run_layer(layer("HISTOGRAM"))


def test_ignore_overlay(run_layer):
    run = run_layer(layer("IGNORE_OVERLAY", "ignore_overlay_param { ignore_label: 255 }", 2))
    first, second = torch.tensor([[255.0, 255.5, 254.5, 0]]), torch.tensor([[1.0, 2, 3, 255]])
    assert run(first, second)[0].tolist() == [[255, 255, 3, 255]]
    with pytest.raises(DeepLabError, match="differ"):
        run(first, second.t())


def test_one_hot(run_layer):
    run = run_layer(layer("ONEHOT", "onehot_param { num_labels: 3 }"))
    lists = torch.tensor([[2.0, 0, 2], [-1, -1, -1], [1.0, 1, -1]]).view(3, 3, 1, 1)
    assert run(lists)[0].flatten(1).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert run(torch.zeros(2, 5, 4, 6))[0].shape == (2, 3, 4, 6)
    for wrong in (3.0, -2.0, float("nan")):
        with pytest.raises(DeepLabError, match="label out of -1 to 2"):
            run(torch.full((1, 3, 1, 1), wrong))
    with pytest.raises(DeepLabError, match="at most the channels"):
        run(torch.zeros(1, 2, 1, 1))
    with pytest.raises(DeepLabError, match="num_labels: 0"):
        run_layer(layer("ONEHOT"))


def gains(run_layer, fields, values, **context):
    text = f"gain_channel_param {{ gain_filler {{ value: 1 }} {fields} }}"
    run = run_layer(layer("GAIN_CHANNEL", text), **context)
    assert run.layer.blob_shapes([(2, len(values), 3, 4)]) == [(1, len(values), 1, 1)]
    given = torch.tensor(values).view(1, -1, 1, 1)
    run.layer.blobs = [Parameter((1, len(values), 1, 1), lambda: given)]
    return run


def test_gain_channel(run_layer, rand):
    x = rand(2, 3, 3, 4)
    run = gains(run_layer, "num_output_nz: 2 thresh: 0.5", [4.0, 1.5, -2.0])
    (top,) = run(x)
    # -2 becomes 0.5; then all are multiplied by 3 over their sum.
    held = run.layer.blobs[0].values().flatten()
    assert torch.equal(held, torch.tensor([4.0, 1.5, 0.5]) * 0.5)
    assert torch.equal(top, x * held.view(1, 3, 1, 1))
    run(x)  # 0.25 is below the threshold again
    torch.testing.assert_close(run.layer.blobs[0].values().flatten(), torch.tensor([2, 0.75, 0.5]) * 3 / 3.25)
    kept = gains(run_layer, "num_output_nz: 2 norm_mean: false", [4.0, 1.5, -2.0])
    kept(x)
    assert torch.equal(kept.layer.blobs[0].values().flatten(), torch.tensor([4.0, 1.5, 1e-3]))
    fast = gains(run_layer, "num_output_nz: 2 thresh: 0.5", [4.0, 1.5, -2.0], precision="fp32")
    assert torch.equal(fast.layer.forward_fast([x])[0], top)


def trained(run_layer, x, weights, fields, **context):
    run = gains(run_layer, f"num_output_nz: 1 {fields}", [1.5, 1.0, 0.5], phase="train", **context)
    x = x.clone().requires_grad_()
    (top,) = run.layer.forward_train([x])
    top.backward(weights)
    torch.testing.assert_close(x.grad, weights * torch.tensor([1.5, 1.0, 0.5]).view(1, 3, 1, 1))
    return run.layer.blobs[0].tensor.grad.flatten()


def test_gradient_of_gains(run_layer, rand):
    x, weights = rand(2, 3, 3, 4), rand(2, 3, 3, 4).flip(3)
    plain = (x * weights).sum((0, 2, 3))
    torch.testing.assert_close(trained(run_layer, x, weights, "norm_mean: false"), plain)
    torch.testing.assert_close(trained(run_layer, x, weights, ""), plain - plain.mean())
    drifting = trained(run_layer, x, weights, "norm_mean: false drift: 3")
    torch.testing.assert_close(drifting, plain + torch.tensor([0.0, 3, 3]))
    noisy, again, other = (
        trained(run_layer, x, weights, "norm_mean: false stdev: 2", seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(noisy, again) and not torch.equal(noisy, other)
    assert 0 < (noisy - plain).abs().max() < 12


def test_gain_channel_errors(run_layer, rand):
    for field, fields in (
        ("num_output_nz", ""),
        ("num_output_nz", "num_output_nz: 4"),
        ("drift", "num_output_nz: 1 drift: -1"),
        ("stdev", "num_output_nz: 1 stdev: -1"),
        ("thresh", "num_output_nz: 1 thresh: 0"),
    ):
        with pytest.raises(DeepLabError, match=rf"\(GainChannel\): {field}"):
            gains(run_layer, fields, [1.0, 1.0, 1.0])(rand(1, 3, 2, 2))
    with pytest.raises(DeepLabError, match="gain_filler: missing"):
        run_layer(layer("GAIN_CHANNEL", "gain_channel_param { num_output_nz: 1 }"))


def test_weights_go_through_both_layouts(tmp_path, rand):
    fields = "gain_channel_param { num_output_nz: 2 norm_mean: false gain_filler { value: 2 } }"
    text = 'input: "a0" input_dim: 1 input_dim: 3 input_dim: 2 input_dim: 2\n' + layer("GAIN_CHANNEL", fields)
    (tmp_path / "net.prototxt").write_text(text)
    net = Net(tmp_path / "net.prototxt")
    net.params["c"][0].data = torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1)
    for layout in ("v1", "v2"):
        net.save(tmp_path / f"{layout}.caffemodel", layout)
        other = Net(tmp_path / "net.prototxt", tmp_path / f"{layout}.caffemodel")
        x = rand(1, 3, 2, 2)
        assert torch.equal(other.forward(a0=x)["b"], x * torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1))

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parameters.parameter import Parameter
from tests.layers.layer_text import layer_v1


def gains(run_layer, fields, values, **context):
    text = f"gain_channel_param {{ gain_filler {{ value: 1 }} {fields} }}"
    run = run_layer(layer_v1("GAIN_CHANNEL", text), **context)
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
        run_layer(layer_v1("GAIN_CHANNEL", "gain_channel_param { num_output_nz: 1 }"))


def test_weights_go_through_both_layouts(tmp_path, rand):
    fields = "gain_channel_param { num_output_nz: 2 norm_mean: false gain_filler { value: 2 } }"
    text = 'input: "a0" input_dim: 1 input_dim: 3 input_dim: 2 input_dim: 2\n' + layer_v1(
        "GAIN_CHANNEL", fields
    )
    (tmp_path / "net.prototxt").write_text(text)
    net = Net(tmp_path / "net.prototxt")
    net.params["tested"][0].data = torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1)
    for layout in ("v1", "v2"):
        net.save(tmp_path / f"{layout}.caffemodel", layout)
        other = Net(tmp_path / "net.prototxt", tmp_path / f"{layout}.caffemodel")
        x = rand(1, 3, 2, 2)
        assert torch.equal(other.forward(a0=x)["b"], x * torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1))

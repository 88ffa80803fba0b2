"""caffemodel -> state dict of PyTorch -> caffemodel, as it was or with what training changed."""

import pytest
import torch
from torch import nn

from deeplab_caffe.convert.from_torch import convert_from_torch, fill_from_torch
from deeplab_caffe.engine import torch_names
from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.caffemodel import read_caffemodel
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.formats.state_dict import read_state_dict

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9\n'
V1 = (
    INPUT
    + """layers { name: "conv1_1" type: CONVOLUTION bottom: "data" top: "conv1_1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 2 hole: 2 } }
layers { name: "relu" type: RELU bottom: "conv1_1" top: "conv1_1" }
layers { name: "fc8" type: CONVOLUTION bottom: "conv1_1" top: "fc8"
  convolution_param { num_output: 2 kernel_size: 1 } }
layers { name: "ip" type: INNER_PRODUCT bottom: "fc8" top: "ip" inner_product_param { num_output: 5 } }"""
)
# Of two scales that share their weights.
SCALES = INPUT + "".join(
    f"""layer {{ name: "conv{end}" type: "Convolution" bottom: "data" top: "conv{end}" param {{ name: "w" }}
  convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 bias_term: false }} }}
layer {{ name: "norm{end}" type: "BatchNorm" bottom: "conv{end}" top: "conv{end}"
  param {{ name: "m" }} param {{ name: "v" }} param {{ name: "d" }}
  batch_norm_param {{ use_global_stats: true }} }}
layer {{ name: "scale{end}" type: "Scale" bottom: "conv{end}" top: "conv{end}"
  param {{ name: "g" }} param {{ name: "b" }} scale_param {{ bias_term: true }} }}
"""
    for end in ("", "_res075")
)
SUM = 'layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "conv_res075" top: "sum" }'


class Plain(nn.Module):
    """V1's convolutions, with torch alone."""

    def __init__(self):
        super().__init__()
        self.conv1_1 = nn.Conv2d(3, 4, 3, padding=2, dilation=2)
        self.fc8 = nn.Conv2d(4, 2, 1)
        self.ip = nn.Linear(162, 5)

    def forward(self, x):
        return self.ip(self.fc8(self.conv1_1(x).relu()).flatten(1))


def net_of(text, tmp_path, divisor=1.0):
    """The net with random weights, as its caffemodel holds them."""
    path = tmp_path / "original.caffemodel"
    net = Net(read_net("net.prototxt", text=text))
    generator = torch.Generator().manual_seed(0)
    for layer in net.layers:
        for index, blob in enumerate(layer.blobs):
            values = torch.rand(blob.shape, generator=generator) + 0.5
            blob.data = torch.full((1,), divisor) if (layer.type, index) == ("BatchNorm", 2) else values
    net.save(path, "v1" if net.definition.dialect.four_axes else "v2")
    return Net(read_net("net.prototxt", text=text), path), path


def saved(state, path):
    torch.save(state, path)
    return str(path), read_state_dict(path)


def back(text, state, tmp_path):
    source, variables = saved(state, tmp_path / "fine.pt")
    return convert_from_torch(source, variables, Net(read_net("net.prototxt", text=text)), tmp_path / "back")


@pytest.mark.parametrize(("text", "layout"), [(V1, "v1"), (SCALES + SUM, "v2")])
def test_round_trip_keeps_every_bit(tmp_path, text, layout):
    net, original = net_of(text, tmp_path)
    path, written = back(text, torch_names.state_dict(net.layers), tmp_path)
    assert written == layout
    stored, expected = read_caffemodel(path), read_caffemodel(original)
    assert [layer.name for layer in stored] == [layer.name for layer in expected]
    for layer, other in zip(stored, expected, strict=True):
        assert all(
            a.shape == b.shape and torch.equal(a.view(torch.int32), b.view(torch.int32))
            for a, b in zip(layer.blobs, other.blobs, strict=True)
        )


def test_a_divisor_of_batch_norm(tmp_path):
    """The file has sums of statistics; PyTorch means, which come back with a divisor of 1: same outputs."""
    net, _ = net_of(SCALES + SUM, tmp_path, divisor=999.98236)
    state = torch_names.state_dict(net.layers)
    assert list(state) == [
        "conv.weight",
        "norm.running_mean",
        "norm.running_var",
        "scale.weight",
        "scale.bias",
    ]
    state["norm.num_batches_tracked"] = torch.tensor(7)
    path, _ = back(SCALES + SUM, state, tmp_path)
    other = Net(net.definition, path)
    assert other.params["norm"][2].values().item() == 1
    x = torch.rand(1, 3, 9, 9)
    assert torch.equal(net(x), other(x))


@pytest.mark.slow
def test_what_training_in_torch_changes(tmp_path):
    net, original = net_of(V1, tmp_path)
    module = Plain()
    module.load_state_dict(torch_names.state_dict(net.layers))
    x = torch.rand(4, 3, 9, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x).flatten(1), module(x), rtol=1e-5, atol=1e-4)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-5)
    losses = []
    for _ in range(20):
        loss = module(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    path, _ = back(V1, module.state_dict(), tmp_path)
    tuned = Net(net.definition, path)
    for name, values in module.state_dict().items():
        layer, _, field = name.partition(".")
        blob = tuned.params[layer][field == "bias"].values()
        assert torch.equal(blob.flatten(), values.flatten())
    assert not torch.equal(tuned(x), net(x))
    torch.testing.assert_close(tuned(x).flatten(1), module(x), rtol=1e-5, atol=1e-4)


def test_errors_list_both_sides(tmp_path):
    net, _ = net_of(V1, tmp_path)
    state = torch_names.state_dict(net.layers)
    state["extra.weight"] = torch.ones(1)
    state["fc9.bias"] = state.pop("fc8.bias")
    state["ip.weight"] = state["ip.weight"].t()
    before = net.params["conv1_1"][0].values().clone()
    state["conv1_1.weight"] = before + 1
    source, variables = saved(state, tmp_path / "fine.pt")
    with pytest.raises(DeepLabError) as caught:
        fill_from_torch(net, variables, source)
    assert str(caught.value) == (
        f"{source}: not the weights of net.prototxt: missing: fc8.bias; left over: extra.weight, fc9.bias; "
        "of another shape: ip.weight ([162, 5] in the file, [5, 162] in the net)"
    )
    assert torch.equal(net.params["conv1_1"][0].values(), before)

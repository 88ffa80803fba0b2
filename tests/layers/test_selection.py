"""Im2col, SPP, DominantChannel, and the types that are refused."""

import pytest
import torch
from torch.nn import functional

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError


def layer(kind, fields="", bottoms=1):
    ends = "".join(f' bottom: "a{i}"' for i in range(bottoms))
    return f'layer {{ name: "s" type: "{kind}"{ends} top: "b" {fields} }}'


@pytest.mark.parametrize(
    "fields, kernel, dilation, pad, stride",
    [
        ("kernel_size: 3 pad: 2 dilation: 2", (3, 3), 2, 2, 1),
        ("kernel_h: 2 kernel_w: 3 stride: 2", (2, 3), 1, 0, 2),
    ],
)
def test_im2col(run_layer, rand, fields, kernel, dilation, pad, stride):
    x = rand(2, 3, 9, 11)
    (top,) = run_layer(layer("Im2col", f"convolution_param {{ {fields} }}"))(x)
    wanted = functional.unfold(x, kernel, dilation, pad, stride)
    assert top.shape[1] == 3 * kernel[0] * kernel[1] and torch.equal(top.flatten(2), wanted)
    # A convolution is a product with it.
    weights = rand(5, 3, *kernel)
    product = torch.einsum("ok,nkp->nop", weights.flatten(1), top.flatten(2))
    y = functional.conv2d(x, weights, None, stride, pad, dilation)
    torch.testing.assert_close(product, y.flatten(2), rtol=1e-4, atol=1e-4)


def test_spp_of_an_even_map(run_layer, rand):
    x = rand(2, 3, 8, 8)
    (top,) = run_layer(layer("SPP", "spp_param { pyramid_height: 3 }"))(x)
    levels = [functional.adaptive_max_pool2d(x, bins).flatten(1) for bins in (1, 2, 4)]
    assert torch.equal(top, torch.cat(levels, 1))
    (top,) = run_layer(layer("SPP", "spp_param { pyramid_height: 2 pool: AVE }"))(x)
    levels = [functional.adaptive_avg_pool2d(x, bins).flatten(1) for bins in (1, 2)]
    torch.testing.assert_close(top, torch.cat(levels, 1))
    assert run_layer(layer("SPP", "spp_param { pyramid_height: 1 }"))(x)[0].shape == (2, 3, 1, 1)


def test_spp_of_an_odd_map(run_layer, rand):
    x = rand(1, 2, 7, 9)
    (top,) = run_layer(layer("SPP", "spp_param { pyramid_height: 3 }"))(x)
    # Level 2: windows of 2 rows and 3 columns, one row and two columns (rounded up) of padding in front.
    padded = functional.pad(x, (2, 2, 1, 1), value=float("-inf"))
    wanted = functional.max_pool2d(padded, (2, 3))
    assert top.shape == (1, 2 * (1 + 4 + 16)) and torch.equal(top[:, 10:], wanted.flatten(1))
    with pytest.raises(DeepLabError, match="pyramid_height"):
        run_layer(layer("SPP", "spp_param { pyramid_height: 6 }"))(x)


def test_dominant_channel(run_layer):
    scores = torch.tensor([[1, 9, 5], [4, 2, 4], [3, 3, 3], [0, 0, 0]]).view(1, 4, 1, 3)
    run = run_layer(layer("DominantChannel", "dominant_channel_param { top_k: 2 }"))
    # First places: 1, 0, 0 -> channel 0 twice, 1 once. Second ones do not count any more.
    assert run(scores)[0].flatten().tolist() == [0, 1]
    # All first places to channel 3, second ones to 2.
    assert run(torch.arange(4).repeat(3, 1).t().reshape(1, 4, 1, 3))[0].flatten().tolist() == [3, 2]
    with pytest.raises(DeepLabError, match="top_k"):
        run(scores[:, :2])


@pytest.mark.parametrize("kind, reason", [("Data", "LMDB"), ("WindowData", "windows"), ("Filter", "size of")])
def test_refused_types(run_layer, kind, reason):
    with pytest.raises(DeepLabError, match=f"layer 's'.*{reason}"):
        run_layer(layer(kind))


def test_a_refused_data_layer_can_be_fed(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" }\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "out" }\n'
    )
    net = Net(path, inputs={"data": (1, 2, 3, 4)})
    assert net.forward(data=-torch.ones(1, 2, 3, 4))["out"].sum() == 0

import pytest
import torch
import torch.nn.functional as F

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.layers.parts.same_padding import same_padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "wanted"),
    [
        (9, 3, 2, 1, (1, 1)),
        (8, 3, 2, 1, (0, 1)),
        (8, 3, 1, 1, (1, 1)),
        (8, 3, 1, 6, (6, 6)),
        (7, 1, 2, 1, (0, 0)),
        (1, 3, 2, 1, (1, 1)),
    ],
)
def test_padding(size, kernel, stride, dilation, wanted):
    assert same_padding(size, kernel, stride, dilation) == wanted


@pytest.mark.parametrize("precision", ["exact", "fp32"])
@pytest.mark.parametrize("size", [(9, 8), (8, 9), (4, 2)])
def test_values(tmp_path, rand, precision, size):
    path = tmp_path / "net.prototxt"
    path.write_text(
        f'input: "x" input_shape {{ dim: 2 dim: 3 dim: {size[0]} dim: {size[1]} }}'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {'
        " num_output: 4 kernel_size: 3 stride: 2 same_pad: true } }"
        'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param {'
        " kernel_size: 3 stride: 2 same_pad: true } }"
    )
    net = Net(path, precision=precision)
    weights, x = rand(4, 3, 3, 3), rand(2, 3, *size)
    net.params["c"][0].data = weights
    rows, columns = (same_padding(n, 3, 2) for n in size)
    wanted = F.conv2d(F.pad(x, (*columns, *rows)), weights, stride=2)
    largest = F.max_pool2d(F.pad(x, (*columns, *rows), value=float("-inf")), 3, 2)
    tops = net.forward(x=x)
    torch.testing.assert_close(tops["c"], wanted)
    assert torch.equal(tops["p"], largest)
    assert tops["c"].shape[2:] == tuple(-(-n // 2) for n in size)


@pytest.mark.parametrize(
    "layer",
    [
        'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 pad: 1 same_pad: true }',
        'type: "Deconvolution" convolution_param { num_output: 4 kernel_size: 3 same_pad: true }',
        'type: "Pooling" pooling_param { kernel_size: 3 pad: 1 same_pad: true }',
        'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 same_pad: true }',
    ],
)
def test_wrong_fields(run_layer, layer):
    with pytest.raises(DeepLabError, match="same_pad"):
        run_layer(f'layer {{ name: "l" bottom: "a" top: "b" {layer} }}')

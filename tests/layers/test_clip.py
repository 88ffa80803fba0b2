import pytest
import torch
import torch.nn.functional as F

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_clip(run_in_net, rand, precision):
    x = 4 * rand(2, 3, 5, 7)
    (top,) = run_in_net("Clip", x, rest="clip_param { min: 0 max: 6 }", precision=precision)
    torch.testing.assert_close(top, F.relu6(x))


@pytest.mark.parametrize("fields", ["max: 6", "min: 0", "min: 1 max: 0"])
def test_wrong_bounds(run_layer, fields):
    with pytest.raises(DeepLabError):
        run_layer(f'layer {{ name: "l" type: "Clip" bottom: "a" top: "b" clip_param {{ {fields} }} }}')


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_clip_behind_a_convolution(tmp_path, rand, precision):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 1 dim: 3 dim: 9 dim: 9 }'
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" '
        "convolution_param { num_output: 4 kernel_size: 3 } }"
        'layer { name: "r" type: "Clip" bottom: "c" top: "c" clip_param { min: 0 max: 6 } }'
    )
    net, x = Net(path, precision=precision), 4 * rand(1, 3, 9, 9)
    net.params["c"][0].data = rand(4, 3, 3, 3)
    wanted = F.relu6(F.conv2d(x, rand(4, 3, 3, 3)))
    assert wanted.max() == 6
    torch.testing.assert_close(net(x), wanted)

import pytest
import torch
import torch.nn.functional as F

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from tests import reference
from tests.fuzz.check import check


def interp(fields, v1=False):
    word, kind = ("layers", "INTERP") if v1 else ("layer", '"Interp"')
    return f'{word} {{ name: "i" type: {kind} bottom: "a" top: "b" interp_param {{ {fields} }} }}'


@pytest.mark.parametrize(
    ("fields", "size", "wanted"),
    [
        ("zoom_factor: 8", (65, 41), (513, 321)),
        ("shrink_factor: 2", (65, 42), (33, 21)),
        ("height: 3 width: 200", (65, 41), (3, 200)),
        ("zoom_factor: 2 pad_beg: -1 pad_end: -2", (8, 9), (9, 11)),
        ("zoom_factor: 1", (8, 9), (8, 9)),
    ],
)
def test_size_and_values(run_layer, rand, fields, size, wanted):
    x = rand(2, 3, *size)
    for v1 in (False, True):
        run = run_layer(interp(fields, v1))
        (top,) = run(x)
        assert tuple(top.shape) == (2, 3, *wanted)
        assert torch.equal(top, reference.interp(x, wanted, run.layer.crop))
        (fast,) = run.layer.forward_fast([x])
        torch.testing.assert_close(fast, top, rtol=1e-4, atol=1e-4)


def test_v2_shrinks_then_zooms(run_layer):
    layer = run_layer(interp("shrink_factor: 4 zoom_factor: 3")).layer
    assert layer.shape([(1, 1, 41, 50)]) == [(1, 1, 31, 37)]
    with pytest.raises(DeepLabError, match="interp_param: one of"):
        run_layer(interp("shrink_factor: 4 zoom_factor: 3", v1=True))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ("", "interp_param"),
        ("height: 5", "interp_param"),
        ("zoom_factor: 2 height: 5 width: 5", "interp_param"),
        ("zoom_factor: 0", "zoom_factor"),
        ("shrink_factor: -1", "shrink_factor"),
        ("height: 0 width: 5", "height"),
        ("zoom_factor: 2 pad_beg: 1", "pad_beg"),
    ],
)
def test_wrong_fields(run_layer, fields, field):
    with pytest.raises(DeepLabError, match=rf"layer 'i' \(Interp\): {field}"):
        run_layer(interp(fields))


def test_nothing_left(run_layer):
    with pytest.raises(DeepLabError, match="nothing is left"):
        run_layer(interp("zoom_factor: 2 pad_beg: -5")).layer.shape([(1, 1, 5, 9)])


@pytest.mark.parametrize("size", [(9, 14), (3, 5), (7, 4), (1, 1)])
def test_half_pixel(run_layer, rand, size):
    x = rand(2, 3, 7, 4)
    run = run_layer(interp(f"height: {size[0]} width: {size[1]} align_corners: false"))
    (top,) = run(x)
    assert torch.equal(top, reference.interp(x, size, half_pixel=True))
    torch.testing.assert_close(top, F.interpolate(x, size, mode="bilinear", align_corners=False))
    torch.testing.assert_close(run.layer.forward_fast([x])[0], top)


def test_size_of_another_blob(run_layer, rand):
    text = 'layer { name: "i" type: "Interp" bottom: "a" bottom: "like" top: "b" interp_param { %s } }'
    x, like = rand(2, 3, 7, 4), rand(1, 1, 9, 14)
    run = run_layer(text % "")
    (top,) = run(x, like)
    assert torch.equal(top, reference.interp(x, (9, 14)))
    torch.testing.assert_close(run.layer.forward_fast([x, like])[0], top)
    with pytest.raises(DeepLabError, match="interp_param: one of"):
        run_layer(text % "zoom_factor: 2")
    with pytest.raises(DeepLabError, match="bottom"):
        run(x, rand(3, 4))


NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 16 dim: 7 dim: 4 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 16 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "i" type: "Interp" bottom: "c" top: "i" interp_param { height: 9 width: 14 } }
"""


def test_scores_of_bfloat16_are_not_rounded_again(tmp_path, rand):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    scores = Net(path, seed=1, precision="bf16").forward(x=rand(1, 16, 7, 4), outputs=["c", "i"])
    assert torch.equal(scores["c"].bfloat16().float(), scores["c"])
    assert torch.equal(scores["i"], reference.interp(scores["c"], (9, 14)))


def test_long_maps_take_their_own_memory(run_layer, tmp_path):
    (tmp_path / "none").touch()
    height = 10_000_000  # 40 MB
    forward, tops = run_layer(interp(f"height: {height} width: 1")), []
    bottom = torch.tensor([1.0, 2.0]).reshape(1, 1, 2, 1)
    assert check(lambda path: tops.extend(forward(bottom)), str(tmp_path / "none"), 3 * 4 * height) is None
    assert tops[0].shape == (1, 1, height, 1) and tops[0][0, 0, -1, 0] == 2

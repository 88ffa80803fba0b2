import pytest
import torch

from deeplab_caffe import Net
from deeplab_caffe.errors import DeepLabError


def argmax(fields="", v1=False):
    word, kind = ("layers", "ARGMAX") if v1 else ("layer", '"ArgMax"')
    return f'{word} {{ name: "m" type: {kind} bottom: "a" top: "b" argmax_param {{ {fields} }} }}'


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


@pytest.mark.parametrize("dialect, shape", [("v1", (1, 1, 3, 2)), ("v2", (1, 1, 1, 1))])
def test_v1_text_of_both_programs(tmp_path, dialect, shape):
    """The best label of each pixel, or the one best value of the whole image."""
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "a" input_dim: 1 input_dim: 4 input_dim: 3 input_dim: 2 '
        'layers { name: "m" type: ARGMAX bottom: "a" top: "m" }'
    )
    x = torch.arange(24.0).flip(0).view(1, 4, 3, 2)
    top = Net(path, dialect=dialect).forward(a=x)["m"]
    assert tuple(top.shape) == shape and (top == 0).all()

"""Layers that DeepLab v1 and v2 compute otherwise: the same numbers from the upgraded text."""

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.formats.upgrade_text import upgrade_text

INPUTS = """input: "scores" input_dim: 2 input_dim: 4 input_dim: 5 input_dim: 6
input: "label" input_dim: 2 input_dim: 1 input_dim: 5 input_dim: 6
input: "dims" input_dim: 2 input_dim: 1 input_dim: 1 input_dim: 2
input: "image" input_dim: 2 input_dim: 3 input_dim: 5 input_dim: 6
"""


def both(layer):
    """The first output of the V1 net and of its upgrade, flat; and the upgrade's remarks."""
    text = INPUTS + layer
    upgraded = upgrade_text(text, "n")
    generator = torch.Generator().manual_seed(0)
    values = {
        "scores": torch.randn(2, 4, 5, 6, generator=generator),
        "label": torch.randint(0, 4, (2, 1, 5, 6), generator=generator).float(),
        "dims": torch.tensor([[5.0, 6.0], [4.0, 6.0]]).view(2, 1, 1, 2),
        "image": torch.randint(0, 256, (2, 3, 5, 6), generator=generator).float(),
    }
    tops = []
    for source in (text, upgraded.text):
        net = Net(read_net("n", text=source))
        tops.append(net.forward(**values)["top"].flatten())
    return *tops, upgraded.remarks


CRF = "dense_crf_param { max_iter: 3 pos_w: 3 pos_xy_std: 3 bi_w: 5 bi_xy_std: 5 bi_rgb_std: 10 }"


@pytest.mark.parametrize(
    "layer",
    [
        'layers { name: "a" type: ARGMAX bottom: "scores" top: "top" }',
        'layers { name: "a" type: ARGMAX bottom: "scores" top: "top" argmax_param { top_k: 2 } }',
        'layers { name: "c" type: DENSE_CRF bottom: "scores" bottom: "dims" bottom: "image" top: "top" '
        + CRF
        + " }",
        'layers { name: "b" type: BIAS_CHANNEL bottom: "scores" bottom: "label" top: "top" '
        "bias_channel_param { label_type: PIXEL fg_bias: 2 } }",
        'layers { name: "s" type: SOFTMAX_LOSS bottom: "scores" bottom: "label" top: "top" '
        "softmaxloss_param { ignore_label: 2 } }",
        'layers { name: "s" type: SEG_ACCURACY bottom: "scores" bottom: "label" top: "top" }',
        'layers { name: "p" type: INNER_PRODUCT bottom: "scores" top: "top" '
        'inner_product_param { num_output: 3 weight_filler { type: "constant" value: 0.1 } } }',
    ],
)  # fmt: skip
def test_equal_bits(layer):
    before, after, remarks = both(layer)
    assert torch.equal(before, after) and not remarks


@pytest.mark.parametrize(
    ("layer", "remark"),
    [
        (
            'layers { name: "e" type: EUCLIDEAN_LOSS bottom: "scores" bottom: "scores" top: "top" }',
            "n: layer 'e' (EuclideanLoss): V1 divides by the number of values, V2 by that of images",
        ),
        (
            'layers { name: "a" type: ARGMAX bottom: "scores" top: "top" '
            "argmax_param { out_max_val: true } }",
            "n: layer 'a' (ArgMax): V1 appends the values (out_max_val) to the indices, V2 gives them alone",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_kept(layer, remark):
    assert both(layer)[2] == [remark]

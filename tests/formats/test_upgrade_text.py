"""Texts that come out as whoever wrote them would have written V2."""

import re
from pathlib import Path

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_text
from deeplab_caffe.formats.upgrade_text import upgrade_text

FOLDERS = [Path(__file__).parents[2] / "prototxt", Path(__file__).parents[3] / "shared/reference/prototxt"]

V1 = """# A net.
name: "n"  # its name
layers {
  name: "data" type: IMAGE_DATA top: "data"
  image_data_param {
    source: "${ROOT}/list.txt"  # of images
    scale: 0.5
    batch_size: ${BATCH}
    crop_size: 7
  }
}

layers {
  name: "conv"
  type: CONVOLUTION
  bottom: "data" top: "conv"
  # learning rates
  blobs_lr: 1
  blobs_lr: ${RATE}  # bias
  # decay
  weight_decay: 1
  weight_decay: 0
  param: "w"
  convolution_param { num_output: ${LABELS} kernel_size: 3 hole: 2 }  # atrous
}
"""
V1_UPGRADED = """# A net.
name: "n"  # its name
layer {
  name: "data" type: "ImageData" top: "data"
  image_data_param {
    source: "${ROOT}/list.txt"
    batch_size: ${BATCH}
  }
  transform_param {  # of images
    scale: 0.5 crop_size: 7 }
}

layer {
  name: "conv"
  type: "Convolution"
  bottom: "data" top: "conv"
  # learning rates
  param { name: "w" lr_mult: 1 decay_mult: 1 }
  param { lr_mult: ${RATE} decay_mult: 0 }  # bias
  # decay
  convolution_param { num_output: ${LABELS} kernel_size: 3 dilation: 2 }  # atrous
}
"""


def test_v1():
    upgraded = upgrade_text(V1, "n")
    assert (upgraded.text, upgraded.was, upgraded.remarks) == (V1_UPGRADED, "V1", [])
    again = upgrade_text(V1_UPGRADED, "n")
    assert (again.text, again.was) == (V1_UPGRADED, "V2")


def test_v0():
    text = """input: "x" input_dim: [1, 3, 9, 9]
# border
layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "padded" }
layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 biasterm: false blobs_lr: 1. }
  bottom: "padded" top: "c" }
layers { layer { name: "q" type: "pool" pool: MAX kernelsize: 3 stride: 2 } bottom: "c" top: "q" }
"""
    assert upgrade_text(text, "n").text == (
        """input: "x" input_dim: [1, 3, 9, 9]
# border
layer { name: "c" type: "Convolution" """
        """convolution_param { num_output: 4 kernel_size: 3 bias_term: false pad: 2 } param { lr_mult: 1. }
  bottom: "x" top: "c" }
layer { name: "q" type: "Pooling" pooling_param { pool: MAX kernel_size: 3 stride: 2 } bottom: "c" top: "q" }
"""
    )


def test_holes_of_rows_and_columns():
    text = 'layer { name: "c" type: "Convolution" convolution_param { hole_w: 3 kernel_size: 1 hole_h: 2 } }'
    assert "{ dilation: 2 kernel_size: 1 dilation: 3 }" in upgrade_text(text, "n").text


def test_rates_in_a_list():
    text = 'layers { name: "c" type: RELU blobs_lr: [1, 2] top: "c" }'
    assert "param { lr_mult: 1 } param { lr_mult: 2 } top" in upgrade_text(text, "n").text


def test_solvers():
    text = 'net: "train.prototxt"\nbase_lr: ${LR}  # start\nsolver_type: ADAGRAD\n'
    upgraded = upgrade_text(text, "s")
    assert upgraded.text == text.replace("solver_type: ADAGRAD", 'type: "AdaGrad"')
    assert upgraded.was == "solver"


@pytest.mark.slow
def test_every_prototxt():
    """Each is compared, inside, with what `upgrade` makes of it; twice is once."""
    files = [path for folder in FOLDERS for path in folder.rglob("*.prototxt")]
    kinds = set()
    for path in files:
        upgraded = upgrade_text(read_text(path), str(path))
        kinds.add(upgraded.was)
        assert upgrade_text(upgraded.text, str(path)).text == upgraded.text
        plain = re.sub("#.*", "", upgraded.text)
        assert not re.search(r"\b(layers|hole|blobs_lr)\b", plain)
        assert upgraded.text.count("${") == read_text(path).count("${")
    assert kinds >= {"V1", "V2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layers { name: "a" type: RELUU }', "n:1: layer 'a': unknown layer type RELUU"),
        ('layers { name: "a" type: RELU } layer { name: "b" type: "ReLU" }', "the file mixes"),
        ('layers { layer { name: "a" type: "new" } }', "layer '.*': type: unknown layer type 'new'"),
        ('layer { name: "c" type: "Convolution" convolution_param { hole: 2 dilation: 2 } }', "beside hole"),
        ('layers { name: "a" type: ${KIND} }', "n: layer 'a': type: [$]{KIND} given, a type's name wanted"),
        (
            'layers { layer { name: "a" type: "relu" } weight_decay: 1 }',
            "n: layer 'a': cannot be rewritten; has it fields of two versions",
        ),
        ("a: [1, 2" + "# x\n" * 50, "n:1: 'a' has no value"),  # at once
        ("solver_type: FAST", "unknown SolverType FAST"),
        ("just words", "n:1: 'just' has no value|unknown field 'just'"),
        ("", "no layers and no solver in it"),
    ],
)
def test_errors(text, message):
    with pytest.raises(DeepLabError, match=message):
        upgrade_text(text, "n")

import pytest

from deeplab_caffe.commands.shape_options import parse_shapes, parse_size
from deeplab_caffe.errors import DeepLabError


def test_parse_shapes():
    assert parse_shapes(["data=1x3x5x7", "a=b=4"]) == {"data": (1, 3, 5, 7), "a=b": (4,)}
    assert parse_shapes(None) == {}
    for wrong in ("data", "=3", "data=", "data=0x1", "data=ax2", "data=-1"):
        with pytest.raises(DeepLabError, match="--shape"):
            parse_shapes([wrong])
    with pytest.raises(DeepLabError, match="given twice"):
        parse_shapes(["a=1", "a=2"])


def test_parse_size():
    assert parse_size("3x45") == (3, 45) and parse_size(None) is None
    for wrong in ("3", "0x4", "axb", "3x4x5", "-1x4", "1x10000000"):
        with pytest.raises(DeepLabError, match="--size"):
            parse_size(wrong)

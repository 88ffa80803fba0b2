"""A native ConvGeometry is made by naming its fields."""

import pytest

from deeplab_caffe import _C

FIELDS = """batch groups in_channels in_height in_width out_channels out_height out_width kernel_height
kernel_width stride_height stride_width pad_height pad_width dilation_height dilation_width
in_plane out_plane""".split()
NUMBERS = [2, 1, 8, 10, 11, 16, 5, 6, 3, 3, 2, 2, 1, 1, 1, 1, 200, 300]


def fields(geometry):
    return [getattr(geometry, name) for name in FIELDS]


def test_every_field_is_what_was_given():
    named = _C.ConvGeometry(**dict(zip(FIELDS, NUMBERS, strict=True)))
    assert fields(named) == NUMBERS and not named.depthwise


def test_planes_are_those_of_whole_images_and_steps_are_one():
    geometry = _C.ConvGeometry(**dict(zip(FIELDS[:10], NUMBERS, strict=False)))
    assert fields(geometry)[10:] == [1, 1, 0, 0, 1, 1, 10 * 11, 5 * 6]


def test_what_does_not_fit():
    with pytest.raises(TypeError):
        _C.ConvGeometry(NUMBERS)
    with pytest.raises(TypeError):
        _C.ConvGeometry(batch=1)

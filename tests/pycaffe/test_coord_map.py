import numpy as np
import pytest

from deeplab_caffe.pycaffe import coord_map as cm
from deeplab_caffe.pycaffe.net_spec import layers as L


def data(*shape):
    return L.Input(shape={"dim": list(shape or (1, 1, 40, 40))})


def test_maps_of_layers():
    conv = L.Convolution(data(), num_output=1, kernel_size=3, stride=2, pad=1, dilation=2)
    axis, scale, shift = cm.coord_map(conv.fn)
    assert (axis, scale, shift) == (1, 0.5, -0.5)
    deconv = L.Deconvolution(conv, convolution_param={"kernel_size": 4, "stride": 2, "pad": 1})
    assert cm.coord_map(deconv.fn) == (1, 2, 0.5)
    assert cm.coord_map(L.Pooling(conv, kernel_size=2, stride=2).fn) == (1, 0.5, -0.25)
    assert cm.coord_map(L.ReLU(conv).fn) == cm.IDENTITY
    assert cm.coord_map(L.Crop(conv, deconv, axis=3, offset=[2]).fn) == (2, 1, -2)
    with pytest.raises(cm.UndefinedMapException, match="InnerProduct maps no coordinates"):
        cm.coord_map(L.InnerProduct(conv).fn)


@pytest.mark.parametrize("field", ["kernel_h", "pad_w", "stride_h"])
def test_fields_of_one_side(field):
    with pytest.raises(AssertionError, match=field):
        cm.coord_map(L.Convolution(data(), kernel_size=3, convolution_param={field: 1, "kernel_size": 1}).fn)


def test_compose_and_inverse():
    forth = (1, np.array([0.5]), np.array([-0.5]))
    axis, scale, shift = cm.compose(cm.inverse(forth), forth)
    assert (axis, scale, shift) == (1, 1, 0)
    assert cm.compose(cm.IDENTITY, forth) == forth == cm.compose(forth, cm.IDENTITY)
    with pytest.raises(cm.AxisMismatchException):
        cm.compose((1, 1, 0), (2, 1, 0))


def fcn(pad, image=None):
    """FCN's: a padding, then down and up by 8."""
    image = image or data()
    conv = L.Convolution(image, num_output=1, kernel_size=3, pad=pad)
    pool = L.Pooling(L.Pooling(L.Pooling(conv, kernel_size=2, stride=2), kernel_size=2, stride=2))
    for fn in (pool.fn, pool.fn.inputs[0].fn):
        fn.params.update(kernel_size=2, stride=2)
    return image, L.Deconvolution(pool, convolution_param={"kernel_size": 16, "stride": 8})


@pytest.mark.parametrize("pad", [1, 11, 100])
def test_crop(pad):
    """The crop's pixels lie where the score's do: half a kernel of the deconvolution and the padding."""
    image, up = fcn(pad)
    crop = cm.crop(up, image)
    assert crop.fn.params == {"crop_param": {"axis": 2, "offset": [pad - 1 + 4]}}
    assert crop.fn.inputs == (up, image)
    _, scale, shift = cm.coord_map_from_to(crop, image)
    assert (scale, shift) == (1, 0)


def test_crop_of_what_is_as_large():
    image = data()
    assert cm.crop(L.ReLU(image), image).fn.params == {"crop_param": {"axis": 2, "offset": [0]}}


def test_crops_that_there_are_not():
    image, up = fcn(1)
    pooled = L.Pooling(image, kernel_size=2, stride=2)
    with pytest.raises(AssertionError, match="differ in scale"):
        cm.crop(up, pooled)
    with pytest.raises(AssertionError, match="negative"):
        cm.crop(L.Convolution(image, num_output=1, kernel_size=3), image)
    with pytest.raises(AssertionError, match="not a whole number"):
        cm.crop(L.Deconvolution(image, kernel_size=2), image)
    with pytest.raises(RuntimeError, match="no coordinate map"):
        cm.coord_map_from_to(L.InnerProduct(image), image)


def test_axes_of_their_own():
    conv = L.Convolution(data(1, 1, 9, 9, 9), num_output=1, kernel_size=[3, 5, 1], pad=[0, 2, 4])
    _, scale, shift = cm.coord_map_from_to(conv, conv.fn.inputs[0])
    assert (scale == 1).all()
    assert shift.tolist() == [1, 0, -4]

import numpy as np
import pytest
import torch

from deeplab_caffe.images import resize


def test_crop():
    planes = np.arange(24).reshape(2, 3, 4)
    assert resize.crop(planes, 1, 2, 2, 1).tolist() == [[[6], [10]], [[18], [22]]]


def test_resize():
    image = np.repeat(np.array([[0, 100]], np.uint8)[:, :, None], 3, axis=2)
    assert resize.resize_image(image, 1, 4)[0, :, 0].tolist() == [0, 25, 75, 100]
    assert resize.resize_label(np.array([[1, 2], [3, 4]], np.uint8), 4, 2)[:, 0].tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize("size", [(7, 9), (20, 31), (3, 50), (12, 17)])
def test_a_window_of_a_resized_image(size):
    image = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)
    window = resize.Window(1, 2, size[0] - 2, size[1] - 5)
    for resized, pixels in ((resize.resize_image, image), (resize.resize_label, image[:, :, 0])):
        assert (resized(pixels, *size, window) == window.of(resized(pixels, *size))).all()
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float()
    wanted = torch.nn.functional.interpolate(planes, size, mode="bilinear")[0].numpy().transpose(1, 2, 0)
    assert np.abs(resize.resize_image(image, *size) - wanted).max() < 0.502


def test_a_smooth_resize_sees_every_pixel():
    image = np.zeros((8, 8, 3), np.uint8)
    image[3, 3] = 255
    assert resize.smooth_resize(image, 2, 2).max(axis=(1, 2)).min() > 0
    assert resize.resize_image(image, 2, 2).max() == 0
    assert resize.smooth_resize(image[:, :, :1], 3, 5).shape == (3, 5, 1)

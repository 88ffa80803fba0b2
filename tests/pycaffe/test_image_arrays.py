import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.pycaffe.image_arrays import load_image, oversample, resize_image


def image(height, width, channels, seed=0):
    return np.random.default_rng(seed).random((height, width, channels)).astype(np.float32)


def at(plane, y, x):
    return plane[y, x] if 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1] else 0.0


def by_loops(plane, height, width, place):
    """Bilinear, pixel by pixel; `place` tells where an output's pixel lies in an axis."""
    plane = plane.astype(np.float64)
    out = np.empty((height, width))
    for row in range(height):
        for column in range(width):
            y, x = place(row, plane.shape[0], height), place(column, plane.shape[1], width)
            top, left = int(np.floor(y)), int(np.floor(x))
            dy, dx = y - top, x - left
            first = (1 - dx) * at(plane, top, left) + dx * at(plane, top, left + 1)
            second = (1 - dx) * at(plane, top + 1, left) + dx * at(plane, top + 1, left + 1)
            out[row, column] = (1 - dy) * first + dy * second
    return out


def centre(place, old, new):
    return (place + 0.5) * old / new - 0.5


def corner(place, old, new):
    return place * ((old - 1) / (new - 1)) if new > 1 else place


@pytest.mark.parametrize(("height", "width"), [(5, 7), (4, 4), (11, 3), (1, 1), (9, 20)])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_resize_image(height, width, channels):
    pixels = image(6, 9, channels) * 255
    low, high = pixels.min(), pixels.max()
    if channels in (1, 3):
        expected = [
            by_loops((plane - low) / (high - low), height, width, centre) * (high - low) + low
            for plane in pixels.transpose(2, 0, 1)
        ]
    else:
        expected = [by_loops(plane, height, width, corner) for plane in pixels.transpose(2, 0, 1)]
    result = resize_image(pixels, (height, width))
    assert result.dtype == np.float32
    assert (result == np.stack(expected, -1).astype(np.float32)).all()


def test_outside_counts_as_the_minimum():
    """scikit-image's mode "constant": the border of what is enlarged becomes darker."""
    pixels = np.ones((2, 2, 3), np.float32)
    pixels[0, 0] = 0.5
    result = resize_image(pixels, (4, 4))
    assert result[3, 3, 0] == 0.5 + 0.5 * 0.75 * 0.75


def test_constant_images_stay_constant():
    result = resize_image(np.full((3, 4, 3), 7, np.uint8), (6, 2))
    assert result.dtype == np.float32
    assert (result == 7).all()


def test_other_orders_take_scipy():
    pytest.importorskip("scipy")
    pixels = image(4, 6, 3)
    nearest = resize_image(pixels, (8, 12), interp_order=0)
    assert np.abs(nearest - pixels.repeat(2, 0).repeat(2, 1)).max() < 1e-6
    cubic = resize_image(pixels, (9, 13), interp_order=3)
    assert pixels.min() <= cubic.min() + 1e-6 and cubic.max() <= pixels.max() + 1e-6
    assert resize_image(image(4, 6, 2), (8, 12), interp_order=3).shape == (8, 12, 2)


@pytest.mark.parametrize(("shape", "size"), [((4, 4), (2, 2)), ((0, 4, 3), (2, 2)), ((4, 4, 3), (0, 2))])
def test_what_cannot_be_resized(shape, size):
    with pytest.raises(DeepLabError, match="resize_image: cannot resize"):
        resize_image(np.zeros(shape, np.float32), size)


@pytest.mark.parametrize("color", [True, False])
def test_load_image(tmp_path, color):
    rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 4), np.uint8)
    deep = np.random.default_rng(1).integers(0, 65536, (4, 5)).astype(np.uint16)
    grey = rgb[:, :, :3] @ (0.2125, 0.7154, 0.0721) / 255
    expected = {
        "rgb.png": (rgb[:, :, :3], rgb[:, :, :3] / 255, grey),
        "alpha.png": (rgb, rgb[:, :, :3] / 255, grey),
        "grey.png": (rgb[:, :, 0], rgb[:, :, [0] * 3] / 255, rgb[:, :, 0] / 255),
        "deep.png": (deep, deep[:, :, None].repeat(3, 2) / 65535, deep / 65535),
    }
    for name, (pixels, in_colour, in_grey) in expected.items():
        Image.fromarray(pixels).save(tmp_path / name)
        result = load_image(str(tmp_path / name), color)
        assert result.dtype == np.float32
        assert np.abs(result - (in_colour if color else in_grey[:, :, None])).max() < 1e-7, name


def test_load_image_of_two_colours(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "two.png")
    assert load_image(tmp_path / "two.png", color=False).tolist() == [[[0.0], [1.0]]]


def test_load_image_without_a_file(tmp_path):
    with pytest.raises(DeepLabError, match="no such image"):
        load_image(tmp_path / "none.png")


def test_oversample():
    images = [image(6, 9, 3, seed) for seed in range(2)]
    crops = oversample(images, (3, 4))
    assert crops.shape == (20, 3, 4, 3)
    assert crops.dtype == np.float32
    places = [(0, 0), (0, 5), (3, 0), (3, 5), (1, 2)]
    for number, pixels in enumerate(images):
        for place, (top, left) in enumerate(places):
            crop = pixels[top : top + 3, left : left + 4]
            assert (crops[10 * number + place] == crop).all()
            assert (crops[10 * number + 5 + place] == crop[:, ::-1]).all()


def test_oversample_of_too_small_images():
    with pytest.raises(DeepLabError, match="oversample: crops of"):
        oversample([image(3, 3, 3)], (4, 2))

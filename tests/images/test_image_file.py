import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images import image_file


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_colour_is_rgb(tmp_path, colours):
    path = save(tmp_path / "a.png", Image.fromarray(colours))
    assert (image_file.read_image(path) == colours).all()


def test_alpha_is_dropped(tmp_path, colours):
    rgba = np.dstack([colours, np.arange(63, dtype=np.uint8).reshape(7, 9)])
    path = save(tmp_path / "a.png", Image.fromarray(rgba))
    assert (image_file.read_image(path) == colours).all()


def test_grey_and_palette_become_colour(tmp_path):
    grey = np.arange(63, dtype=np.uint8).reshape(7, 9)
    path = save(tmp_path / "grey.png", Image.fromarray(grey))
    assert (image_file.read_image(path) == grey[:, :, None]).all()
    image = Image.fromarray(grey)
    image.putpalette(bytes((i * k) % 256 for i in range(256) for k in (1, 3, 7)))
    path = save(tmp_path / "palette.png", image)
    assert image_file.read_image(path)[0, 5].tolist() == [5, 15, 35]
    assert (image_file.read_label(path) == grey).all()


def test_16_bits_keep_their_upper_byte(tmp_path):
    deep = (np.arange(63, dtype=np.uint16).reshape(7, 9) * 1000).astype(np.uint16)
    path = save(tmp_path / "a.png", Image.fromarray(deep))
    assert (image_file.read_image(path) == (deep >> 8).astype(np.uint8)[:, :, None]).all()


def test_exif_rotation_is_ignored(tmp_path, colours):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", Image.fromarray(colours), exif=exif)
    assert image_file.read_image(path).shape == (7, 9, 3)


def test_one_pixel(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGB", (1, 1), (1, 2, 3)))
    assert image_file.read_image(path).tolist() == [[[1, 2, 3]]]


def test_labels_of_colour_images(tmp_path, colours):
    with pytest.raises(DeepLabError, match="grey or palette"):
        image_file.read_label(save(tmp_path / "a.png", Image.fromarray(colours)))
    same = np.repeat(colours[:, :, :1], 3, axis=2)
    assert (image_file.read_label(save(tmp_path / "b.png", Image.fromarray(same))) == colours[:, :, 0]).all()


def bomb(width, height):
    """A PNG of a few hundred bytes that claims to be enormous."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    "content, message",
    [
        (b"this is only text\n", "not an image"),
        (b"", "not an image"),
        (bomb(60000, 60000), "more than .* pixels"),
        (bomb(10000, 10000), "more than .* pixels"),
        (bomb(300, 300), "broken image"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 30, "not an image|broken image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x01" * 40, "not an image|broken image"),
    ],
)
def test_hostile_files_are_one_line_errors(tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DeepLabError, match=message) as caught:
        image_file.read_image(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_truncated_jpeg(tmp_path, colours):
    path = save(tmp_path / "a.jpg", Image.fromarray(np.tile(colours, (20, 20, 1))))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DeepLabError, match="broken image"):
        image_file.read_image(path)


def test_missing_and_folder(tmp_path):
    with pytest.raises(DeepLabError, match="no such image"):
        image_file.read_image(tmp_path / "none.png")
    with pytest.raises(DeepLabError, match="not a file"):
        image_file.read_image(tmp_path)


def test_write_image(tmp_path):
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    palette = np.zeros((256, 3), np.uint8)
    palette[2] = (10, 20, 30)
    image_file.write_image(tmp_path / "sub" / "a.png", labels, palette)
    assert (image_file.read_label(tmp_path / "sub" / "a.png") == labels).all()
    assert image_file.read_image(tmp_path / "sub" / "a.png")[1, 0].tolist() == [10, 20, 30]
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["a.png"]


def test_what_is_written_is_read_again(tmp_path, colours):
    path = tmp_path / "a.png"
    image_file.write_image(path, colours)
    assert (image_file.read_image(path) == colours).all()
    image_file.write_image(tmp_path / "b.png", image_file.read_image(path))
    assert (image_file.read_image(tmp_path / "b.png") == colours).all()
    assert (np.asarray(Image.open(path)) == colours).all()


@pytest.mark.slow
def test_48_million_pixels(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGB", (8000, 6000), (1, 2, 3)), compress_level=1)
    image = image_file.read_image(path)
    assert image.shape == (6000, 8000, 3) and image[-1, -1].tolist() == [1, 2, 3]


def test_read_image_bytes(tmp_path, colours):
    def decoded(image, color=None):
        return image_file.read_image_bytes(save(tmp_path / "x.png", image).read_bytes(), "x", color)

    assert (decoded(Image.fromarray(colours)) == colours).all()
    grey = Image.fromarray(colours[:, :, 0])
    assert (decoded(grey)[:, :, 0] == colours[:, :, 0]).all() and decoded(grey).shape[2] == 1
    assert (decoded(grey, True) == decoded(grey)).all() and decoded(grey, True).shape[2] == 3
    assert decoded(Image.fromarray(colours), False).shape[2] == 1
    assert (decoded(Image.fromarray(colours).convert("RGBA")) == colours).all()
    assert decoded(grey.convert("P")).shape[2] == 3
    with pytest.raises(DeepLabError, match="record 7: not an image"):
        image_file.read_image_bytes(b"nothing", "record 7")

"""Photos as they come: each is read right, or refused with the reason."""

import struct
import sys
import warnings

import numpy as np
import pytest
from PIL import Image, features

from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from deeplab_caffe.images import image_file
from deeplab_caffe.images.image_file import read_image, read_label

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
PHOTO = Image.fromarray(PIXELS)
SMOOTH = Image.linear_gradient("L").resize((30, 20)).convert("RGB")  # what lossy formats keep


@pytest.fixture
def path(tmp_path):
    """A file's name of a kind: path("png")."""
    return lambda kind: tmp_path / f"photo.{kind}"


def saved(path, image, **options):
    image.save(path, **options)
    return path


def tiff(path, values, sample_format=1):
    """An uncompressed TIFF of one strip, of values (H, W) or (H, W, 3) of any type."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    data = values.tobytes()
    tags = [
        (256, 4, values.shape[1]),
        (257, 4, values.shape[0]),
        (259, 3, 1),
        (262, 3, 1 if channels == 1 else 2),
    ]
    tags += [
        (273, 4, 8),
        (277, 3, channels),
        (278, 4, values.shape[0]),
        (279, 4, len(data)),
        (339, 3, sample_format),
    ]
    at = 8 + len(data)
    bits = 8 * values.itemsize
    extra = struct.pack("<3H", bits, bits, bits)
    tags.append((258, 3, bits if channels == 1 else at + 6 + 12 * 10))
    rows = [
        struct.pack("<HHII", tag, kind, 3 if tag == 258 and channels == 3 else 1, value)
        for tag, kind, value in sorted(tags)
    ]
    path.write_bytes(
        b"II*\0" + struct.pack("<I", at) + data + struct.pack("<H", 10) + b"".join(rows) + bytes(4) + extra
    )
    return path


@pytest.mark.parametrize("turn", range(2, 9))
def test_exif_rotation(path, turn):
    """As stored, whatever way round, with one warning that says so."""
    exif = Image.Exif()
    exif[0x0112] = turn
    file = saved(path("png"), PHOTO, exif=exif)
    with pytest.warns(DeepLabWarning, match="read as they are stored"):
        assert (read_image(file) == PIXELS).all()


@pytest.mark.parametrize("value", [None, 1])
def test_upright_photos_give_no_warning(path, value):
    exif = Image.Exif()
    if value:
        exif[0x0112] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(saved(path("jpg"), PHOTO, exif=exif))


@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_cmyk(path, kind):
    read = read_image(
        saved(path(kind), SMOOTH.convert("CMYK"), **({"quality": 100} if kind == "jpg" else {}))
    )
    assert np.abs(read.astype(int) - np.asarray(SMOOTH)).max() <= 4


def test_16_bits(path):
    deep = PIXELS.astype(np.uint16) * 256 + 7
    grey = saved(path("png"), Image.fromarray(deep[:, :, 0]))
    assert (read_image(grey) == PIXELS[:, :, :1]).all() and read_image(grey, color=False).shape == (20, 30, 1)
    assert (read_image(tiff(path("tif"), deep)) == PIXELS).all()
    assert (read_image(tiff(path("tif"), deep[:, :, 0])) == PIXELS[:, :, :1]).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "YCbCr"])
def test_modes(path, mode):
    """Grey, two colours, palettes, alpha: in colour, without alpha."""
    image = PHOTO.convert("L").convert("LA").convert("PA") if mode == "PA" else PHOTO.convert(mode)
    kind = "tif" if mode in ("PA", "YCbCr") else "png"
    read = read_image(saved(path(kind), image))
    assert read.shape == (20, 30, 3) and read.dtype == np.uint8
    wanted = np.asarray((image.convert("RGBA") if mode in ("LA", "RGBA") else image).convert("RGB"))
    assert np.abs(read.astype(int) - wanted).max() <= 3


def test_floating_point_and_32_bits_are_refused(path):
    for values, sample_format, kind in ((PIXELS / 255, 3, "floating point"), (PIXELS, 1, "32-bit integers")):
        deep = values[:, :, 0].astype(np.float32 if sample_format == 3 else np.uint32)
        with pytest.raises(
            DeepLabError, match=rf"photo\.tif: an image of {kind}; one of 8 or 16 bits wanted"
        ):
            read_image(tiff(path("tif"), deep, sample_format))


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_of_several_pictures_the_first(path, kind):
    if kind == "webp" and not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    lossless = {"lossless": True} if kind == "webp" else {}
    first, second = Image.new("RGB", (30, 20), (200, 100, 0)), Image.new("RGB", (30, 20), (0, 0, 200))
    file = saved(path(kind), first, save_all=True, append_images=[second], **lossless)
    assert read_image(file)[0, 0].tolist() == [200, 100, 0]


def test_transparent_gif(path):
    file = saved(path("gif"), PHOTO.quantize(16), transparency=0)
    assert read_image(file).shape == (20, 30, 3)


def test_heic(path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(SMOOTH).save(path("heic"), quality=100)
    read = read_image(path("heic"))
    assert np.abs(read.astype(int) - np.asarray(SMOOTH)).max() <= 8


def test_heic_without_the_package(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path("heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(DeepLabError) as caught:
        read_image(path("heic"))
    assert str(caught.value) == (f"{path('heic')}: HEIC needs pillow-heif: pip install 'deeplab_caffe[heic]'")


@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "bmp", "tif", "ppm"])
def test_truncated(path, kind):
    whole = saved(path(kind), PHOTO).read_bytes()
    for length in (len(whole) // 2, len(whole) - len(whole) // 4):
        path(kind).write_bytes(whole[:length])
        with pytest.raises(DeepLabError, match=rf"photo\.{kind}: (broken image|not an image)"):
            read_image(path(kind))


@pytest.mark.parametrize(
    "head", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.4", b"<svg/>", b"8BPS"]
)
def test_kinds_that_are_not_read(path, head):
    """EPS by any name: Pillow would start Ghostscript on it."""
    path("png").write_bytes(head + bytes(200))
    with pytest.raises(DeepLabError, match="not an image, or of a kind that is not read"):
        read_image(path("png"))


def test_too_many_pixels(path):
    file = saved(path("png"), PHOTO)
    with pytest.raises(DeepLabError, match=r"photo\.png: 30x20, more than 599 pixels"):
        read_image(file, max_pixels=599)
    assert read_image(file, max_pixels=600).shape == (20, 30, 3)


def test_pixels_are_counted_before_they_are_decoded(path, monkeypatch):
    file = saved(path("png"), Image.new("L", (4000, 4000)))
    monkeypatch.setattr(image_file, "MAX_PIXELS", 10**6)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DeepLabError, match="4000x4000, more than 1000000 pixels"):
        read_label(file)


def test_damage_that_pillow_warns_of_is_silent(path):
    """Pillow's warnings tell nothing that a user can do."""
    exif = Image.Exif()
    exif[0x0112] = 1
    data = saved(path("jpg"), PHOTO, exif=exif).read_bytes()
    at = data.index(b"Exif\0\0") + 6
    path("jpg").write_bytes(data[: at + 8] + b"\xff\x7f" + data[at + 10 :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path("jpg")).shape == (20, 30, 3)

"""Pictures, label maps and lists for tiny data sets."""

import numpy as np
import scipy.io
from PIL import Image

from deeplab_caffe.images.voc_palette import voc_palette

SIZE = (12, 16)  # height and width of the images


def picture(path, size=SIZE, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path, format="JPEG" if path.suffix.lower() == ".jpg" else "PNG")


def numbers(*values, size=SIZE):
    """A label map in stripes."""
    return np.resize(np.array(values, np.uint8), size)


def save(path, labels, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if palette is not None:
        image = image.convert("L")
        image.putpalette(np.asarray(palette, np.uint8).tobytes())
    image.save(path, format="PNG")


def lines(path, *words):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{word}\n" for word in words))


def read(path):
    return np.asarray(Image.open(path))


def voc_colours():
    colours = voc_palette(256).copy()
    assert colours[255].tolist() == [224, 224, 192]
    return colours


def save_sbd(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    gtcls = {"Segmentation": labels, "CategoriesPresent": np.unique(labels).astype(float)}
    scipy.io.savemat(path, {"GTcls": gtcls}, do_compression=True)

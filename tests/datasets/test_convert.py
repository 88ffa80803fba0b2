import re

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.datasets.convert import Colours, Table, read_numbers, voids
from deeplab_caffe.errors import DeepLabError


def test_numbers():
    table = Table(300, {1: 0, 299: 7, 2: 255}, "1, 2 or 299")
    assert table.convert(np.array([[1, 299], [2, 2]], np.uint16), "a").tolist() == [[0, 7], [255, 255]]
    for value in (0, 300, -1, 65535):
        with pytest.raises(DeepLabError, match=f"^a: row 1, column 0: label {value}; 1, 2 or 299 wanted$"):
            table.convert(np.array([[1, 2], [value, 1]]), "a")


def test_colours():
    colours = Colours({(0, 0, 1): 3, (255, 0, 0): 1, (0, 255, 255): 255}, "one of three")
    pixels = np.array([[[255, 0, 0], [0, 0, 1], [0, 255, 255]]], np.uint8)
    assert colours.convert(pixels, "a").tolist() == [[1, 3, 255]]
    for wrong in ((255, 255, 255), (0, 0, 0), (0, 1, 0)):
        pixels[0, 1] = wrong
        message = f"a: row 0, column 1: colour {' '.join(map(str, wrong))}; one of three wanted"
        with pytest.raises(DeepLabError, match=re.escape(message)):
            colours.convert(pixels, "a")


def test_numbers_of_16_bits(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 258]], np.uint16)).save(path)
    assert read_numbers(path, Table(259, {0: 1, 258: 2}, "0")).tolist() == [[1, 2]]
    assert voids(2) == {0: 0, 1: 1, 255: 255}

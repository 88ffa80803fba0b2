import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.validate import pictures
from deeplab_caffe.validate.grid import Grid
from deeplab_caffe.validate.results import Picture


def pixels(shown):
    head, data = shown.uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def picture(kind, theirs, ours, channel=0):
    return Picture(kind, channel, Grid.of(np.array(theirs)), Grid.of(np.array(ours)))


def test_where():
    shown = pictures.where(Grid.of(np.array([[0, 3], [12, 0]], np.uint8), step=4))
    image = pixels(shown).astype(int).sum(-1)
    assert image[0, 0] == image[1, 1] > image[0, 1] > image[1, 0]  # pale is equal
    assert "4 × 4 pixels" in shown.caption and "≥ 2¹¹ ulp" in shown.caption
    assert "a pixel" in pictures.where(Grid.of(np.array([[0, 2]], np.uint8))).caption


def test_labels():
    shown = pictures.triple(picture("labels", [[0, 1], [2, 255]], [[0, 1], [3, 255]]))
    theirs, ours, difference = map(pixels, shown)
    assert theirs[0, 1].tolist() == [128, 0, 0] and (theirs[0] == ours[0]).all()
    changed = (difference == pictures.CHANGED).all(-1)
    assert changed.tolist() == [[False, False], [True, False]]
    assert [one.caption for one in shown] == ["theirs", "ours", "other labels"]
    assert pictures.triple(picture("labels", [[1]], [[1]]))[2].caption == "no label differs here"


def test_values():
    theirs = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    ours = theirs.copy()
    ours[0, 0] += 0.5
    ours[7, 7] -= 0.25
    shown = pictures.triple(picture("values", theirs, ours, channel=5))
    difference = pixels(shown[2]).astype(int)
    assert difference[0, 0, 0] > difference[0, 0, 2]  # red: ours is larger
    assert difference[7, 7, 2] > difference[7, 7, 0]
    assert np.ptp(difference[3, 3]) < 10  # white
    assert "channel 5" in shown[0].caption and "0.5" in shown[2].caption


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_values_that_are_no_numbers(value):
    shown = pictures.triple(picture("values", np.float32([[value, 1]]), np.float32([[1, value]])))
    assert all(pixels(one).shape == (1, 2, 3) for one in shown)
    shown = pictures.triple(picture("values", np.float32([[value]]), np.float32([[value]])))
    assert len(shown) == 3


def test_histogram_and_overview():
    for text in (pictures.histogram([10, 0, 5]), pictures.overview([[10], [3, 4, 5], [], [0, 0, 0, 7]])):
        root = ElementTree.fromstring(text)
        texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "ulp apart" in texts and "2–3" in texts
    assert "≥ 2²⁹" in pictures.overview([[0] * 31 + [1]])

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.images.palettes import palette
from deeplab_caffe.segmenter import contact_sheet
from deeplab_caffe.segmenter.contact_sheet import SIDE, ContactSheet, panels


@pytest.fixture
def sheet(tmp_path):
    return ContactSheet(tmp_path / "out", palette("camvid"))


def test_panels_are_photo_labels_and_both():
    image = np.full((500, 1000, 3), (200, 100, 0), np.uint8)
    labels = np.zeros((500, 1000), np.uint8)
    labels[:, 500:] = 3
    strip = panels(image, labels, palette("camvid").colours)
    assert strip.shape == (SIDE // 2, 3 * SIDE + 4, 3)
    photo, small, both = strip[:, :SIDE], strip[:, SIDE + 2 : 2 * SIDE + 2], strip[:, 2 * SIDE + 4 :]
    assert (photo == (200, 100, 0)).all()
    assert {tuple(colour) for colour in small.reshape(-1, 3)} == {(128, 128, 128), (128, 64, 128)}
    assert (small[:, : SIDE // 2] == 128).all() and (both[0, -1] == (157, 78, 77)).all()


def test_grey_and_one_pixel():
    strip = panels(np.full((1, 1, 1), 7, np.uint8), np.zeros((1, 1), np.uint8), palette("voc").colours)
    assert strip.shape == (1, 7, 3) and (strip[0, 0] == 7).all()


def add(sheet, name, labels):
    image = np.zeros((*labels.shape, 3), np.uint8)
    sheet.add(
        name, sheet.folder.parent / f"{name}.jpg", image, labels, {"labels": f"{sheet.folder}/labels/x.png"}
    )


def test_a_page(sheet, tmp_path):
    add(sheet, "a & <b>", np.array([[0, 0, 0, 3]], np.uint8))
    sheet.add_error("c", "c.jpg: not an <image>")
    page = sheet.write("Segmented by <net>").read_text()
    assert "Segmented by &lt;net&gt;" in page and "<b>a &amp; &lt;b&gt;</b>" in page
    assert "c.jpg: not an &lt;image&gt;" in page and "1 of 2 images segmented" in page
    assert 'href="../a%20%26%20%3Cb%3E.jpg"' in page and 'href="labels/x.png"' in page
    assert "sky 75 %" in page and "road 25 %" in page and "building" not in page
    thumbnail = re.search(r'src="(.+?)" width="(\d+)" height="(\d+)"', page)
    with Image.open(tmp_path / "out/thumbnails/a & <b>.jpg") as stored:
        assert thumbnail.groups() == ("thumbnails/a%20%26%20%3Cb%3E.jpg", *map(str, stored.size))


def test_many_images_make_several_pages(sheet, monkeypatch):
    monkeypatch.setattr(contact_sheet, "PER_PAGE", 2)
    for name in "abcde":
        add(sheet, name, np.zeros((1, 1), np.uint8))
    first = sheet.write("t")
    names = ["index.html", "index_2.html", "index_3.html"]
    assert sorted(path.name for path in sheet.folder.glob("*.html")) == names
    assert 'href="index_3.html"' in first.read_text() and "page 1 of 3" in first.read_text()
    assert [Path(sheet.folder, name).read_text().count("<figure>") for name in names] == [2, 2, 1]
    sheet.cells = sheet.cells[:2]
    sheet.write("t")
    assert sorted(path.name for path in sheet.folder.glob("*.html")) == ["index.html"]


@pytest.mark.slow
def test_it_fits_a_telephone(sheet, look):
    for number in range(3):
        add(sheet, f"a long name without any place to break it {number}" * 3, np.eye(90, 120, dtype=np.uint8))
    page = look(sheet.write("t"), width=400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("document.images[0].naturalWidth") == 3 * 120 + 4

import json
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.assets import asset
from deeplab_caffe.commands.demo import draw
from deeplab_caffe.images.class_names import CAMVID
from deeplab_caffe.images.image_file import read_image
from deeplab_caffe.images.palettes import palette

pytestmark = pytest.mark.slow

# sha256 of the label maps, rows of bytes.
LABELS = {
    ("street_cars", "net"): "cfb5659ba2acf64cb1bb2273b0529649158e9445e55a9fd0535d0b3569f2827e",
    ("street_cars", "crf"): "c9e415294356170ed1f0da88c98cc2cda2ed375d7ec3107671468d16b7f125b7",
    ("street_cyclists", "net"): "e864cf06d3175e78d03362349567e9756152e983a0c515180ef121b1716178fa",
    ("street_cyclists", "crf"): "c2512f9f77c240232021f5f89ca825075f566654b3a99150704268fc08e4a552",
}


def test_demo(tmp_path, succeeds):
    out = tmp_path / "demo"
    text = succeeds("demo", "-o", out)
    for photo in ("street_cars", "street_cyclists"):
        assert f"{out}/{photo}.png" in text
        for kind in ("net", "crf"):
            assert read_image(out / f"{photo}_{kind}.png").shape == (360, 480, 3)
            labels = Image.open(out / f"{photo}_{kind}_labels.png")
            assert labels.mode == "P" and sha256(labels.tobytes()).hexdigest() == LABELS[photo, kind]
        photo_shown = np.asarray(Image.open(out / f"{photo}.png"))[26:386, 8:488]
        assert (photo_shown == read_image(asset(f"demo/{photo}.jpg"))).all()
    assert "CamVid" in text and "Next, a street photo of yours: deeplab-caffe demo my.jpg" in text
    records = json.loads((out / "demo.json").read_text())
    assert [Image.open(record["picture"]).size[0] > 3 * 480 for record in records] == [True, True]


def test_a_photo_of_ones_own(tmp_path, succeeds):
    """Upright, of at most 640 pixels."""
    stored = Image.open(asset("demo/street_cars.jpg")).resize((720, 540)).rotate(90, expand=True)
    turned = Image.Exif()
    turned[274] = 6  # a quarter turn, as telephones write it
    stored.save(tmp_path / "my photo.png", exif=turned)
    text = succeeds("demo", tmp_path / "my photo.png", "-o", tmp_path / "out", "--threads", "2")
    assert "deeplab-caffe predict" in text and "CamVid" not in text
    (record,) = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert (record["height"], record["width"]) == (480, 640)
    labels = np.asarray(Image.open(tmp_path / "out" / "my photo_crf_labels.png"))
    assert labels[40, 360] == 0 and labels[440, 320] == 3  # sky above, the road below


def test_what_is_no_photo(tmp_path, fails):
    (tmp_path / "a.jpg").write_text("text")
    assert "a.jpg: not an image" in fails("demo", tmp_path / "a.jpg", "-o", tmp_path / "out")
    assert "none.jpg: no such image, folder or list" in fails("demo", tmp_path / "none.jpg")
    assert not (tmp_path / "out").exists()


def test_the_legend_has_lines_that_fit(tmp_path):
    panels = dict.fromkeys(("photo", "net", "crf"), np.zeros((20, 30, 3), np.uint8))
    draw(panels, [0, 1], palette("camvid"), tmp_path / "one.png")
    draw(panels, list(range(11)), palette("camvid"), tmp_path / "all.png")
    one, everything = (Image.open(tmp_path / f"{name}.png") for name in ("one", "all"))
    assert everything.width == one.width and everything.height > one.height + 26
    colours = {colour for _, colour in everything.convert("RGB").getcolors(100_000)}
    assert set(CAMVID.values()) <= colours

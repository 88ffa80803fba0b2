import json
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.assets import asset
from deeplab_caffe.images.image_file import read_image

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
    assert "CamVid" in text
    records = json.loads((out / "demo.json").read_text())
    assert [Image.open(record["picture"]).size[0] > 3 * 480 for record in records] == [True, True]

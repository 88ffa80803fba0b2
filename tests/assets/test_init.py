import hashlib
import re
from pathlib import Path

import pytest
from PIL import Image

from deeplab_caffe.assets import asset, demo_photos
from deeplab_caffe.errors import DeepLabError


def test_what_ships():
    for name in ("deploy", "test"):
        assert asset(f"prototxt/camvid_largefov/{name}.prototxt").is_file()
    model = asset("weights/camvid_largefov.caffemodel").read_bytes()
    assert re.search(hashlib.sha256(model).hexdigest(), asset("weights/README.md").read_text())


def test_photos_are_small_and_credited():
    photos = demo_photos()
    assert len(photos) == 2
    for photo in photos:
        assert photo.stat().st_size <= 150_000 and Image.open(photo).size == (480, 360)
        assert photo.name in (Path(photo).parent / "README.md").read_text()


def test_unknown():
    with pytest.raises(DeepLabError, match="not part of this installation"):
        asset("weights/none.caffemodel")

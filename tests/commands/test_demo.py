import json

from PIL import Image

from deeplab_caffe.images.image_file import read_image


def test_demo(tmp_path, succeeds):
    out = tmp_path / "demo"
    text = succeeds("demo", "-o", out)
    for photo in ("street_cars", "street_cyclists"):
        assert f"{out}/{photo}.png" in text
        for kind in ("net", "crf"):
            assert read_image(out / f"{photo}_{kind}.png").shape == (360, 480, 3)
            assert Image.open(out / f"{photo}_{kind}_labels.png").mode == "P"
    assert "CamVid" in text
    records = json.loads((out / "demo.json").read_text())
    assert [Image.open(record["picture"]).size[0] > 3 * 480 for record in records] == [True, True]

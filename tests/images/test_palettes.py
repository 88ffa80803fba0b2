import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images.palettes import palette


def test_named():
    voc = palette("voc")
    assert voc.colours.shape == (256, 3) and voc.colours[15].tolist() == [192, 128, 128]
    assert voc.name(15) == "person" and voc.name(200) == "200"
    camvid = palette("camvid")
    cityscapes = palette("cityscapes")
    assert len(cityscapes.names) == 19 and cityscapes.colours[13].tolist() == [0, 0, 142]
    assert cityscapes.name(11) == "person" and cityscapes.colours[19].tolist() == [0, 0, 0]
    context = palette("context")
    assert len(context.names) == len(set(context.names)) == 60 and context.name(59) == "wood"
    assert (context.colours == voc.colours).all() and len(set(palette("context33").names)) == 34
    assert set(palette("context33").names) < set(context.names)
    assert camvid.colours[3].tolist() == [128, 64, 128] and camvid.name(10) == "bicyclist"


def test_file(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text("# my classes\n0 0 0 background\n255 128 0 traffic light\n1 2 3\n")
    mine = palette(str(path))
    assert mine.names == ("background", "traffic light", "2")
    assert mine.colours[1].tolist() == [255, 128, 0] and mine.colours[255].tolist() == [224, 224, 192]


@pytest.mark.parametrize(
    "content, message",
    [("1 2\n", ":1: red green blue"), ("0 0 0\n1 2 300\n", ":2: red"), ("", "0 colours"), ("a b c", ":1:")],
)
def test_broken_files(tmp_path, content, message):
    path = tmp_path / "colours.txt"
    path.write_text(content)
    with pytest.raises(DeepLabError, match=message):
        palette(str(path))
    with pytest.raises(DeepLabError, match="voc, context, context33, camvid, cityscapes or a file"):
        palette(str(tmp_path / "none"))

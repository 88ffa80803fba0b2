import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.not_weights import what_instead
from deeplab_caffe.formats.weights import read_layers

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90000\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LFS, "a pointer of Git LFS.*git lfs pull"),
        ("<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        ("\n  <html>", "a web page"),
        ('# VGG\nname: "vgg"\nlayer { name: "a" }\n', "a prototxt.*--model"),
        ("layers {\n bottom: 'data' }", "a prototxt"),
        ('net: "train.prototxt"\nbase_lr: 0.1', "a prototxt.*--solver"),
    ],
)
def test_told_by_name(tmp_path, text, message):
    path = tmp_path / "vgg.caffemodel"
    path.write_text(text)
    with pytest.raises(DeepLabError, match=f"vgg.caffemodel: {message}"):
        read_layers(path)


def test_others_are_left_to_their_readers(tmp_path):
    path = tmp_path / "x.caffemodel"
    for data in (b"", b"\x0a\x03vgg", b"\x0a\x08layer { \x01", b"\x89HDF\r\n"):
        path.write_bytes(data)
        assert what_instead(path) == ""
    assert what_instead(tmp_path / "none") == ""

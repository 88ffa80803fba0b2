"""TOML files of any contents: tables, or an error of one line."""

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.toml import read_toml


def test_read_toml(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("[crf]\niterations = 5\n")
    assert read_toml(path) == {"crf": {"iterations": 5}}


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"a = \n", "Invalid value"),
        (b"a = " + b"[" * 2000 + b"]" * 2000, "nested too deeply|recursion"),
        (b"\n".join([b"a = " + b"[\n" * 10000]), "nested too deeply|recursion"),
        (b"a = " + b"9" * 4400, "a line of 4404 bytes"),
        (b"a = 1" + b"0" * 4000 + b"\nb = \xff", "decode"),
        (b"a." * 2000 + b"a = 1\n" + b"a = 2\n", "Cannot overwrite|nested too deeply"),
        (b".".join([b"a"] * 30000) + b" = 1", "a line of 60003 bytes"),
        (bytes(1 << 19), "larger than"),
        (b"\0", "Invalid"),
    ],
    ids=["broken", "deep", "deep lines", "digits", "no text", "dotted", "long key", "large", "zero"],
)
def test_anything_else_is_one_line(tmp_path, content, reason):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(DeepLabError, match=f"a.toml: .*({reason})") as caught:
        read_toml(path)
    assert len(str(caught.value)) < 400

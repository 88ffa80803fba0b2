"""What tells a file's format: its first bytes, then its name."""

import re

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.registry import Format, Registry


@pytest.fixture
def registry():
    result = Registry("fruit")
    result.register(Format("apple", (".apple",), lambda path: "apple", print, re.compile(b"AP")))
    result.register(Format("pear", (".pear", ".abate"), lambda path: "pear", magic=re.compile(b"AP|PE")))
    result.register(Format("cherry", (".cherry",), lambda path: "cherry", owns=lambda path: "tree" in path))
    return result


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("x.apple", b"APxx", "apple"),
        ("x.pear", b"APxx", "pear"),  # both begin so: the name tells
        ("X.ABATE", b"PExx", "pear"),
        ("x.apple", b"PExx", "pear"),  # the contents count before the name
        ("x", b"PE", "pear"),
        ("x.cherry", b"", "cherry"),
        ("x.apple", b"broken", "apple"),  # whose reader tells what is wrong
        ("x-tree.apple", b"APxx", "cherry"),
    ],
)
def test_find(registry, tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    found = registry.find(tmp_path / name)
    assert found.name == found.read(tmp_path / name) == expected


def test_an_unknown_file_says_what_was_looked_for(registry, tmp_path):
    path = tmp_path / "x.plum"
    path.write_bytes(b"PL")
    wanted = r"x.plum: no fruit; looked for apple \(.apple\), cherry \(.cherry\), pear \(.pear, .abate\)"
    with pytest.raises(DeepLabError, match=wanted):
        registry.find(path)
    with pytest.raises(DeepLabError, match=r"looked for apple \(.apple\), cherry \(.cherry\)$"):
        registry.find(path, ("apple", "cherry"))
    assert registry.find(path, ("pear",)).name == "pear"
    with pytest.raises(DeepLabError, match=r"none: No such file"):
        registry.find(tmp_path / "none")
    assert registry.find(tmp_path / "none.apple").name == "apple"


def test_writer(registry):
    assert registry.writer("a/x.Apple") is print
    for name in ("x.pear", "x"):
        with pytest.raises(DeepLabError, match=r"no name for fruit; one of apple \(.apple\) wanted"):
            registry.writer(name)


def test_names_and_suffixes_are_given_once(registry):
    for again in (Format("apple", (".new",), print), Format("new", (".abate",), print)):
        with pytest.raises(ValueError, match="registered twice"):
            registry.register(again)

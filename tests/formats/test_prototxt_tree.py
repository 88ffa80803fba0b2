from pathlib import Path

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt_tree import parse

FOLDERS = [Path(__file__).parents[2] / "prototxt", Path(__file__).parents[3] / "shared/reference/prototxt"]
TEXT = """# first
name : 'n' "m"  # after
layer { type: "A" top: [ "x", "#}" ], top: ${T};param<lr_mult:1>
  # inside }
} # last"""


def test_a_text_is_kept_to_the_letter():
    tree = parse(TEXT, "a")
    assert str(tree) == TEXT
    layer = tree.message("layer")
    assert [part.name for part in layer.fields] == ["type", "top", "top", "param"]
    assert layer.text("type") == "A" and next(layer.all("top")).items == ['"x"', '"#}"']
    assert layer.message("param").text("lr_mult") == "1" and "# inside }" in layer.tail


@pytest.mark.slow
def test_every_prototxt():
    files = [path for folder in FOLDERS for path in folder.rglob("*.prototxt")]
    assert len(files) > 30
    for path in files:
        text = path.read_text()
        assert str(parse(text, str(path))) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb {", "n:2: a bracket is not closed"),
        ("a { b: 1 >", "n:1: '>' closes nothing"),
        ("\n}", "n:2: '}' closes nothing"),
        ("a:", "n:1: 'a' has no value"),
        ("a: 1\n\n7 b", "n:3: a field's name wanted, '7' found"),
        ("a {" * 60, "more than 50 brackets in each other"),
    ],
)
def test_what_is_no_prototxt(text, message):
    with pytest.raises(DeepLabError, match=message):
        parse(text, "n")

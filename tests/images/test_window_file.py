import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images.window_file import Box, read_window_file

TEXT = """# 0
one.jpg
3
10
20
3
7 0.5 1 2 3 4
2 0.49 0 0 5 5
3 0.2 1 1 2 2
# 1
two.jpg 3 10 20 1
4 1.0 -1 0 5 6
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "w.txt").write_text(TEXT)
    return tmp_path / "w.txt"


def test_objects_and_others(path):
    found = read_window_file(str(path), "root/", 0.5, 0.3)
    assert found.channels == 3
    assert found.foreground == [
        Box("root/one.jpg", 7, 1, 2, 3, 4, f"{path}:7"),
        Box("root/two.jpg", 4, -1, 0, 5, 6, f"{path}:12"),
    ]
    assert found.background == [Box("root/one.jpg", 0, 1, 1, 2, 2, f"{path}:9")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# 0", "0", "w.txt:1: `# index` wanted"),
        ("7 0.5", "seven 0.5", "w.txt:7: the label: seven given, a whole number wanted"),
        ("0.49", "half", "w.txt:8: overlap: half given"),
        ("7 0.5", "0 0.5", "w.txt:7: label 0 of an object"),
        ("two.jpg 3", "two.jpg 1", r"w.txt:10: images of \[1, 3\] channels"),
        ("5 6\n", "5\n", "w.txt:12: the file ends before y2"),
    ],
)
def test_errors(path, old, new, message):
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(DeepLabError, match=message):
        read_window_file(str(path), "", 0.5, 0.3)

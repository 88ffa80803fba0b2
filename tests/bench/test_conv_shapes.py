import pytest

from deeplab_caffe.bench.conv_shapes import ConvShape, read_shapes
from deeplab_caffe.errors import DeepLabError

SHAPE = ConvShape("2,6,9,8,4,3,5,2", 2, 6, (9, 8), 4, (3, 5), (2,))


def test_a_shape_is_what_its_numbers_say():
    assert read_shapes(["2,6,9,8,4,3,5,2", " 2, 6,9,8,4,3,5,2"]) == [SHAPE]
    assert SHAPE.weights == (4, 6, 3, 5) and SHAPE.pad(2) == (2, 4) and SHAPE.out_map(2) == (9, 8)
    assert SHAPE.bytes == 4 * 2 * 9 * 8 * (6 + 4)
    assert SHAPE.multiply_adds(inside=False) == 2 * 9 * 8 * 3 * 5 * 6 * 4
    # Rows: the outer taps miss 2 of 9 places each; columns: taps at -4, -2, 2 and 4 miss 4, 2, 2 and 4 of 8.
    assert SHAPE.multiply_adds(inside=True) == 2 * (27 - 4) * (40 - 12) * 6 * 4
    (strided,) = read_shapes(["1,6,9,8,4,3,3,1,2,2"])
    assert (strided.stride, strided.groups, strided.weights) == (2, 2, (4, 3, 3, 3))
    assert strided.out_map(1) == (5, 4)


def test_files(tmp_path):
    path = tmp_path / "shapes.csv"
    path.write_text(
        "\ufeffN,C,H,W,K,R,S,rate\r\n# mine\r\n\r\n2,6,9,8,4,3,5,2\r\n1;6;9;8;4;3;3;1\r\n", "utf-8"
    )
    assert [shape.name for shape in read_shapes([str(path)])] == ["2,6,9,8,4,3,5,2", "1,6,9,8,4,3,3,1"]
    path.write_text("2,6,9,8,4,3,5,2\n")
    assert read_shapes([str(path)]) == [SHAPE]


@pytest.mark.parametrize(
    "text, message",
    [
        ("1,2,3", "N,C,H,W,K,R,S,rate"),
        ("1,6,9,8,4,3,5,0", "whole numbers from 1 on"),
        ("1,6,9,8,4,3,5,x", "whole numbers from 1 on"),
        ("1,6,9,8,4,3,5,2,1,4", "4 groups do not divide 6 and 4"),
        ("1,6,9,8,4,4,4,1", None),
        ("1,6,1,1,4,2,2,9", "larger than the padded 1x1 map"),
        ("99999,6,999,999,4,3,3,1", "more than 2147483647 values"),
        ("missing.csv", "--shape missing.csv: .* CSV file"),
    ],
)
def test_wrong_shapes(text, message):
    if message is None:
        assert read_shapes([text])[0].out_map(1) == (8, 7)  # padding of an even kernel is a row short
        return
    with pytest.raises(DeepLabError, match=message) as error:
        read_shapes([text])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "no shapes"),
        (b"N,C,H,W,K,R,S,rate\n", "no shapes"),
        (b"N,C,H,W,K,R,S,rate\n1,2,3\n", "shapes.csv:2: N,C,H,W"),
        (b"name,C\n1,6,9,8,4,3,5,2\n", "shapes.csv:1: N,C,H,W"),
        (b"\xff\xfe\x00", "no text"),
    ],
)
def test_wrong_files(text, message, tmp_path):
    path = tmp_path / "shapes.csv"
    path.write_bytes(text)
    with pytest.raises(DeepLabError, match=message) as error:
        read_shapes([str(path)])
    assert "\n" not in str(error.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DeepLabError, match=tmp_path.name):
        read_shapes([str(tmp_path)])

"""Pictures: what is drawn into them, that they are written whole, that pyplot is left alone."""

from xml.etree import ElementTree

import numpy as np
import pytest

from deeplab_caffe.evaluation import charts
from deeplab_caffe.evaluation.evaluation import Band, Evaluation

PNG = b"\x89PNG\r\n\x1a\n"


def test_axes_come_row_by_row():
    figure, axes = charts.figure(4, 3, rows=2, columns=3)
    assert len(axes) == 6 and list(figure.get_size_inches()) == [4, 3]
    assert axes[1].get_subplotspec().colspan.start == 1
    assert not hasattr(figure, "number")  # which pyplot gives its figures


def test_lines():
    _, (axes,) = charts.figure(3, 3)
    charts.draw_lines(axes, {"a": ([1, 2], [3, 4]), "b": ([1], [5])}, "x", "y", "title")
    assert [(line.get_label(), list(line.get_ydata())) for line in axes.get_lines()] == [
        ("a", [3, 4]),
        ("b", [5]),
    ]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("x", "y", "title")


def test_bars_stand_side_by_side_around_their_group():
    _, (axes,) = charts.figure(3, 3)
    charts.draw_bars(axes, ["one", "two"], {"a": [1, 2], "b": [3, 4]}, "%.1f")
    assert [bar.get_height() for bar in axes.patches] == [1, 2, 3, 4]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert np.allclose([middles[0] + middles[2], middles[1] + middles[3]], [0, 2])
    assert [text.get_text() for text in axes.texts] == ["1.0", "2.0", "3.0", "4.0"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "two"]


def test_heat_map_writes_values_in_a_colour_that_can_be_read():
    _, (axes,) = charts.figure(3, 3)
    charts.draw_heat_map(axes, np.array([[0.0, 20], [60, 61]]), 0, 100, "%.0f", least=0.5)
    written = {text.get_text(): text.get_color() for text in axes.texts}
    assert written == {"20": "white", "60": "white", "61": "black"}


@pytest.fixture
def evaluation():
    result = Evaluation(2, [1])
    result.add(np.array([[0, 1, 255]]), np.array([[0, 0, 0]]))
    return result


def test_confusion_and_trimap_are_pngs(tmp_path, evaluation):
    charts.write_confusion(tmp_path / "confusion.png", evaluation, ["sky", "road"])
    charts.write_trimap(tmp_path / "trimap.png", {"a": evaluation.bands, "b": [Band(1, 5, 0.5, 0.5)]})
    for name in ("confusion.png", "trimap.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.png", "trimap.png"]


def test_an_inline_chart_takes_its_colours_from_the_page():
    figure, (axes,) = charts.figure(3, 2)
    axes.set_title("<b>&")
    text = charts.inline_svg(figure)
    root = ElementTree.fromstring(text.replace("xlink:href", "href"))
    assert root.get("class") == "chart" and root.get("fill") == "currentColor"
    assert "currentColor" in text and "#000000" not in text and "<style" not in text
    assert "&lt;b&gt;&amp;" in text and "<b>" not in text
    assert charts.inline_svg(figure) == text  # the same each time: reports can be compared


def test_counts_are_drawn_by_their_magnitude():
    _, (axes,) = charts.figure(3, 2)
    charts.draw_counts(axes, [str(k) for k in range(20)], [0, 1, 10, 1000] + [0] * 16)
    (steps,) = axes.patches
    assert np.allclose(steps.get_data().values[:5], [-0.3, 0, 1, 3, -0.3])
    assert [label.get_text() for label in axes.get_xticklabels()] == list(map(str, range(0, 20, 3)))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "100", "10,000"]


def test_colours():
    rgb = charts.colours(np.array([[0.0, 1, 2], [-5, 9, np.nan]]), 0, 2, "gray")
    assert rgb.dtype == np.uint8 and rgb[..., 0].tolist() == [[0, 128, 255], [0, 255, 0]]
    assert charts.colours(np.zeros((1, 1)), 0, 0, "gray").tolist() == [[[0, 0, 0]]]


def test_boxes():
    boxes = {"a": ((1, 0.5, 1, 0.4), "first $", "#FF0000"), "b": ((1, 2, 1, 0.4), "second", "#00FF00")}
    arrows = [("a", "b", "forth"), ("b", "a", "back")]
    picture = ElementTree.fromstring(charts.draw_boxes(boxes, arrows, "svg"))
    assert [
        float(picture.get(side).removesuffix("pt")) / 72 for side in ("width", "height")
    ] == pytest.approx([1.9, 2.6])
    assert charts.draw_boxes({}, [], "png").startswith(PNG)
    start, end, forward = charts._ends(boxes["a"][0], boxes["b"][0])
    assert (list(start), list(end), forward) == ([1, 0.7], [1, 1.8], True)
    start, end, forward = charts._ends(boxes["b"][0], boxes["a"][0])
    assert (list(start), list(end), forward) == ([1, 1.8], [1, 0.7], False)

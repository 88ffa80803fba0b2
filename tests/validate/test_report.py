import dataclasses
import html
import json
import re

import numpy as np
import pytest

from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.validate.grid import Grid
from deeplab_caffe.validate.report import MOST_DETAILS, write_html
from deeplab_caffe.validate.results import (
    Comparison,
    Diagnosis,
    Environment,
    Extreme,
    FileRecord,
    LabelChange,
    LabelComparison,
    Layer,
    Numbers,
    Picture,
    Trial,
    Unpaired,
    Validation,
)

EVIL = "</script><img src=x onerror=alert(1)>"
EQUAL = Numbers(100, 0, 0, 0, 0, 0, 0, [100], 0.0, 0.0, 0.0)
FEW = Numbers(
    100, 30, 2, 1, 0, 0, 5, [72, 10, 13, 5], 2e-7, 1e-6, 1e-7, Extreme([0, 1, 2, 3], 1.0, 1.0000005, 5)
)
MANY = Numbers(100, 99, 0, 0, 3, 0, 2**30, [1, 0, 9, 90] + [0] * 27 + [3], 0.4, 2.5, 0.9)
LABELS = LabelComparison(
    25,
    2,
    0.9,
    {"0": 0.95, "7": 0.85},
    0.25,
    0.125,
    [LabelChange(0, 3, 4, 7, 0, 0.25), LabelChange(0, 1, 2, 0, 7, None)],
)


def comparison(index, layer, status, **more):
    type_, blob = ("ReLU", "conv1") if layer == "relu1" else ("Convolution", layer)
    shape = [1, 4, 5, 5]
    return Comparison(index, layer, type_, blob, "blob", "", f"{layer}.npy", status, shape, shape, **more)


@pytest.fixture(scope="module")
def result():
    grid = Grid.of(np.arange(25, dtype=np.uint8).reshape(5, 5))
    both = Picture("labels", 0, grid, grid)
    values = Grid.of(np.arange(25, dtype=np.float32).reshape(5, 5))
    comparisons = [
        dataclasses.replace(
            comparison(-1, "", "equal", numbers=EQUAL), blob="data", kind="input", shape=[1, 3, 9, 9]
        ),
        comparison(0, "conv1", "equal", numbers=EQUAL),
        comparison(1, "relu1", "close", numbers=FEW),
        comparison(2, EVIL, "different", numbers=FEW, map=grid, picture=Picture("values", 1, values, values)),
        comparison(3, "fc8", "different", numbers=MANY, map=grid, labels=LABELS, picture=both),
        dataclasses.replace(comparison(3, "fc8", "shape"), their_shape=[1, 4, 6, 6]),
        comparison(3, "fc8", "different", by_hash=True),
    ]  # fmt: skip
    environment = Environment(
        f"deeplab-caffe validate {EVIL}", "2026-01-01", {"numpy": "2", "torch": "2.4"}, "Linux", "a CPU",
        "avx2", 2, "cpu", "exact", [FileRecord("model", f"/somewhere/{EVIL}net.prototxt", 12345, "ab" * 32)],
    )  # fmt: skip
    trials = [
        Trial("channel order", "input channels reversed", "no nearer", 0.5, 1, 7),
        Trial("mean", f"no mean {EVIL}", "equal", 0.0, 7, 7, "as exported"),
        Trial("channel order", "input channels rotated", "failed", None, 0, 0),
        Trial("scale", "times 1/255", "failed", None, 0, 0),
    ]
    diagnosis = Diagnosis(
        "explained", "without a mean they are equal", "fc8", 0.4, ["data", EVIL], trials, 1, {"crf": "none"}
    )
    layers = [
        Layer(0, "conv1", "Convolution", ["data"], ["conv1"], [[1, 4, 5, 5]]),
        Layer(1, "relu1", "ReLU", ["conv1"], ["conv1"], [[1, 4, 5, 5]]),
        Layer(2, EVIL, "Convolution", ["conv1"], [EVIL], [[1, 4, 5, 5]]),
        Layer(3, "fc8", "Convolution", [EVIL], ["fc8"], [[1, 4, 5, 5]]),
        Layer(4, "prob", "Softmax", ["fc8"], ["prob"], [[1, 4, 5, 5]]),
    ]
    return Validation(
        False, f"differs from layer '{EVIL}' on", environment, 3, 1e-6, comparisons,
        [Unpaired("prob", "no file")], [Unpaired(EVIL, "no layer")], layers, 3, diagnosis, {"forward": 1.25},
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(result, tmp_path_factory):
    """The page of that result."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_html(result, path)
    return path


def embedded(path):
    return json.loads(re.search(r'id="net-data">(.*?)</script>', path.read_text())[1])


def test_it_tells_everything(report):
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", report.read_text())))
    for words in (
        "Differs from layer",
        "at most 3 ulp apart and blobs whose largest difference is at most 1e-06",
        "2 equal, 1 close, 3 different, 1 of another shape of 7 compared",
        "Without a mean they are equal.",
        "mean 1 no mean </script><img src=x onerror=alert(1)> equal 0 7 of 7 as exported",
        "channel order 2 input channels reversed no nearer 0.5 1 of 7",
        "all 4 trials",
        "torch 2.4",
        "a CPU, kernels for avx2, 2 threads",
        "12,345",
        "ab" * 32,
        "30 of 100 values, 2 of them +0 against −0",
        "at 0, 1, 2, 3: ours 1, theirs 1.0000005, 5 ulp",
        "3 in ours only, 0 in theirs only, 0 in both",
        "2 of 25 change; mean IoU of ours with theirs 0.9000; margin where they change: largest 0.25, median",
        "7: 0.8500",
        "0 3 4 7 0 0.25",
        "theirs 1 × 4 × 6 × 6",
        "known by its hash",
        "1 of ours without a partner",
        "forward 1.25 s",
    ):
        assert words in text, words


def test_nothing_from_a_file_is_markup(report):
    text = report.read_text()
    assert "<img src=x" not in text and "&lt;img src=x" in text
    assert len(re.findall("<script", text)) == len(re.findall("</script", text)) == 2
    assert not re.search(r"""(src|href)=["']?(?!data:|#)\w+:""", text)


def test_the_graph_is_coloured_by_the_worst(report):
    data = embedded(report)
    marks = {stack["lines"][0]: (stack.get("mark"), stack["lines"][-1]) for stack in data["stacks"]}
    assert marks["conv1"] == ("close", "30 %, 5 ulp")  # relu1 stands on it
    assert marks["fc8"] == ("different", "99 %, error 4.0e-01")
    assert marks["data"] == ("equal", "equal")
    assert {mark for mark, _ in marks.values()} == {"equal", "close", "first", "different", "missing"}
    assert data["start"] == 3 and data["layers"][3]["link"] == "#blob-3"
    assert data["layers"][4]["rows"][2][1].startswith("99 % of 100 values")  # not of its other comparisons


def test_label_maps(result, tmp_path):
    labels = dataclasses.replace(comparison(3, "fc8", "different", labels=LABELS), kind="labels")
    write_html(dataclasses.replace(result, comparisons=[labels], first=0), tmp_path / "report.html")
    (mark,) = [s["lines"][-1] for s in embedded(tmp_path / "report.html")["stacks"] if s["mark"] == "first"]
    assert mark == "8 % of labels"


def test_an_input_that_differs(result, tmp_path):
    wrong = dataclasses.replace(result.comparisons[0], status="different", numbers=FEW)
    write_html(dataclasses.replace(result, comparisons=[wrong], first=0), tmp_path / "report.html")
    data = embedded(tmp_path / "report.html")
    assert data["start"] == 0 and data["stacks"][0]["mark"] == "first"
    assert data["layers"][0]["rows"][0] == ["compared", "different"]


def test_the_definition_gives_the_layers_their_text(result, tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 5 input_dim: 5\n'
        'layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"\n'
        "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 dilation: 1 } }\n"
        'layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }\n'
    )
    without_input = dataclasses.replace(result, comparisons=result.comparisons[1:], first=2)
    write_html(without_input, tmp_path / "report.html", read_net(tmp_path / "net.prototxt"))
    data = embedded(tmp_path / "report.html")
    assert data["stacks"][0]["lines"] == ["data", "input"]  # of a size that nobody tells
    assert "kernel_size: 3" in data["layers"][1]["text"] and "text" not in data["layers"][3]
    assert data["stacks"][1]["lines"][1] == "Convolution 3×3"


def test_an_equal_result(result, tmp_path):
    equal = [c for c in result.comparisons if c.status == "equal"]
    plain = dataclasses.replace(result, equal=True, headline="equal: all", comparisons=equal, first=None)
    plain = dataclasses.replace(plain, diagnosis=None, ulp=0, tolerance=0.0)
    write_html(plain, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Equal means the same bits." in text and "Equal: all." in text
    assert 'id="diagnosis"' not in text and 'id="overview"' not in text and 'class="detail"' not in text
    assert embedded(tmp_path / "report.html")["start"] is None


@pytest.mark.slow
def test_only_some_blobs_are_shown_in_full(result, tmp_path):
    many = [
        comparison(2, f"blob {i}", "different", numbers=dataclasses.replace(FEW, error=i * 1e-7))
        for i in range(50)
    ]
    labels = comparison(3, "fc8", "different", numbers=FEW, labels=LABELS)
    write_html(dataclasses.replace(result, comparisons=[*many, labels], first=7), tmp_path / "report.html")
    numbers = [int(n) for n in re.findall(r'id="blob-(\d+)"', (tmp_path / "report.html").read_text())]
    assert numbers == [7, *range(50 - MOST_DETAILS + 2, 50), 50]


def test_a_net_without_comparisons(result, tmp_path):
    empty = dataclasses.replace(result, comparisons=[], first=None, equal=True, layers=[], diagnosis=None)
    write_html(empty, tmp_path / "report.html")
    assert "0 equal of 0 compared" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_theirs_are_named_within_their_folder(result, tmp_path):
    there = [dataclasses.replace(c, theirs=f"/some/folder/{c.theirs}") for c in result.comparisons]
    write_html(dataclasses.replace(result, comparisons=there), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "Theirs lie in /some/folder/<" in text and '<td class="word">fc8.npy</td>' in text


# In the browser.


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_in_a_browser(report, look, width, scheme):
    page = look(report, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    panel = page.locator("#panel")
    assert panel.locator("h2").inner_text() == EVIL  # the first that differs
    assert "30 % of 100 values" in panel.inner_text()
    panel.locator("a").click()
    assert page.url.endswith("#blob-3")
    page.fill("#search", "fc8")
    page.press("#search", "Enter")
    assert page.locator(".box.chosen").count() == 1 and panel.locator("h2").inner_text() == "fc8"
    for image in page.locator(".pictures img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth") == 5

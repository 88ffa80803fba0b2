from pathlib import Path

from deeplab_caffe.assets.models import shipped_nets
from deeplab_caffe.datasets.published import RESULTS, published

PAGE = Path(__file__).parents[2] / "docs/datasets.md"


def test_results():
    assert {result.dataset for result in RESULTS} <= {"voc", "context", "cityscapes", "camvid"}
    names = {net.name for net in shipped_nets()}
    assert {result.net for result in RESULTS} - {""} <= names
    best = max(x.mean_iou for x in published("voc") if x.images == "val" and x.net == "deeplab_v1/largefov")
    assert best == 67.64


def test_the_page_has_them():
    text = PAGE.read_text()
    for result in RESULTS:
        line = f"| {result.dataset} {result.images} | {result.method} | {result.mean_iou:g} |"
        assert line in text, line

import pytest

from deeplab_caffe.bench import conv
from deeplab_caffe.bench.conv_layers import LAYERS


def test_depthwise_layers():
    layer = next(layer for layer in LAYERS if layer.name == "depthwise 304 at 1/4")
    result = conv.run([layer.at(65, 1)], ["exact"], 1, "cpu")
    ours = next(row for row in result["results"] if row["candidate"] == "ours exact")
    assert ours["error"] < 1e-6
    assert ours["bytes_per_second"] == pytest.approx(2 * 4 * 304 * 17 * 17 / ours["median"])
    assert layer.at(65, 1).multiply_adds(inside=False) == 304 * 9 * 17 * 17

import pytest

from deeplab_caffe.engine.net import Net


@pytest.mark.parametrize("precision", ["exact", "fp32"])
def test_what_is_silenced_is_no_output(tmp_path, rand, precision):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "x" input_shape { dim: 2 dim: 3 }'
        'layer { name: "two" type: "Split" bottom: "x" top: "kept" top: "unwanted" }'
        'layer { name: "quiet" type: "Silence" bottom: "unwanted" }'
    )
    result = Net(path, precision=precision).forward(x=rand(2, 3))
    assert list(result) == ["kept"] and (result["kept"] == rand(2, 3)).all()

import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.commands.inspect import parse_size
from deeplab_caffe.errors import DeepLabError

MODEL = asset("prototxt/camvid_largefov/deploy.prototxt")
WEIGHTS = asset("weights/camvid_largefov.caffemodel")


def test_json(succeeds):
    cost = succeeds("inspect", "-m", MODEL, "--size", "33x41", "--json", "-w", WEIGHTS)
    assert cost["outputs"] == {"fc8_interp": [1, 11, 33, 41]} and cost["parameters"] == 1_566_563
    assert len(cost["weights"]["loaded"]) == 16 and not cost["weights"]["unused"]


def test_table(succeeds):
    text = succeeds("inspect", "-m", MODEL)
    for word in ("fc8_interp", "1,566,563 parameters", "multiply-adds"):
        assert word in text


@pytest.mark.slow
def test_a_net_that_no_machine_holds_is_only_looked_at(tmp_path, succeeds, fails):
    net = tmp_path / "huge.prototxt"
    net.write_text(MODEL.read_text().replace("input_dim: 361", "input_dim: 200001").replace("481", "200001"))
    assert succeeds("inspect", "-m", net, "--json")["blob_memory"] > 2**42
    assert "available" in fails("forward", "-m", net, "-w", WEIGHTS, "--dump", tmp_path / "dump")


def test_page_and_drawing(tmp_path, succeeds, fails):
    page, drawing = tmp_path / "new" / "net.html", tmp_path / "net.svg"
    assert succeeds("inspect", "-m", MODEL, "--html", page, "--svg", drawing, "--unfold") == ""
    assert "conv1_1" in page.read_text() and ">conv1_1</text>" in drawing.read_text()
    assert "--image" in fails("inspect", "-m", MODEL, "--svg", drawing, "--image", MODEL)
    assert "--unfold" in fails("inspect", "-m", MODEL, "--unfold")
    before = page.read_bytes()
    assert "deploy.prototxt" in fails("inspect", "-m", MODEL, "--html", page, "--image", MODEL)
    assert page.read_bytes() == before and len(list(page.parent.iterdir())) == 1
    assert "new" in fails("inspect", "-m", MODEL, "--html", page.parent)


def test_errors(tmp_path, fails):
    assert "--size 5" in fails("inspect", "-m", MODEL, "--size", "5")
    assert "none.prototxt" in fails("inspect", "-m", tmp_path / "none.prototxt")
    assert "none.caffemodel" in fails("inspect", "-m", MODEL, "-w", tmp_path / "none.caffemodel")
    typo = tmp_path / "typo.prototxt"
    typo.write_text(MODEL.read_text().replace("num_output: 32", "num_outputs: 32", 1))
    assert "num_outputs" in fails("inspect", "-m", typo)


def test_parse_size():
    assert parse_size("3x45") == (3, 45) and parse_size(None) is None
    for wrong in ("3", "0x4", "axb", "3x4x5", "-1x4", "1x10000000"):
        with pytest.raises(DeepLabError, match="--size"):
            parse_size(wrong)

import pytest

from deeplab_caffe.assets import asset
from deeplab_caffe.assets.models import shipped_nets
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.segmenter import deploy_net
from deeplab_caffe.segmenter.deploy_net import read_deploy_net

TWINS = {  # the same layers, other weights
    "deeplab_v1/largefov": "deeplab_v1/coco_largefov",
    "deeplab_v1/msc_largefov": "deeplab_v1/msc_coco_largefov",
}
TESTED = [net.name for net in shipped_nets() if net.path.with_name("test.prototxt").exists()]


@pytest.fixture
def two_ship(monkeypatch):
    """Two nets only: to read all of those that ship takes seconds."""
    nets = [net for net in shipped_nets() if net.name in ("camvid_largefov", "deeplab_v2/vgg16_aspp")]
    monkeypatch.setattr(deploy_net, "shipped_nets", lambda: nets)


@pytest.mark.slow
@pytest.mark.parametrize("name", TESTED)
def test_a_test_net_is_told_its_deploy_net(name):
    assert len(TESTED) == 13
    twins = [{*pair} for pair in TWINS.items() if name in pair] or [{name}]
    with pytest.raises(DeepLabError) as caught:
        read_deploy_net(asset(f"prototxt/{name}/test.prototxt"))
    line = str(caught.value)
    assert "feeds itself from data layers" in line
    assert {word for word in line.replace(",", "").split() if "deeplab_v" in word or "camvid" in word} - {
        f"{asset(f'prototxt/{name}/test.prototxt')}:"
    } == twins[0]


def test_a_train_net_with_the_authors_variables(two_ship, tmp_path):
    text = asset("prototxt/deeplab_v2/vgg16_aspp/test.prototxt").read_text()
    train = tmp_path / "train.prototxt"
    train.write_text(text.replace("phase: TEST", "phase: TRAIN"))
    for variables in (None, {"EXP": "voc12", "NUM_LABELS": "21"}):
        with pytest.raises(DeepLabError, match="such as --model deeplab_v2/vgg16_aspp, which ships"):
            read_deploy_net(train, variables)


def test_other_nets(two_ship, tmp_path):
    net = tmp_path / "net.prototxt"
    net.write_text('layer { name: "d" type: "ImageSegData" top: "data" }')
    with pytest.raises(DeepLabError, match="deeplab-caffe models. lists those that ship"):
        read_deploy_net(net)
    net.write_text('input: "${X}" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1')
    with pytest.raises(DeepLabError, match=r"variables without a value: X \(line 1\)"):
        read_deploy_net(net)
    assert read_deploy_net(net, {"X": "data"}).inputs == {"data": (1, 1, 1, 1)}
    net.write_text("layer {")
    with pytest.raises(DeepLabError, match=r"net.prototxt:\d"):
        read_deploy_net(net)


def test_by_name():
    assert read_deploy_net("deeplab_v1/largefov").name == "DeepLab-LargeFOV"

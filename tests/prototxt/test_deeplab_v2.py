"""Our DeepLab v2 nets are what the generator writes, and the original ones: names, connections, geometry."""

from pathlib import Path

import pytest

from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.generate.deeplab_v2 import FAMILY, DeepLabV2

ROOT = Path(__file__).parents[2]
NETS = ROOT / "prototxt/deeplab_v2"
REFERENCE = ROOT / "../shared/reference"
VARIABLES = {
    "NET_ID": "net",
    "EXP": "voc12",
    "NUM_LABELS": 21,
    "DATA_ROOT": "/data",
    "TEST_SET": "val",
    "FEATURE_DIR": "features",
    "CROP_HEIGHT": 513,
    "CROP_WIDTH": 513,
}
BY_NAME = {net.name: net for net in FAMILY}
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="needs the reference files")


def without_defaults(message):
    """Name and value of each field that says something, of a protobuf message."""
    said = {}
    for field, value in message.ListFields():
        if field.message_type is not None:
            said[field.name] = without_defaults(value)
        elif field.name in ("pad", "stride", "dilation"):  # repeated ones have no default in the schema
            usual = [0] if field.name == "pad" else [1]
            if (numbers := value if isinstance(value, int) else list(value)) not in (usual, usual[0]):
                said[field.name] = numbers
        elif hasattr(value, "extend"):
            said[field.name] = list(value)
        elif value != field.default_value:
            said[field.name] = value
    return said


def essence(layer):
    """What decides a layer's numbers, and which weights it takes and shares."""
    fields = [f for f in layer.param.DESCRIPTOR.fields_by_name if f.endswith("_param")]
    params = {f: without_defaults(getattr(layer.param, f)) for f in fields if layer.param.HasField(f)}
    return {
        "name": layer.name,
        "type": layer.type,
        "bottoms": layer.bottoms,
        "tops": layer.tops,
        "shared": [spec.name for spec in layer.params if spec.name],
        "params": {name: said for name, said in params.items() if said},
    }


def core(path):
    """The layers between the data and the scores."""
    outside = ("ImageSegData", "HDF5Data", "MatWrite", "SegAccuracy")
    return [essence(x) for x in read_net(path, VARIABLES).layers if x.type not in outside]


def test_the_folders_are_the_family():
    assert sorted(BY_NAME) == sorted(path.name for path in NETS.iterdir())


@pytest.mark.parametrize("name", BY_NAME)
def test_as_generated(name):
    assert (NETS / name / "deploy.prototxt").read_text() == BY_NAME[name].deploy()
    assert (NETS / name / "test.prototxt").read_text() == BY_NAME[name].test()


@pytest.mark.slow
@needs_reference
@pytest.mark.parametrize(
    "name, original",
    [
        ("vgg16_aspp", "nets/v2_vgg16_aspp_161/net.prototxt"),
        ("resnet101_aspp_msc", "nets/v2_resnet101_msc_161/net.prototxt"),
        ("resnet101_aspp_msc", "prototxt/v2/resnet101_msc/test.prototxt"),
    ],
)
def test_as_the_original(name, original):
    ours, theirs = core(NETS / name / "deploy.prototxt"), core(REFERENCE / original)
    # The original files write the scores' layers of a scale in another order.
    assert sorted(ours, key=lambda x: x["name"]) == sorted(theirs, key=lambda x: x["name"])


@needs_reference
@pytest.mark.slow
def test_one_scale_is_the_original_at_its_first():
    def first_scale(path):
        layers = [x for x in core(path) if "_res0" not in x["name"] and x["name"] != "fc_fusion"]
        for layer in layers:
            layer["shared"] = []
            layer["bottoms"] = tuple("fc1_voc12" if b == "fc_fusion" else b for b in layer["bottoms"])
        return layers

    ours = first_scale(NETS / "resnet101_aspp/deploy.prototxt")
    assert ours == core(NETS / "resnet101_aspp/deploy.prototxt")
    assert ours == first_scale(REFERENCE / "nets/v2_resnet101_msc_161/net.prototxt")


def test_largefov_is_that_of_v1():
    ours = core(NETS / "vgg16_largefov/deploy.prototxt")
    assert ours == core(ROOT / "prototxt/deeplab_v1/largefov/deploy.prototxt")


@pytest.mark.slow
@pytest.mark.parametrize("name, labels", [*zip(BY_NAME, [60, 19, 60, 19, 60, 19], strict=True)])
def test_deploy_and_test_agree(name, labels):
    variables = VARIABLES | {"NUM_LABELS": labels}
    deploy = read_net(NETS / name / "deploy.prototxt", {"EXP": "voc12", "NUM_LABELS": labels})
    test = read_net(NETS / name / "test.prototxt", variables)
    assert core(NETS / name / "deploy.prototxt") == core(NETS / name / "test.prototxt")
    scores = deploy.layers[-1].tops[0]
    cost = analyse(deploy)
    assert cost.inputs == {"data": (1, 3, 513, 513)} and cost.outputs == {scores: (1, labels, 513, 513)}
    assert [x.bottoms[0] for x in test.layers[-2:]] == [scores, scores]
    measured = analyse(test, (65, 97))
    assert measured.outputs == {f"{scores[:3]}_accuracy": (1, 1, 1, 3)}


@pytest.mark.slow
def test_the_released_sizes():
    """With the 21 labels of PASCAL VOC; the scales share their parameters."""
    variables = {"EXP": "voc12", "NUM_LABELS": 21}
    found = {name: analyse(read_net(NETS / name / "deploy.prototxt", variables)) for name in BY_NAME}
    assert found["resnet101_aspp_msc"].parameters == found["resnet101_aspp"].parameters == 44_153_980
    assert found["vgg16_aspp"].parameters == 37_877_652
    assert found["resnet101_largefov_msc"].multiply_adds > 1.5 * found["resnet101_largefov"].multiply_adds


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_a_large_image_fits_the_memory(name):
    """1024x2048 (Cityscapes), padded to 1025x2049: memory is reused as soon as a blob's last reader ran."""
    net = read_net(NETS / name / "deploy.prototxt", {"EXP": "voc12", "NUM_LABELS": 19})
    cost = analyse(net, (1025, 2049))
    assert cost.peak_memory < 1.3e9 < cost.blob_memory / 4


def test_rates_fit_the_head():
    for head, rates in (("aspp", (6,)), ("largefov", (6, 12)), ("largefov", (0,))):
        with pytest.raises(DeepLabError, match="rates"):
            DeepLabV2("vgg16", head, rates)

"""Our DeepLab v1 nets are the released ones: names, connections, geometry."""

from pathlib import Path

import pytest

from deeplab_caffe.formats.prototxt import read_net

ROOT = Path(__file__).parents[2]
NETS = ROOT / "prototxt/deeplab_v1"
REFERENCE = ROOT / "../shared/reference"
VARIABLES = {
    "NET_ID": "net",
    "EXP": "voc12",
    "NUM_LABELS": 21,
    "DATA_ROOT": "/data",
    "TEST_SET": "val",
    "FEATURE_DIR": "features",
}
RELEASED = {
    "deeplab": "DeepLab",
    "largefov": "DeepLab-LargeFOV",
    "msc": "DeepLab-MSc",
    "msc_largefov": "DeepLab-MSc-LargeFOV",
    "coco_largefov": "DeepLab-COCO-LargeFOV",
    "msc_coco_largefov": "DeepLab-MSc-COCO-LargeFOV",
}
SCORES = {"deeplab": "fc8_crop", "largefov": "fc8_interp", "coco_largefov": "fc8_interp"}
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="needs the reference files")


def essence(layer):
    """What decides a layer's numbers, and which weights it takes."""
    param = layer.param
    conv, pool, interp = param.convolution_param, param.pooling_param, param.interp_param
    return {
        # The released MSc net names its MatWrite layer like another one.
        "name": layer.name if layer.type != "MatWrite" else "",
        "type": layer.type,
        "bottoms": layer.bottoms,
        "tops": layer.tops,
        "conv": (conv.num_output, conv.bias_term, conv.group),
        "kernel": (list(conv.kernel_size), list(conv.pad) or [0], list(conv.stride) or [1]),
        "dilation": list(conv.dilation) or [1],
        "pool": (pool.pool, pool.kernel_size, pool.stride, pool.pad),
        "interp": (interp.zoom_factor, interp.shrink_factor, interp.pad_beg, interp.pad_end),
        "padding": (param.padding_param.pad_beg, param.padding_param.pad_end),
        "eltwise": (param.eltwise_param.operation, list(param.eltwise_param.coeff)),
        "dropout": param.dropout_param.dropout_ratio,
        "ignored": list(param.seg_accuracy_param.ignore_label),
        "transform": param.transform_param.SerializeToString(deterministic=True),
        "files": (param.image_data_param.source, param.mat_write_param.prefix, param.mat_write_param.source),
        "strict_dim": param.strict_dim,
    }


def core(path, drop=()):
    """The layers between the data and the scores."""
    layers = [essence(x) for x in read_net(path, VARIABLES).layers]
    outside = ("ImageSegData", "MatWrite", "SegAccuracy", "Silence")
    return [{k: v for k, v in x.items() if k not in drop} for x in layers if x["type"] not in outside]


@needs_reference
@pytest.mark.parametrize("name", RELEASED)
def test_as_released(name):
    ours = [essence(x) for x in read_net(NETS / name / "test.prototxt", VARIABLES).layers]
    released = REFERENCE / "prototxt/v1" / RELEASED[name] / "test.prototxt"
    assert ours == [essence(x) for x in read_net(released, VARIABLES).layers]


@needs_reference
@pytest.mark.parametrize(
    ("name", "case"),
    [("deeplab", "v1_deeplab_306"), ("largefov", "v1_largefov_321"), ("msc_largefov", "v1_msc_largefov_321")],
)
def test_as_run(name, case):
    ours = core(NETS / name / "deploy.prototxt", drop=["strict_dim"])
    assert ours == core(REFERENCE / "nets" / case / "net.prototxt", drop=["strict_dim"])


@pytest.mark.parametrize("name", RELEASED)
def test_deploy_and_test_agree(name):
    deploy = read_net(NETS / name / "deploy.prototxt")
    size = 514 if name == "deeplab" else 513
    assert deploy.inputs == {"data": (1, 3, size, size)}
    assert deploy.name == RELEASED[name]
    assert deploy.layers[-1].tops == (SCORES.get(name, "fc_fusion"),)
    test = core(NETS / name / "test.prototxt")
    assert core(NETS / name / "deploy.prototxt") == test
    # The written output is that of the deploy net.
    written = [x for x in read_net(NETS / name / "test.prototxt", VARIABLES).layers if x.type == "MatWrite"]
    assert [x.bottoms for x in written] == [deploy.layers[-1].tops]

import pytest

from deeplab_caffe.datasets.cityscapes import plan
from deeplab_caffe.datasets.nets import default_net, make_net
from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.formats.prototxt_text import variables_of
from deeplab_caffe.generate.deeplab_v2 import FAMILY
from deeplab_caffe.solver import read_settings

VARIABLES = {
    "EXP": "e",
    "DATA_ROOT": "d",
    "NET_ID": "n",
    "TEST_SET": "val",
    "FEATURE_DIR": "f",
    "TRAIN_SET": "t",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(net.name, marks=[pytest.mark.slow] * net.name.startswith("resnet101")) for net in FAMILY],
)
def test_files(cityscapes_root, name, tmp_path):
    files = make_net(plan(cityscapes_root), name, 19, (1024, 2048))
    assert files.trains == ("msc" not in name) and not files.normalised
    folder = tmp_path / "config/n"
    folder.mkdir(parents=True)
    for file, text in files.texts.items():
        (folder / file).write_text(text)
        assert set(variables_of(text)) <= VARIABLES.keys()
    test = read_net(folder / "test.prototxt", VARIABLES, "test")
    data, scores = test.layers[0], test.layers[-1].bottoms[0]
    crop = data.param.transform_param
    assert (crop.crop_height, crop.crop_width) == (1025, 2049)
    assert scores == f"{files.features}_interp"
    last = "fc8_cityscapes" if files.features == "fc8" else "fc1_cityscapes"
    assert any(layer.name.startswith(last) for layer in test.layers)
    if files.trains:
        train = read_net(folder / "train.prototxt", VARIABLES, "train")
        shapes = analyse(train, (65, 65))
        assert shapes.outputs["loss"] == () or shapes.outputs["loss"] == (1,)
        weighted = {x.name: x for x in train.layers if x.type == "Convolution"}
        rates = {n: [spec.lr_mult for spec in x.params] for n, x in weighted.items()}
        assert all(rate == [10, 20] for n, rate in rates.items() if n.startswith(last))
        rest = [rate for n, rate in rates.items() if not n.startswith(last)]
        assert rest and all(rate in ([1, 2], [1]) for rate in rest)
        settings = read_settings(folder / "solver.prototxt", VARIABLES | {"EXP": str(tmp_path)})
        assert settings.param.max_iter == 20_000
        passes = settings.param.iter_size * train.layers[0].param.image_data_param.batch_size
        assert passes == 10 and settings.prefix == f"{tmp_path}/model/n/train"


def test_default_and_unknown(cityscapes_root):
    found = plan(cityscapes_root)
    assert default_net(found) == "vgg16_largefov"
    for name in ("vgg19", "camvid_largefov"):
        with pytest.raises(DeepLabError, match=f"--net {name}: unknown; known: vgg16_largefov, vgg16_aspp"):
            make_net(found, name, 19, (8, 8))

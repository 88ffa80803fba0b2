"""The released training nets: every parameter that learns gets a gradient."""

from pathlib import Path

import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.formats.prototxt import read_net

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parents[2] / "../shared/reference/prototxt"
VARIABLES = {
    "NET_ID": "x",
    "DATA_ROOT": "x",
    "EXP": "voc12",
    "TRAIN_SET": "x",
    "NUM_LABELS": "21",
    "FEATURE_DIR": "x",
}
SIZES = {"data": (1, 3, 65, 65), "data_dim": (1, 1, 1, 2)}


@pytest.mark.parametrize(
    "name", ["v1/DeepLab-MSc-LargeFOV", "v1/DeepLab-Weak-EM-Adapt", "v2/vgg_largefov_ade20k"]
)
def test_gradients_reach_every_parameter(name):
    path = REFERENCE / name / "train.prototxt"
    if not path.exists():
        pytest.skip("the released prototxts are not here")
    definition = read_net(path, VARIABLES, phase="train")
    (data,) = (layer for layer in definition.layers if not layer.bottoms)
    shapes = {top: SIZES.get(top, (1, 1, 65, 65)) for top in data.tops}
    generator = torch.Generator().manual_seed(1)
    inputs = {top: torch.randint(0, 5, shape, generator=generator).float() for top, shape in shapes.items()}
    module = Net(definition, phase="train", precision="fp32", inputs=shapes).module()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.02, 0.03)
    module(**inputs).loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters() if parameter.requires_grad)

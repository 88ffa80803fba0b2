import pytest
import torch

from deeplab_caffe.engine.net import Net
from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer


@pytest.mark.parametrize("kind, reason", [("Filter", "size of")])
def test_refused_types(run_layer, kind, reason):
    with pytest.raises(DeepLabError, match=f"layer 'tested'.*{reason}"):
        run_layer(layer(kind))


def test_a_refused_data_layer_can_be_fed(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "Filter" top: "data" top: "label" }\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "out" }\n'
    )
    net = Net(path, inputs={"data": (1, 2, 3, 4)})
    assert net.forward(data=-torch.ones(1, 2, 3, 4))["out"].sum() == 0

import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats import caffe_pb2
from tests.layers.layer_text import layer


def test_infogain(run_layer, rand, tmp_path):
    p, weights = rand(4, 3).softmax(1), rand(3, 3).abs()
    labels = torch.tensor([2.0, 0, 1, 2])
    wanted = -(weights[labels.long()] * p.log()).sum() / 4
    (given,) = run_layer(layer("InfogainLoss", bottoms=3))(p, labels, weights.view(1, 1, 3, 3))
    torch.testing.assert_close(given, wanted)
    blob = caffe_pb2.BlobProto(num=1, channels=1, height=3, width=3, data=weights.flatten().tolist())
    path = tmp_path / "weights.binaryproto"
    path.write_bytes(blob.SerializeToString())
    text = layer("InfogainLoss", f'infogain_loss_param {{ source: "{path}" }}', bottoms=2)
    assert torch.equal(run_layer(text)(p, labels)[0], given)
    with pytest.raises(DeepLabError, match="9 weights given, 4x4"):
        run_layer(text)(rand(4, 4), labels)
    path.write_bytes(b"\xff" * 9)
    with pytest.raises(DeepLabError, match="source"):
        run_layer(text)
    with pytest.raises(DeepLabError, match="source: missing"):
        run_layer(layer("InfogainLoss", bottoms=2))
